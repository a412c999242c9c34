"""The images of a folder, as measuring and calibrating take them."""

from __future__ import annotations

import cv2
import numpy as np

from hyperseg_ros.runtime.image_folder import sample_images


def test_hidden_files_and_folders_are_no_images(tmp_path):
    for name in ("b.png", "a.png", ".c.png", "._a.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "d.png").mkdir()
    assert [path.name for path in sample_images(tmp_path, 9)] == ["a.png", "b.png"]
