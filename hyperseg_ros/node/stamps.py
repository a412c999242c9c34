"""The stamps of a camera's images: whether they make sense, and how old an image is."""

from __future__ import annotations

from collections.abc import Callable

from std_msgs.msg import Header

from hyperseg_ros.node.throttled_log import LOG_PERIOD, ThrottledLog


class Stamps:
    """Checks the stamps of one camera.

    Args:
        topic: of the images.
        now: the node's time, in nanoseconds; 0 before a simulation has a time.
        log: of the camera.
    """

    def __init__(self, topic: str, now: Callable[[], int], log: ThrottledLog) -> None:
        self._topic = topic
        self._log = log
        self._now = now
        self._last: int | None = None

    def check(self, header: Header) -> None:
        """Warns of a stamp that is missing, or older than that of the image before."""
        stamp, last = nanoseconds(header), self._last
        if stamp <= 0:
            what = f"a stamp below zero, {stamp / 1e9:.3f} s" if stamp else "no stamp"
            self._log.warning(
                "no stamp",
                f"images of {self._topic} have {what}: planners cannot join their labels with "
                "other data; let the camera's driver stamp them",
                10 * LOG_PERIOD,
            )
            return
        self._last = stamp
        if last is not None and stamp < last:
            self._log.warning(
                "stamps run backwards",
                f"stamps of {self._topic} run backwards, by {(last - stamp) / 1e9:.3f} s: a "
                "recording that starts again, or two publishers",
            )

    def forget(self) -> None:
        """The clock has jumped: the next stamp is compared with none before it."""
        self._last = None

    def age_ms(self, header: Header) -> float | None:
        """From the stamp until now; None without a stamp, or before a simulation has a time."""
        stamp, now = nanoseconds(header), self._now()
        return (now - stamp) / 1e6 if stamp > 0 and now > 0 else None


def nanoseconds(header: Header) -> int:
    """Of the stamp; below 0 where a driver made a mistake, which rclpy's Time refuses."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)
