"""A drive as frames: the simulated street, a video, a recording, images or a video device."""

from hyperseg_ros.demo.sources.drive import DEFAULT_RATE, Drive, Frame, SourceError
from hyperseg_ros.demo.sources.source import open_source
from hyperseg_ros.demo.sources.street import SIMULATED

__all__ = ["DEFAULT_RATE", "SIMULATED", "Drive", "Frame", "SourceError", "open_source"]
