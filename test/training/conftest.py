"""A CamVid folder small enough for a test; one thread, since small networks gain nothing by two."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def write_camvid() -> Callable[[Path], Path]:
    """A function that writes 4 images of random blocks a split; a block's colour is its class."""

    def write(root: Path) -> Path:
        random = np.random.default_rng(0)
        for split in ("train", "val"):
            (root / split).mkdir(parents=True)
            (root / f"{split}annot").mkdir()
            for index in range(4):
                blocks = random.integers(0, 12, (3, 4), dtype=np.uint8)
                labels = blocks.repeat(16, 0).repeat(16, 1)
                image = np.stack([labels * 20, 255 - labels * 20, labels * 10], axis=-1)
                cv2.imwrite(str(root / split / f"{index}.png"), image)
                cv2.imwrite(str(root / f"{split}annot" / f"{index}.png"), labels)
        return root

    return write
