"""The page in headless Chromium, beside a running segmentation node, over DDS."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from page_client import decode, free_port
from reverse_proxy import ReverseProxy
from ros_graph import RELIABLE, Graph, driving, pixels_of
from sensor_msgs.msg import Image, LaserScan

from hyperseg_ros.node.conversions import to_image

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
ROAD, CAR = (128, 64, 128), (64, 0, 128)
"""What the model knows them by: red, green, blue."""
RED, GREEN = (255, 0, 0), (0, 255, 0)
"""What the node is told to show them in."""
SIZE = 120, 160


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_browser_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page of a viewer; options are those of Playwright's contexts.

    In the end nothing may have failed in it, and nothing been asked of anybody else.
    """
    contexts, troubles = [], []

    def open_(viewer: Any, address: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        origin = address or f"http://localhost:{viewer.port}/"
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((origin, f"blob:{origin}"))
                else troubles.append(f"a request of {request.url}")
            ),
        )
        page.goto(origin)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def image_topic(graph: Graph) -> str:
    return graph.topic("image_raw")


@pytest.fixture
def viewer(graph, start_viewer, image_topic):
    return start_viewer(image_topics=[image_topic])


@pytest.fixture
def node(graph: Graph) -> Iterator[Any]:
    with graph.segmentation(**{"palette.road": list(RED), "palette.car": list(GREEN)}) as running:
        yield running


def scene(offset: int = 0) -> NDArray[np.uint8]:
    """Road on the left, a car on the right, BGR; `offset` makes another picture of the same.

    Beyond 31 the model takes the brighter road for sky.
    """
    image = np.empty((*SIZE, 3), np.uint8)
    image[:, :80] = np.add(ROAD[::-1], offset)
    image[:, 80:] = np.add(CAR[::-1], offset)
    return image


@pytest.fixture
def camera(graph: Graph, image_topic: str) -> Any:
    return graph.node.create_publisher(Image, image_topic, RELIABLE)


@pytest.fixture
def drive(graph: Graph, camera: Any) -> Iterator[list[Image]]:
    """A camera whose pictures change; what it has published so far."""
    offsets = iter(range(10**9))
    with driving(
        camera, lambda: to_image(graph.header(), scene(next(offsets) % 30), "bgr8"), 0.1
    ) as published:
        yield published


def expect_live(page: Any) -> None:
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator("#legend input[data-id='3']")).to_be_checked()
    expect(page.locator("#save-label")).to_be_enabled()


def expect_palette(page: Any) -> None:
    """Waits until the colours that the node was started with have reached the page."""
    swatch = "getComputedStyle(document.querySelector('[data-id=\"3\"]')).backgroundColor"
    wait_until(page, f"{swatch} === 'rgb{RED}'")


def wait_until(page: Any, expression: str) -> None:
    """Waits until an expression is true; Playwright's own way is against the page's policy."""
    wait_until_other(page, f"Boolean({expression})", False)


def wait_until_other(page: Any, expression: str, value: Any) -> None:
    """Waits until an expression has another value."""
    deadline = time.monotonic() + PATIENCE / 1000
    while page.evaluate(expression) == value:
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


def picture_that_stays(page: Any, published: list[Image]) -> str:
    """Waits until the picture stays the same while others are published; that one."""
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        before, count = page.evaluate("image.toDataURL()"), len(published)
        while len(published) < count + 10:
            page.wait_for_timeout(50)
        if page.evaluate("image.toDataURL()") == before:
            return before
        assert time.monotonic() < deadline, "the picture goes on changing"


def seen(page: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The colours in the middle of the left and of the right half of the screen, RGB."""
    shot = decode(page.locator("#screen").screenshot(), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    height, width = shot.shape[:2]
    return shot[height // 2, width // 4], shot[height // 2, 3 * width // 4]


def expect_seen(page: Any, left: Any, right: Any) -> None:
    """Waits until the two halves of the screen have these colours."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        if np.abs(np.array(seen(page)) - [left, right]).max() <= 4:
            return
    np.testing.assert_allclose(seen(page), [left, right], atol=4)


def saved(page: Any, button: str) -> tuple[str, NDArray[np.uint8]]:
    """The name and the pixels of the file that a button saves."""
    with page.expect_download() as download:
        page.locator(button).click()
    path = Path(download.value.path())
    return download.value.suggested_filename, decode(path.read_bytes())


def stamp(message: Image) -> str:
    return f"{message.header.stamp.sec}.{message.header.stamp.nanosec:09}"


def test_pictures_arrive_and_change(node, viewer, drive, open_browser_page, image_topic):
    page = open_browser_page(viewer)
    expect_live(page)
    expect(page).to_have_title("hyperseg viewer")
    expect(page.locator("#only-camera")).to_have_text(image_topic)
    expect(page.locator("#network")).to_be_hidden()
    expect(page.locator("#notices li")).to_have_count(0)
    first = page.evaluate("image.toDataURL()")
    wait_until_other(page, "image.toDataURL()", first)

    expect(page.locator("#legend li:has([data-id='3']) .name")).to_have_text("road")
    for index in (3, 8):
        expect(page.locator(f"#legend li:has([data-id='{index}']) .share")).to_have_text("50.0 %")
    expect(page.locator("#legend li:has([data-id='0']) .share")).to_have_text("0 %")
    expect(page.locator("#rate .value")).to_have_text(re.compile(r"\d+\.\d"))
    expect(page.locator("#diagnostics .verdict").first).to_have_text("OK")
    wait_until(page, "document.querySelector('#rate .line').getAttribute('d').includes('L')")


def test_the_slider_and_the_switches_change_the_pixels_as_they_should(
    graph, node, viewer, camera, open_browser_page
):
    page = open_browser_page(viewer)
    with driving(camera, lambda: to_image(graph.header(), scene(), "bgr8"), 0.1):
        expect_live(page)
        expect_palette(page)
        for percent in (0, 50, 100, 30):
            page.locator("#opacity").fill(str(percent))
            weight = percent / 100
            expect_seen(page, mix(ROAD, RED, weight), mix(CAR, GREEN, weight))

        page.locator("#opacity").fill("60")
        page.get_by_label("road").uncheck()
        expect_seen(page, ROAD, mix(CAR, GREEN, 0.6))
        page.locator("#none").click()
        expect_seen(page, ROAD, CAR)
        page.locator("#all").click()
        expect_seen(page, mix(ROAD, RED, 0.6), mix(CAR, GREEN, 0.6))
        # A new colour of the node's reaches the page too.
        assert graph.set_parameters(**{"palette__road": [0, 0, 255]}) == [""]
        wait_until(
            page,
            "getComputedStyle(document.querySelector('[data-id=\"3\"]')).backgroundColor"
            " === 'rgb(0, 0, 255)'",
        )
        expect_seen(page, mix(ROAD, (0, 0, 255), 0.6), mix(CAR, GREEN, 0.6))


def mix(image: tuple[int, ...], color: tuple[int, ...], weight: float) -> NDArray[np.float64]:
    return (1 - weight) * np.array(image, float) + weight * np.array(color, float)


def pause_on_an_image_with_labels(page):
    """Pauses; again where an image was lost on its way and the picture has labels only."""
    for _ in range(10):
        page.locator("#pause").click()
        expect(page.locator("#status")).to_have_text("Paused")
        with contextlib.suppress(AssertionError):
            expect(page.locator("#save-image")).to_be_enabled(timeout=3000)
            return
        page.locator("#pause").click()
        expect_live(page)
    raise AssertionError("no picture has both an image and labels")


def test_saved_files_equal_what_was_published(
    graph, node, viewer, drive, open_browser_page, image_topic
):
    labels = graph.listen(graph.topic("segmentation/label"))
    page = open_browser_page(viewer, accept_downloads=True)
    expect_live(page)
    expect_palette(page)
    pause_on_an_image_with_labels(page)
    name, label = saved(page, "#save-label")
    published = next(message for message in drive if stamp(message) in name)
    answer = graph.arrival(labels, published.header)
    assert name.endswith(f"camera_image_raw_{stamp(published)}_label.png")
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, pixels_of(answer))

    name, image = saved(page, "#save-image")
    assert name.endswith(f"{stamp(published)}_image.png")
    np.testing.assert_array_equal(image, pixels_of(published))

    name, overlay = saved(page, "#save-overlay")
    assert name.endswith(f"{stamp(published)}_overlay.png")
    left, right = overlay[60, 40, 2::-1], overlay[60, 120, 2::-1]
    np.testing.assert_allclose(left, mix(tuple(image[60, 40, ::-1]), RED, 0.5), atol=4)
    np.testing.assert_allclose(right, mix(tuple(image[60, 120, ::-1]), GREEN, 0.5), atol=4)


def test_pause_and_keys(node, viewer, drive, open_browser_page):
    page = open_browser_page(viewer)
    expect_live(page)
    page.keyboard.press(" ")
    expect(page.locator("#status")).to_have_text("Paused")
    before = picture_that_stays(page, drive)
    page.keyboard.press(" ")
    wait_until_other(page, "image.toDataURL()", before)
    page.keyboard.press("+")
    expect(page.locator("#opacity-value")).to_have_text("60 %")
    page.keyboard.press("a")
    expect(page.locator("#legend input:checked")).to_have_count(0)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.id"))
    assert {"pause", "opacity", "save-image", "save-label", "save-overlay", "all", "3"} <= reached


def test_the_node_and_the_viewer_may_go_and_come_back(
    graph, start_viewer, drive, open_browser_page, image_topic
):
    viewer = start_viewer(image_topics=[image_topic])
    page = open_browser_page(viewer)
    waiting = page.get_by_text("Waiting for a segmentation node")
    expect(waiting).to_be_visible()
    with graph.segmentation():
        expect_live(page)
        expect(waiting).to_be_hidden()
    expect(waiting).to_be_visible()
    with graph.segmentation():
        expect(waiting).to_be_hidden()
        viewer.stop()
        expect(page.locator("#status")).to_have_text("Not connected")
        expect(page.get_by_text("Trying again")).to_be_visible()
        start_viewer(image_topics=[image_topic], port=viewer.port)
        expect_live(page)
        before = page.evaluate("image.toDataURL()")
        wait_until_other(page, "image.toDataURL()", before)
        expect(page.get_by_text("No connection to the viewer")).to_be_hidden()


def test_two_cameras_can_be_chosen_from(graph, start_viewer, drive, open_browser_page, image_topic):
    other = f"{graph.namespace}/rear/image_raw"
    viewer = start_viewer(image_topics=[image_topic, other])
    wide = np.full((90, 160, 3), 200, np.uint8)
    rear = graph.node.create_publisher(Image, other, RELIABLE)
    with (
        graph.segmentation(image_topics=[image_topic, other]),
        driving(rear, lambda: to_image(graph.header(), wide, "bgr8")),
    ):
        page = open_browser_page(viewer)
        expect_live(page)
        assert page.evaluate("[image.width, image.height]") == [160, 120]
        page.locator("#camera").select_option(other)
        wait_until(page, "image.height === 90")
        page.reload()
        wait_until(page, "image.height === 90")
        page.locator("body").press("c")
        wait_until(page, "image.height === 120")


def test_what_is_wrong_is_on_the_page(graph, start_viewer, camera, open_browser_page, image_topic):
    viewer = start_viewer(image_topics=[image_topic], host="0.0.0.0")
    page = open_browser_page(viewer)
    expect(page.get_by_text("Open to the network")).to_be_visible()
    expect(page.get_by_text("Nothing comes on")).to_be_visible()

    def thermal() -> Image:
        return Image(header=graph.header(), height=1, width=1, step=1, encoding="thermal", data=[0])

    with driving(camera, thermal):
        expect(page.get_by_text("unknown encoding 'thermal'")).to_be_visible()
    expect(page.locator("#status")).to_have_text("Waiting")


def test_free_space_is_drawn_from_above(graph, node, viewer, drive, open_browser_page):
    publisher = graph.node.create_publisher(
        LaserScan, graph.topic("segmentation/free_space/scan"), RELIABLE
    )
    page = open_browser_page(viewer)
    expect_live(page)
    page.locator("#free-space summary").click()
    expect(page.get_by_text("Waiting for the first scan")).to_be_visible()
    ranges = [6.0] * 40 + [float("inf")] * 40
    scan = LaserScan(angle_min=-0.4, angle_increment=0.01, range_max=15.0, ranges=ranges)
    with driving(publisher, lambda: scan):
        expect(page.locator("#birds-eye")).to_be_visible()
        # Its own pixels: a screenshot shows what the page puts in its place when notes come and go.
        url = page.locator("#birds-eye").evaluate("canvas => canvas.toDataURL()")
        panel = page.evaluate("getComputedStyle(document.body).backgroundColor")
    drawn = decode(base64.b64decode(url.partition(",")[2]))
    height, width = drawn.shape[:2]
    free = drawn[int(0.8 * height), width // 2]
    ahead_left, ahead_right = (drawn[int(0.35 * height), int(x * width)] for x in (0.44, 0.56))
    assert free[3] == 255
    np.testing.assert_array_equal(ahead_left, free)  # the ground goes on there
    assert ahead_right[3] == 0  # but not there
    background = [int(value) for value in re.findall(r"\d+", panel)][:3]
    assert np.abs(free[2::-1].astype(int) - background).max() > 40


def test_a_page_that_is_refused_says_why(start_viewer, open_browser_page):
    viewer = start_viewer(max_pages=1)
    first = open_browser_page(viewer)
    expect(first.locator("#status")).to_have_text("Waiting")
    second = open_browser_page(viewer)
    full = second.get_by_text("1 pages are open, which is the most (max_pages). Trying again")
    expect(full).to_be_visible()
    expect(second.get_by_text("No connection")).to_be_hidden()
    first.close()
    expect(second.locator("#status")).to_have_text("Waiting")
    expect(full).to_be_hidden()


def test_behind_a_proxy_with_a_path_it_is_the_same_page(
    node, start_viewer, drive, open_browser_page, image_topic
):
    port = free_port()
    viewer = start_viewer(image_topics=[image_topic], port=port)
    with ReverseProxy(port, "/robots/7/") as proxy:
        origin = f"http://localhost:{proxy.port}"
        page = open_browser_page(viewer, f"{origin}/robots/7/")
        refused = f"Pages of {origin} may not connect: add it to the viewer's allowed_origins."
        expect(page.get_by_text(refused)).to_be_visible()
        viewer.stop()
        viewer = start_viewer(image_topics=[image_topic], port=port, allowed_origins=[origin])
        expect_live(page)
    with ReverseProxy(port, "/robots/7/", passes_upgrade=False) as proxy:
        page = open_browser_page(viewer, f"http://localhost:{proxy.port}/robots/7/")
        expect(page.get_by_text("does the proxy pass on the header Upgrade?")).to_be_visible()


def test_with_a_token_the_page_works(start_viewer, open_browser_page):
    viewer = start_viewer(token="correct-horse")
    address = f"http://localhost:{viewer.port}/"
    page = open_browser_page(viewer, address)
    expect(page.get_by_text("This viewer asks for a token")).to_be_visible()
    page.goto(f"{address}?token=correct-horse")
    expect(page.locator("#status")).to_have_text("Waiting")
    expect(page).to_have_url(address)
    page.reload()
    expect(page.locator("#status")).to_have_text("Waiting")


def test_a_page_whose_viewer_ends_says_so(start_viewer, open_browser_page):
    viewer = start_viewer()
    page = open_browser_page(viewer)
    expect(page.locator("#status")).to_have_text("Waiting")
    viewer.stop()
    expect(page.get_by_text("The viewer has ended. Trying again")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 3840])
def test_it_fits_phones_and_walls(node, viewer, drive, open_browser_page, width):
    page = open_browser_page(viewer, viewport={"width": width, "height": 800})
    expect_live(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture = page.locator("#screen").bounding_box()
    assert picture["y"] + picture["height"] <= 800
    assert picture["width"] / picture["height"] == pytest.approx(4 / 3, rel=0.01)
    small = page.evaluate(
        "Math.min(...[...document.querySelectorAll('button, #legend, p')].filter((element) =>"
        " element.offsetParent).map((element) => parseFloat(getComputedStyle(element).fontSize)))"
    )
    assert small >= 11


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(node, viewer, drive, open_browser_page, scheme):
    page = open_browser_page(viewer, color_scheme=scheme)
    expect_live(page)
    ground = luminance(page, "document.body", "backgroundColor")
    assert (ground > 0.5) == (scheme == "light")
    panel = luminance(page, "document.querySelector('aside section')", "backgroundColor")
    for selector in (".legend .name", ".chart h2", "#no-diagnostics", "#status", ".opacity span"):
        text = luminance(page, f"document.querySelector('{selector}')", "color")
        for behind in (ground, panel):
            # Web Content Accessibility Guidelines 2.2, 1.4.3
            assert (max(text, behind) + 0.05) / (min(text, behind) + 0.05) >= 4.5, selector


def luminance(page: Any, element: str, name: str) -> float:
    """Relative luminance of a colour, by the same guidelines."""
    text = page.evaluate(f"getComputedStyle({element}).{name}")
    channels = np.array([int(number) for number in re.findall(r"\d+", text)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
