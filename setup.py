"""For machines without ROS: `pip install .` brings all but the node. colcon uses CMakeLists.txt."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()


def text(tag: str) -> str:
    """The text of an element of package.xml."""
    return (PACKAGE.findtext(tag) or "").strip()


def requirements(name: str) -> list[str]:
    """The requirements listed in tools/requirements/<name>.txt."""
    lines = (ROOT / "tools" / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def data_files(*folders: str) -> list[tuple[str, list[str]]]:
    """Every file below the folders, for share/hyperseg_ros of the Python environment."""
    by_folder: dict[Path, list[str]] = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                relative = path.relative_to(ROOT)
                by_folder.setdefault(relative.parent, []).append(str(relative))
    return [(f"share/{text('name')}/{folder}", files) for folder, files in by_folder.items()]


setup(
    name=text("name"),
    version=text("version"),
    description=text("description"),
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=text("maintainer"),
    license=text("license"),
    python_requires=">=3.10",
    packages=find_packages(include=["hyperseg_ros", "hyperseg_ros.*"]),
    package_data={"hyperseg_ros": ["py.typed"], "hyperseg_ros.viewer": ["page/*"]},
    data_files=data_files("models", "config/training", "msg"),
    install_requires=requirements("runtime"),
    extras_require={
        **{
            name: requirements(name)
            for name in ("cpu", "gpu", "export", "train", "recordings", "annotations")
        },
        "fleet": [*requirements("recordings"), *requirements("fleet")],
    },
    entry_points={"console_scripts": ["hyperseg = hyperseg_ros.cli:main"]},
    zip_safe=False,
)
