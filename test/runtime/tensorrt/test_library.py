"""Finding TensorRT: each thing that can be missing has its own sentence."""

import sys
import types

import pytest

from hyperseg_ros.runtime.backends.base import BackendError
from hyperseg_ros.runtime.backends.tensorrt import cuda, library
from hyperseg_ros.runtime.backends.tensorrt.cuda import Device
from hyperseg_ros.runtime.backends.tensorrt.library import Library, find_library, find_usable


def module(name, version):
    found = types.ModuleType(name)
    found.__version__ = version
    return found


@pytest.fixture
def nothing(monkeypatch):
    for name in library._MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    return monkeypatch


def test_nothing_installed(nothing):
    with pytest.raises(BackendError, match=r"TensorRT is not installed \(pip install tensorrt\)"):
        find_library()


def test_tensorrt_goes_before_rtx(nothing):
    nothing.setitem(sys.modules, "tensorrt_rtx", module("tensorrt_rtx", "1.7.1"))
    assert str(find_library()) == "TensorRT-RTX 1.7.1"
    assert find_library().is_rtx
    nothing.setitem(sys.modules, "tensorrt", module("tensorrt", "10.3.0.30"))
    assert str(find_library()) == "TensorRT 10.3.0.30"
    assert not find_library().is_rtx


@pytest.mark.parametrize("version", ["8.6.1", "10.2.0", "9.0"])
def test_too_old(nothing, version):
    nothing.setitem(sys.modules, "tensorrt", module("tensorrt", version))
    with pytest.raises(BackendError, match=rf"TensorRT {version} is older than 10\.3: update it"):
        find_library()


def test_one_that_does_not_import_says_why(nothing, tmp_path):
    (tmp_path / "tensorrt.py").write_text(
        "raise ImportError('libnvinfer.so.10: cannot open shared object file')"
    )
    nothing.syspath_prepend(tmp_path)
    nothing.delitem(sys.modules, "tensorrt")
    with pytest.raises(BackendError, match=r"does not import: libnvinfer.so.10: cannot open"):
        find_library()


def test_a_folder_of_that_name_is_no_tensorrt(nothing, tmp_path):
    (tmp_path / "tensorrt").mkdir()
    nothing.syspath_prepend(tmp_path)
    nothing.delitem(sys.modules, "tensorrt")
    with pytest.raises(BackendError, match="TensorRT is not installed"):
        find_library()


@pytest.mark.parametrize(
    ("version", "rtx", "capability", "needed"),
    [
        ("10.3.0", False, (6, 2), "7.0"),
        ("10.7.0", False, (7, 2), "7.5"),
        ("1.7.1", True, (7, 0), "7.5"),
    ],
)
def test_a_gpu_that_is_too_old(version, rtx, capability, needed):
    found = Library(types.ModuleType("trt"), "TensorRT-RTX" if rtx else "TensorRT", version)
    old = Device("Old", capability, 1 << 30, False)
    with pytest.raises(BackendError, match=rf"compute capability {needed}, and the Old has"):
        found.check_device(old)
    found.check_device(Device("Newer", (8, 6), 1 << 30, True))


def test_a_gpu_that_tensorrt_rtx_leaves_out_is_named():
    rtx = Library(types.ModuleType("trt"), "TensorRT-RTX", "1.7.1")
    hopper = Device("NVIDIA H100", (9, 0), 1 << 30, False)
    with pytest.raises(
        BackendError, match=r"not support the NVIDIA H100, of compute capability 9.0 .*7.5, 8.0, "
    ):
        rtx.check_device(hopper)
    Library(types.ModuleType("trt"), "TensorRT", "10.3.0").check_device(hopper)


def test_the_capabilities_of_tensorrt_rtx_are_its_own():
    bindings = pytest.importorskip("tensorrt_rtx_bindings")
    found = Library(bindings, "TensorRT-RTX", bindings.__version__).capabilities
    assert (8, 6) in found
    assert (9, 0) not in found


@pytest.mark.parametrize(
    ("driver", "built_for", "text"),
    [
        (
            (12, 2),
            13,
            r"it is built for CUDA 13, the driver for 12.2: .*r580 or newer, or tensorrt-cu12",
        ),
        ((11, 4), 12, r"it is built for CUDA 12, the driver for 11.4: .*r535 or newer"),
        ((12, 6), None, r"it is built for CUDA of a newer version, the driver for 12.6: .*r580"),
        (None, 13, r"it needs an NVIDIA driver, and there is none"),
    ],
)
@pytest.mark.parametrize("kind", ["Builder", "Runtime", "OnnxParser"])
def test_a_driver_that_is_too_old_is_one_sentence(monkeypatch, kind, driver, built_for, text):
    def refuses(*_):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    module = types.ModuleType("trt")
    setattr(module, kind, refuses)
    monkeypatch.setattr(library, "driver_cuda", lambda: driver)
    monkeypatch.setattr(library, "built_for", lambda _: built_for)
    with pytest.raises(BackendError, match=rf"TensorRT 11.1.0 does not start: {text}"):
        Library(module, "TensorRT", "11.1.0").create(kind, None)


@pytest.mark.parametrize(
    ("driver", "package"), [(None, "tensorrt"), ((12, 4), "tensorrt-cu12"), ((13, 0), "tensorrt")]
)
def test_the_package_to_install_is_the_drivers(nothing, driver, package):
    nothing.setattr(library, "driver_cuda", lambda: driver)
    with pytest.raises(BackendError, match=rf"not installed \(pip install {package}\)"):
        find_library()


def test_on_a_jetson_tensorrt_is_jetpacks(nothing, tmp_path):
    (tmp_path / "nv_tegra_release").touch()
    nothing.setattr(library, "_JETSON", tmp_path / "nv_tegra_release")
    with pytest.raises(BackendError, match="JetPack has it: sudo apt install python3-libnvinfer"):
        find_library()


def test_what_a_tensorrt_from_pip_is_built_for_is_found():
    bindings = pytest.importorskip("tensorrt_rtx_bindings")
    assert library.built_for(Library(bindings, "TensorRT-RTX", bindings.__version__)) == 12


def test_without_a_driver_the_library_is_named():
    pytest.importorskip("tensorrt_rtx_bindings")
    pytest.importorskip("cuda.bindings")
    from hyperseg_ros.runtime.backends.tensorrt.cuda import NoDeviceError, find_device

    try:
        find_device()
    except NoDeviceError:
        pass
    else:
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendError, match=r"TensorRT.* \d.* found, no CUDA device"):
        find_usable()


def test_without_cuda_python_the_library_is_named(nothing):
    nothing.setitem(sys.modules, "tensorrt", module("tensorrt", "10.3.0"))
    nothing.setattr(cuda, "_DRIVER", None)  # this process, which is there
    for name in ("cuda", "cuda.bindings", "cuda.bindings.driver"):
        nothing.setitem(sys.modules, name, None)
    with pytest.raises(BackendError, match=r"TensorRT 10.3.0 found, cuda-python is not installed"):
        find_usable()
