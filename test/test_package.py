"""The three descriptions of the package agree with each other and with the tree.

package.xml, CMakeLists.txt and setup.py are not read but used: what colcon installed and what
`pip wheel` built is compared with the files of the checkout.
"""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hyperseg_ros

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "hyperseg_ros"
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()

PROJECT_FILES = ("setup.py", "pyproject.toml", "package.xml", "README.md", "LICENSE")
PROJECT_FOLDERS = ("hyperseg_ros", "models", "config", "msg", "tools")


def files_below(folder: Path, pattern: str = "*") -> set[str]:
    """The files below a folder, relative to it, without Python's caches."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="session")
def installed() -> Path:
    """The prefix that colcon installed the package to."""
    index = pytest.importorskip("ament_index_python")
    try:
        return Path(index.get_package_prefix("hyperseg_ros"))
    except index.PackageNotFoundError:
        pytest.skip("hyperseg_ros is not built by colcon here")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """What `pip install .` would install."""
    # From a copy, since setuptools also packs what an earlier build left in build/.
    copy = tmp_path_factory.mktemp("checkout")
    for name in PROJECT_FILES:
        shutil.copy(ROOT / name, copy)
    for name in PROJECT_FOLDERS:
        shutil.copytree(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*command, "--no-index", "--wheel-dir", copy / "wheel", copy],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert built.returncode == 0, built.stdout
    (path,) = (copy / "wheel").iterdir()
    with zipfile.ZipFile(path) as archive:
        yield archive


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    """A file of the wheel's .dist-info folder."""
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def executables(installed: Path) -> dict[str, str]:
    """The module that each executable for `ros2 run` calls main() of."""
    folder = installed / "lib" / "hyperseg_ros"
    targets = {}
    for path in folder.iterdir():
        (module,) = re.findall(r"^from (\S+) import main$", path.read_text(), re.MULTILINE)
        targets[path.name] = module
    return targets


def test_one_version_and_licence(wheel):
    version = PACKAGE.findtext("version")
    described = metadata(wheel, "METADATA")

    assert hyperseg_ros.__version__ == version
    assert f"\nVersion: {version}\n" in described
    assert re.search(r"^(\d+\.\d+\.\d+) ", (ROOT / "CHANGELOG.rst").read_text(), re.M)[1] == version
    assert PACKAGE.findtext("license") == "Apache-2.0"
    assert re.search(r"^License(-Expression)?: Apache-2.0$", described, re.M)
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_colcon_installs_all_code_and_data(installed):
    (package,) = installed.glob("lib/python*/site-packages/hyperseg_ros")
    ours = {path for path in files_below(package, "*.py") if not path.startswith("msg/")}
    share = installed / "share" / "hyperseg_ros"

    assert ours == files_below(SOURCE, "*.py")
    assert (package / "py.typed").is_file()  # type checkers then read our annotations
    assert (package / "__init__.py").read_bytes() == (SOURCE / "__init__.py").read_bytes()
    assert files_below(package / "viewer" / "page") == files_below(SOURCE / "viewer" / "page")
    for folder in ("launch", "config", "models"):
        assert files_below(share / folder) == files_below(ROOT / folder), folder


def test_pip_installs_all_code_and_data(wheel):
    names = wheel.namelist()
    share = [name.partition("/data/share/hyperseg_ros/")[2] for name in names]

    code = {path.removeprefix("hyperseg_ros/") for path in names if path.endswith(".py")}
    assert code == files_below(SOURCE, "*.py")
    assert "hyperseg_ros/py.typed" in names
    page = {path for path in files_below(SOURCE) if path.startswith("viewer/page/")}
    assert page <= {path.removeprefix("hyperseg_ros/") for path in names}
    for folder in ("models", "config/training", "msg"):
        packed = {path.removeprefix(f"{folder}/") for path in share if path.startswith(folder)}
        assert packed == files_below(ROOT / folder), folder


def test_every_subpackage_has_an_init_file():
    folders = {path.parent for path in SOURCE.rglob("*.py")}

    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_every_message_is_built(installed):
    messages = importlib.import_module("hyperseg_ros.msg")
    described = {path.stem for path in (ROOT / "msg").glob("*.msg")}

    assert described == {name for name in vars(messages) if name[0].isupper()}


def test_every_executable_calls_a_main_function(installed):
    targets = executables(installed)

    assert set(targets) == {
        "segmentation_node",
        "demo",
        "demo_camera",
        "demo_recorder",
        "viewer",
        "hyperseg",
    }
    for name, module in targets.items():
        script = installed / "lib" / "hyperseg_ros" / name
        interpreter = script.read_text().splitlines()[0].removeprefix("#!")
        assert script.stat().st_mode & 0o111, name
        assert Path(interpreter).samefile(sys.executable), name
        assert callable(importlib.import_module(module).main), name


def test_pip_and_colcon_install_the_same_command(installed, wheel):
    target = executables(installed)["hyperseg"]

    assert f"hyperseg = {target}:main" in metadata(wheel, "entry_points.txt")
    command = installed / "bin" / "hyperseg"
    assert command.read_text() == (installed / "lib" / "hyperseg_ros" / "hyperseg").read_text()
    version = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert hyperseg_ros.__version__ in version.stdout


def test_a_shell_that_has_sourced_the_workspace_finds_the_command(installed):
    setup = installed / "share" / "hyperseg_ros" / "local_setup.bash"
    found = subprocess.run(
        ["bash", "-c", f"source {setup} && command -v hyperseg"],
        env={"PATH": "/usr/bin:/bin", "AMENT_CURRENT_PREFIX": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert Path(found.stdout.strip()) == installed / "bin" / "hyperseg"


# What a layer may import: of the other layers, and of the libraries that only some machines have.
SHARED = {"classes", "files", "lazy_sequence", "metrics", "sizes", "__init__"}
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "classes": (set(), set()),
    "files": (set(), set()),
    "lazy_sequence": (set(), set()),
    "metrics": ({"classes"}, set()),
    "sizes": (set(), set()),
    "network": (SHARED, {"torch"}),
    "training": (SHARED | {"network", "runtime", "simulation"}, {"torch"}),
    "export": (SHARED | {"network", "runtime", "simulation"}, {"torch"}),
    "runtime": (SHARED, set()),
    "geometry": (SHARED, set()),
    "frames": (SHARED | {"runtime", "geometry"}, set()),
    "recordings": (SHARED | {"runtime", "frames", "geometry"}, {"bags"}),
    "node": (SHARED | {"runtime", "frames", "geometry"}, {"ros"}),
    "simulation": (SHARED, set()),
    "demo": (SHARED | {"node", "frames", "recordings", "runtime", "simulation"}, {"ros"}),
    "viewer": (SHARED | {"node", "frames", "runtime"}, {"ros"}),
    "benchmark": (
        SHARED | {"node", "frames", "runtime", "network", "training", "export"},
        {"ros", "torch"},
    ),
    "cli": (SHARED, set()),
}
LAYERS["commands"] = (set(LAYERS), {"ros", "torch", "bags"})  # each command one layer, when it runs

MODULE_OF_REQUIREMENT = {
    "opencv-python-headless": {"cv2"},
    "tf2_ros_py": {"tf2_ros"},
    "python3-aiohttp": {"aiohttp"},
    "python3-opencv": {"cv2"},
    "python3-numpy": {"numpy"},
    "python3-tqdm": {"tqdm"},
    "python3-yaml": {"yaml"},
    "cuda-bindings": {"cuda"},
    "onnx": {"onnx", "google"},  # google.protobuf
    "pyyaml": {"yaml"},
    "pillow": {"PIL"},
    "universal-pathlib": {"upath"},
}
TORCH_LIBRARIES = {"torch", "lightning", "tensorboard", "onnxscript"}


def imports(path: Path) -> set[str]:
    """The modules a file imports, wherever in it: `hyperseg_ros.<layer>`, or the first name."""
    found = set()
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            modules = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{path} has a relative import"
            modules = [statement.module or ""]
            if modules == ["hyperseg_ros"]:
                modules = [f"hyperseg_ros.{alias.name}" for alias in statement.names]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            found.add(".".join(parts[: 2 if parts[0] == "hyperseg_ros" else 1]))
    return found


def files_of(layer: str) -> list[Path]:
    """The Python files of a layer: one module, or a folder of them."""
    module = SOURCE / f"{layer}.py"
    return [module] if module.is_file() else sorted((SOURCE / layer).rglob("*.py"))


def requirements(*names: str) -> set[str]:
    """The modules that requirement files bring."""
    modules = set()
    for name in names:
        for line in (ROOT / "tools" / "requirements" / f"{name}.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                (distribution,) = re.findall(r"^[\w-]+", line)
                module = distribution.replace("-", "_")
                modules |= MODULE_OF_REQUIREMENT.get(distribution, {module})
    return modules


def ros_dependencies() -> set[str]:
    """The modules that the dependencies named in package.xml bring on a robot."""
    keys = [
        element.text or "" for element in PACKAGE.iter() if element.tag in ("depend", "exec_depend")
    ]
    return set().union(*(MODULE_OF_REQUIREMENT.get(key, {key}) for key in keys))


def test_the_layers_are_those_of_the_tree():
    tree = {
        path.stem
        for path in SOURCE.iterdir()
        if path.name[0] not in "._" and (path.is_dir() or path.suffix == ".py")
    }

    assert tree <= set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_the_layers_below(layer):
    below, _ = LAYERS[layer]
    allowed = {f"hyperseg_ros.{name}" for name in {*below, layer, "__version__"}}
    if "ros" in LAYERS[layer][1]:
        allowed.add("hyperseg_ros.msg")

    for path in files_of(layer):
        ours = {name for name in imports(path) if name.startswith("hyperseg_ros")}
        assert ours <= allowed, path


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_declared_libraries(layer):
    _, machines = LAYERS[layer]
    allowed = set(sys.stdlib_module_names)
    if layer in ("classes", "metrics"):
        allowed |= {"numpy"}
    else:
        allowed |= requirements("runtime", "cpu", "gpu") - TORCH_LIBRARIES
    if "bags" in machines:
        allowed |= requirements("recordings", "fleet")
    if "torch" in machines:
        allowed |= requirements("train", "export", "annotations")
    if "ros" in machines:
        allowed |= ros_dependencies()

    for path in files_of(layer):
        libraries = {name for name in imports(path) if not name.startswith("hyperseg_ros")}
        assert libraries <= allowed, path


def test_launch_files_import_only_declared_packages():
    allowed = ros_dependencies() | set(sys.stdlib_module_names)

    for path in (ROOT / "launch").glob("*.py"):
        assert {name for name in imports(path) if not name.startswith("hyperseg_ros")} <= allowed


def test_importing_the_command_line_loads_no_layer():
    code = "import sys, hyperseg_ros.cli; print(*(m for m in sys.modules if 'hyperseg' in m))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert set(loaded.split()) == {"hyperseg_ros", "hyperseg_ros.cli"}
