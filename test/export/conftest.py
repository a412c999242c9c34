"""Exports that several tests look at, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import write_checkpoint

from hyperseg_ros.commands import export as command
from hyperseg_ros.network import HyperSeg, load_checkpoint


class Exports:
    """Networks by name, as exported by `hyperseg export` at their smallest size but one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, tuple[Path, HyperSeg]] = {}

    def __call__(self, name: str) -> tuple[Path, HyperSeg]:
        """The model file and the network; its input is 128 x 192, of VOC's layout 256 x 384."""
        if name not in self._made:
            checkpoint = write_checkpoint(self._folder, name)
            network, _ = load_checkpoint(checkpoint)
            height, width = self.size(network)
            assert command.main([str(checkpoint), "--size", f"{height}x{width}"]) == 0
            self._made[name] = checkpoint.with_suffix(".onnx"), network
        return self._made[name]

    @staticmethod
    def size(network: HyperSeg) -> tuple[int, int]:
        return 2 * network.size_divisor, 3 * network.size_divisor


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(tmp_path_factory.mktemp("exports"))
