"""Connects the ROS thread with the event loop that serves the pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import LaserScan

from hyperseg_ros.frames.pixels import ImageError
from hyperseg_ros.viewer import protocol
from hyperseg_ros.viewer.parameters import Parameters
from hyperseg_ros.viewer.picture import Picture
from hyperseg_ros.viewer.viewer_node import ViewerNode

PERIOD = 1.0
"""Seconds between two looks at the graph while a page is open."""

Result = TypeVar("Result")


class Hub:
    """Spins the node in a thread of its own, and notifies the open pages of what is new.

    While no page is open, nothing happens in either thread. Pictures are converted by one thread,
    each once, however many pages show it: so the viewer takes one core at most.

    Everything but `stop` is for the loop.

    Raises:
        ParameterError: a parameter of the node is invalid.
    """

    def __init__(self) -> None:
        self.state = ""
        """The newest state of everything, as it is sent; empty before the first."""
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="viewer pictures")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[Callable[[], None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._cameras: set[str] = set()
        self._stopping = threading.Event()
        self._node = ViewerNode(self._on_picture, self._on_change, self._worker)
        self.parameters: Parameters = self._node.parameters
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="viewer ROS", daemon=True)

    @property
    def logger(self) -> Any:
        """The node's."""
        return self._node.get_logger()

    def start(self) -> None:
        """Begins to spin; called from the loop that the pages are served by."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and destroys the node."""
        self._stopping.set()
        self._executor.create_task(lambda: None)  # wakes it
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        self._worker.shutdown()

    # Pages

    def join(self, listener: Callable[[], None]) -> None:
        """A page is open; `listener` is called, in the loop, when anything is new."""
        self._listeners.add(listener)
        if self._looking is None:
            self._in_ros(self._node.open)
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def leave(self, listener: Callable[[], None]) -> None:
        """A page is gone."""
        self._listeners.discard(listener)
        if not self._listeners and self._looking is not None:
            self._looking.cancel()
            self._looking = None
            self.state = ""
            self._in_ros(self._node.close)

    def watch(self, camera: str) -> None:
        """One page more shows this camera.

        Raises:
            ValueError: there is no such camera.
        """
        if camera not in self._cameras:
            known = ", ".join(sorted(self._cameras)) or "none yet"
            raise ValueError(f"no camera {camera!a}: the cameras are {known}")
        self._in_ros(self._node.watch, camera)
        self._in_ros(self._look_in_ros)

    def unwatch(self, camera: str) -> None:
        """One page less shows this camera."""
        self._in_ros(self._node.unwatch, camera)

    def watch_scan(self, camera: str) -> None:
        """One page more shows the free space of a camera that it watches."""
        self._in_ros(self._node.watch_scan, camera)
        self._in_ros(self._look_in_ros)

    def unwatch_scan(self, camera: str) -> None:
        """One page less shows it."""
        self._in_ros(self._node.unwatch_scan, camera)
        self._in_ros(self._look_in_ros)

    def latest_scan(self, camera: str) -> LaserScan | None:
        """The newest free space of a camera that some page shows."""
        return self._node.latest_scan(camera)

    def latest(self, camera: str) -> Picture | None:
        """The newest picture of a camera that some page shows."""
        return self._node.latest(camera)

    async def encode(self, camera: str, picture: Picture) -> bytes | None:
        """A picture as it is sent, or None where it cannot be shown, which the pages are told."""
        try:
            encoded = await self._work(picture.encode, self.parameters.jpeg_quality)
        except Exception as error:  # whatever is wrong with this picture, the next one may be good
            self._in_ros(self._node.cannot_show, camera, str(error) or repr(error))
            return None
        return protocol.picture_message(camera, picture, encoded)

    async def encode_image(self, picture: Picture) -> bytes:
        """The camera image of a picture as it is sent without loss.

        Raises:
            ImageError: there is none.
        """
        try:
            png = await self._work(picture.image_png)
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(str(error) or repr(error)) from error
        return protocol.image_message(picture.number, png)

    # Threads

    def _work(self, job: Callable[..., Result], *arguments: Any) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(self._worker, job, *arguments)

    async def _look(self) -> None:
        while True:
            self._in_ros(self._look_in_ros)
            await asyncio.sleep(PERIOD)

    def _look_in_ros(self) -> None:
        cameras = self._node.look()
        self._in_loop(self._tell, cameras)

    def _tell(self, cameras: dict[str, Any]) -> None:
        if self._looking is not None:
            self._cameras = set(cameras)
            self.state = protocol.state(cameras)
            self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    def _on_picture(self) -> None:
        self._in_loop(self._notify)

    def _on_change(self) -> None:
        self._in_ros(self._look_in_ros)

    def _in_loop(self, job: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(job, *arguments)

    def _in_ros(self, job: Callable[..., Any], *arguments: Any) -> None:
        def guarded() -> None:
            try:
                job(*arguments)
            except Exception as error:  # one camera's trouble is not the viewer's end
                self.logger.error(f"{job.__name__}: {error!r}")

        self._executor.create_task(guarded)

    def _spin(self) -> None:
        while not self._stopping.is_set():
            try:
                self._executor.spin_once()
            except Exception as error:
                if self._stopping.is_set():
                    return
                self.logger.error(f"{error!r}")
