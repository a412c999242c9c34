"""What the network can do to the viewer: HTTP, WebSocket, and none of it politely."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_process import PATIENCE
from page_client import PageClient, deaf_page, free_port
from viewer_process import ViewerProcess

import hyperseg_ros.viewer

PAGE = Path(hyperseg_ros.viewer.__file__).parent / "page"


@pytest.fixture(scope="module")
def viewer(tmp_path_factory):
    """A viewer that no test may harm."""
    every_line = (
        "import hyperseg_ros.viewer.page_connection as connection; connection.LOG_PERIOD = 0.001"
    )
    process = ViewerProcess(tmp_path_factory.mktemp("viewer"), every_line, max_pages=3)
    wait(lambda: process.listens)
    yield process
    assert process.running, process.said()
    assert process.stop() == 0, process.said()
    assert "Traceback" not in process.said()


def wait(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def open_page(port: int, headers: dict[str, str] | None = None) -> PageClient:
    """A page of the viewer, as soon as that has seen that enough others are gone."""
    tried: list[PageClient] = []

    def opens() -> bool:
        tried.append(PageClient(port, headers=headers))
        wait(lambda: tried[-1].texts or tried[-1].code is not None)
        return bool(tried[-1].texts)

    wait(opens)
    for refused in tried[:-1]:
        refused.close()
    return tried[-1]


def get(port: int, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    response.content = response.read()
    connection.close()
    return response


def say(port: int, text: bytes) -> bytes:
    """What comes back for a few bytes, until the other end closes or is silent for a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(text)
        connection.settimeout(1)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except OSError:
            pass
        return answer


# Files


@pytest.mark.parametrize("name", ["", *sorted(path.name for path in PAGE.iterdir())])
def test_the_page_is_served_and_may_load_nothing_from_elsewhere(viewer, name):
    response = get(viewer.port, f"/{name}")
    assert response.status == 200
    assert response.content == (PAGE / (name or "index.html")).read_bytes()
    assert "default-src 'none'" in response.getheader("Content-Security-Policy")
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert b"http://" not in response.content.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in response.content


@pytest.mark.parametrize(
    "path",
    [
        "/../site.py",
        "/..%2fsite.py",
        "/%2e%2e/site.py",
        "/page/../../site.py",
        "//etc/passwd",
        "/etc/passwd",
        "/page/index.html",
        "/index.html/../../site.py",
        "/index.html%00.py",
        "/..\\site.py",
        "/.",
        "/static/",
        "/" + "a" * 4000,
    ],
)
def test_no_other_file_can_be_reached(viewer, path):
    response = get(viewer.port, path)
    assert response.status in (400, 404)
    assert len(response.content) < 200


def test_http_proxies_get_nothing(viewer):
    assert get(viewer.port, "http://example.com/").status in (400, 403, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_there_is_nothing_to_change(viewer, method):
    assert get(viewer.port, "/", method).status == 405


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 40_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /pictures HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        b"\n" * 1000,
    ],
)
def test_malformed_requests_harm_nobody_else(viewer, text):
    answer = say(viewer.port, text)
    assert answer == b"" or answer.split(b" ")[1][:1] == b"4"
    assert get(viewer.port, "/").status == 200


# Who may connect


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1234", "127.0.0.1", "127.8.9.1", "127.1", "[::1]:8"]
)
def test_this_machine_may_name_the_viewer_as_it_likes(viewer, host):
    assert get(viewer.port, "/", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "192.168.0.7:8090", "", "[::1", "localhost.x"],
)
def test_another_name_for_this_machine_is_an_attack(viewer, host):
    response = get(viewer.port, "/", Host=host)
    assert response.status in (400, 403)
    assert b"<html" not in response.content


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_another_sites_page_gets_no_pictures(viewer, origin):
    page = PageClient(viewer.port, headers={"Origin": origin})
    wait(lambda: page.code is not None)
    page.close()
    assert page.code == 1008
    assert page.texts == []
    assert page.pictures == []


def test_its_own_page_gets_them(viewer):
    page = open_page(viewer.port, {"Origin": f"http://127.0.0.1:{viewer.port}"})
    page.close()
    assert page.texts[0]["type"] == "hello"
    assert page.texts[0]["local"] is True


def test_only_so_many_pages(viewer):
    pages = [open_page(viewer.port) for _ in range(3)]
    one_too_many = PageClient(viewer.port)
    wait(lambda: one_too_many.code is not None)
    one_too_many.close()
    assert (one_too_many.code, one_too_many.texts) == (1013, [])
    pages.pop().close()
    pages.append(open_page(viewer.port))
    for page in pages:
        page.close()


# Rubbish over the WebSocket


@pytest.fixture
def page(viewer) -> Iterator[PageClient]:
    opened = open_page(viewer.port)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("rubbish", "reason"),
    [
        ("hello", "not JSON: 'hello'"),
        (b"\x00\x01", "not a text: 2 bytes"),
        ({"type": "watch", "camera": "/etc/passwd"}, "no camera '/etc/passwd'"),
        ({"type": "watch", "camera": "\u001b[31m\nred"}, "no camera '\\x1b[31m\\nred'"),
        ({"type": "image", "frame": 10**40}, "is not here any more"),
    ],
)
def test_rubbish_is_answered_and_the_connection_goes_on(page, viewer, rubbish, reason):
    page.send(rubbish)
    wait(page.errors)
    assert reason in page.errors()[0]
    before = len(page.texts)
    wait(lambda: len(page.texts) > before)
    assert page.code is None


def test_the_log_says_what_came(viewer, page):
    page.send("what no page says")
    line = "invalid message from the page of 127.0.0.1: not JSON: 'what no page says'"
    wait(lambda: line in viewer.said())


def test_much_rubbish_ends_the_connection(page):
    for _ in range(11):
        page.send("rubbish")
    wait(lambda: page.code is not None)
    assert page.code == 1008


def test_a_flood_ends_the_connection(page, viewer):
    page.flood({"type": "drawn", "frame": 1}, 250)  # at least 125 within one second
    wait(lambda: page.code is not None)
    assert page.code == 1008
    assert get(viewer.port, "/").status == 200


def test_a_message_that_is_too_large_ends_the_connection(page):
    page.send("x" * 100_000)
    wait(lambda: page.code is not None)
    assert page.code == 1009


# The process


def test_a_taken_port_is_said_and_waited_for(graph, start_viewer):
    port = free_port()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        viewer = start_viewer(listens=False, port=port)
        graph.wait(lambda: f"port {port} of 127.0.0.1 is in use" in viewer.said(), "the complaint")
        graph.settle(2.5)
        assert viewer.said().count("is in use") == 1
        assert viewer.running
    graph.wait(lambda: "the viewer is at" in viewer.said(), "the viewer")
    assert get(port, "/").status == 200


def test_open_to_the_network_it_says_so_and_goes_by_its_own_names(start_viewer, open_page):
    viewer = start_viewer(host="0.0.0.0")
    assert "open to the network (host 0.0.0.0)" in viewer.said()
    assert get(viewer.port, "/", Host="192.168.0.7:8090").status == 200
    assert get(viewer.port, "/", Host=socket.gethostname()).status == 200
    stranger = get(viewer.port, "/", Host="evil.example")
    assert stranger.status == 403
    assert b"add its origin to allowed_origins" in stranger.content
    page = open_page(viewer)
    wait(lambda: page.texts)
    assert page.texts[0]["local"] is False


def test_behind_a_proxy_with_a_path_and_a_name_of_its_own(start_viewer, open_page):
    origin = "https://robots.example.com"
    viewer = start_viewer(base_path="/7/viewer/", allowed_origins=[origin])
    assert get(viewer.port, "/7/viewer/").status == 200
    assert get(viewer.port, "/7/viewer/main.js").status == 200
    assert get(viewer.port, "/").status == 404
    slashless = get(viewer.port, "/7/viewer")
    assert (slashless.status, slashless.getheader("Location")) == (308, "viewer/")
    slashless = get(viewer.port, "/7/viewer?token=a%26b")
    assert slashless.getheader("Location") == "viewer/?token=a%26b"
    assert get(viewer.port, "/7/viewer/", Host="robots.example.com").status == 200
    for headers in ({"Origin": origin}, {"Origin": origin, "Host": "robots.example.com"}):
        page = open_page(viewer, path="/7/viewer/pictures", headers=headers)
        wait(lambda: page.texts)  # noqa: B023
    page = open_page(viewer, path="/7/viewer/pictures", headers={"Origin": "https://evil.example"})
    wait(lambda: page.code == 1008)


def test_a_token_is_asked_for_and_kept_in_a_cookie(start_viewer, open_page):
    viewer = start_viewer(token="correct-horse")
    assert "?token=..." in viewer.said()
    assert "correct-horse" not in viewer.said()
    for path in ("/", "/main.js", "/pictures", "/?token=wrong-horse"):
        response = get(viewer.port, path)
        assert response.status == 401
        assert response.content.startswith(b"This viewer asks for a token")
    opened = get(viewer.port, "/?token=correct-horse")
    assert opened.status == 200
    cookie = opened.getheader("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    headers = {"Cookie": cookie.partition(";")[0]}
    assert get(viewer.port, "/main.js", **headers).status == 200
    page = open_page(viewer, headers=headers)
    wait(lambda: page.texts)


@pytest.mark.parametrize(
    ("host", "name"), [("127.1", "localhost"), ("127.0.0.2", "127.0.0.2"), ("::1", "localhost")]
)
def test_an_address_of_this_machine_is_what_it_is(graph, start_viewer, host, name):
    viewer = start_viewer(host=host)
    assert f"http://{name}:{viewer.port}/ (this machine only)" in viewer.said()


def test_connections_that_say_nothing_are_closed(start_viewer):
    viewer = start_viewer(
        prelude="import hyperseg_ros.viewer.site as site; site.SILENT_CONNECTION = 2.0"
    )
    mute = [socket.create_connection(("127.0.0.1", viewer.port)) for _ in range(50)]
    mute[0].sendall(b"GET / HTTP/1.1\r\nHost: loc")
    for connection in mute:
        connection.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert get(viewer.port, "/").status == 200


def test_a_page_that_does_not_answer_is_given_up_without_a_word(start_viewer):
    viewer = start_viewer(prelude="import hyperseg_ros.viewer.site as site; site.HEARTBEAT = 0.4")
    said = viewer.said()
    with deaf_page(viewer.port) as page:
        page.settimeout(PATIENCE)
        while page.recv(4096):
            pass
    wait(lambda: get(viewer.port, "/").status == 200)
    assert viewer.said() == said


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"prot": 8091}, "no parameter 'prot': did you mean 'port'?"),
        ({"port": 0}, "port 0: it must be an integer from 1 to 65535"),
        ({"port": "http"}, "port 'http': it must be an integer from 1"),
        ({"jpeg_quality": 101}, "jpeg_quality 101: it must be an integer from 1 to 100"),
        ({"host": "no.such.host.invalid"}, "host 'no.such.host.invalid' is not an address"),
        ({"image_topics": ["a b"]}, "image_topics: 'a b' is not a topic name"),
    ],
)
def test_a_parameter_that_cannot_be_ends_it_with_one_line(start_viewer, parameters, reason):
    code, said = start_viewer(listens=False, **{"port": free_port(), **parameters}).end()
    assert code == 2
    assert reason in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_pages_are_open(start_viewer, open_page, number):
    viewer = start_viewer()
    page = open_page(viewer)
    wait(lambda: page.texts)
    viewer.signal(number)
    code, said = viewer.end()
    assert code == 0, said
    assert "Traceback" not in said
    wait(lambda: page.code is not None)
    assert page.code == 1001
