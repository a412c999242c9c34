from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperseg_ros.classes import CAMVID, ClassTable
from hyperseg_ros.demo.contact_sheet import EvenSamples, Layout, Moment, draw_contact_sheet
from hyperseg_ros.demo.lettering import PAPER, draw_legend, draw_text, fit_text, text_extent

HEIGHT, WIDTH = 90, 120


def plain(color: tuple[int, int, int]) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), color, np.uint8)


def test_every_row_shows_camera_labels_and_overlay() -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:, WIDTH // 2 :] = 3
    moments = [
        Moment("0.0 s", plain((10, 20, 30)), labels, plain((40, 50, 60))),
        Moment("1.0 s", plain((70, 80, 90)), labels[:, ::-1], plain((1, 2, 3))),
    ]
    sheet = draw_contact_sheet(moments, CAMVID, "title", "subtitle", image_width=240)
    layout = Layout(rows=2, image_width=240, image_height=180)

    def pixel(row: int, column: int, x: float) -> list[int]:
        left, top = layout.image_at(row, column)
        return sheet[top + 90, left + int(240 * x)].tolist()

    sky, road = [128, 128, 128], [128, 64, 128]  # CamVid's colours, BGR
    assert sheet.shape[1] == layout.width
    assert [pixel(0, column, 0.25) for column in range(3)] == [[10, 20, 30], sky, [40, 50, 60]]
    assert [pixel(1, column, 0.25) for column in range(3)] == [[70, 80, 90], road, [1, 2, 3]]
    assert (pixel(0, 1, 0.75), pixel(1, 1, 0.75)) == (road, sky)
    # No colour between two classes' appears at their border.
    left, top = layout.image_at(0, 1)
    colors = np.unique(sheet[top : top + 180, left : left + 240].reshape(-1, 3), axis=0)
    assert colors.tolist() == sorted([sky, road])
    # Below the rows every class has its colour.
    legend = sheet[layout.legend_top :].reshape(-1, 3)
    for color in CAMVID.colors:
        assert (legend == color[::-1]).all(axis=1).sum() > 100


def test_the_sheet_is_made_from_images_of_any_shape() -> None:
    image = np.zeros((50, 33, 3), np.uint8)
    sheet = draw_contact_sheet([Moment("", image, image[..., 0], image)], CAMVID, "t", "s", 66)
    layout = Layout(rows=1, image_width=66, image_height=100)
    left, top = layout.image_at(0, 2)
    assert (sheet[top : top + 100, left : left + 66] == 0).all()
    assert (sheet[top : top + 100, left - 5 : left] == PAPER).all()


@given(st.integers(1, 300), st.integers(1, 6))
def test_samples_are_even(length: int, count: int) -> None:
    samples: EvenSamples[int] = EvenSamples(count)
    for item in range(length):
        samples.offer(lambda item=item: item)
    picked = samples.samples()
    assert len(picked) == min(length, count)
    assert picked[0] == 0
    gaps = np.diff(picked)
    assert (gaps > 0).all()
    if count > 1 and length >= count:
        # At least 2 x count items are kept once there are that many, so no gap is twice the ideal.
        assert gaps.max() <= 2 * (length - 1) / (count - 1)
        assert picked[-1] >= (length - 1) / 2


@given(
    st.lists(
        st.text("abcdefghij -_", min_size=1, max_size=15).filter(str.strip),
        min_size=1,
        max_size=40,
        unique=True,
    ),
    st.integers(150, 1200),
)
def test_a_legend_has_every_class_and_the_width_asked_for(names: list[str], width: int) -> None:
    colors = tuple((0, 7 * index % 256, 255) for index in range(len(names)))
    legend = draw_legend(ClassTable(tuple(names), colors), width)
    assert legend.shape[1:] == (width, 3)
    present = np.unique(legend.reshape(-1, 3), axis=0).tolist()
    assert all([255, green, 0] in present for _, green, _ in colors)


def test_text_fits_and_keeps_its_end() -> None:
    path = "/a/very/long/path/to/some/folder/with/images/drive_07"
    fitted = fit_text(path, 200, 0.5)
    assert fitted.startswith("...")
    assert fitted.endswith("drive_07")
    assert text_extent(fitted, 0.5).width <= 200
    assert fit_text("short", 200, 0.5) == "short"


@pytest.mark.parametrize("text", ["plain", "straße ü → 日本", ""])
def test_any_text_can_be_drawn(text: str) -> None:
    picture = np.full((40, 300, 3), PAPER, np.uint8)
    draw_text(picture, text, 5, 30, 0.5)
    assert (picture != PAPER).any() == bool(text)
