"""A signal that asks a program to end, kept until the program is ready for it."""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """The first SIGINT or SIGTERM of this process. Those after it are ignored.

    Python's own handler raises KeyboardInterrupt wherever the program is, be it in the middle of a
    library that is left in disorder, or of a frame that is to be recorded as a whole.
    """

    def __init__(self) -> None:
        self._pending = False

    def listen(self) -> None:
        """Keep the signals from now on."""
        for number in _SIGNALS:
            signal.signal(number, self._keep)

    def raise_pending(self) -> None:
        """Let a signal that has come end what the program does.

        Raises:
            KeyboardInterrupt: once, if a signal has come.
        """
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    @staticmethod
    def ignore() -> None:
        """Ignore the signals from now on: the process ends anyway."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        # Under `ros2 launch` a Ctrl-C arrives twice, then SIGTERM.
        self.ignore()
        self._pending = True
