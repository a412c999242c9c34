"""A part of a recording: the way of a frame through the node, with a bag at both ends."""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.frames.camera_info import fit_camera_info, image_size
from hyperseg_ros.frames.frame import Frame, SegmentedFrame
from hyperseg_ros.frames.ground_settings import ground_settings
from hyperseg_ros.frames.messages import CAMERA_INFO, Fields
from hyperseg_ros.frames.outputs import Output, new_canvas, outputs
from hyperseg_ros.frames.pixels import to_bgr
from hyperseg_ros.frames.region import WHOLE, Region
from hyperseg_ros.frames.settings import FrameSettings, masks, palette
from hyperseg_ros.frames.topics import CameraTopics
from hyperseg_ros.geometry import GeometryError
from hyperseg_ros.recordings.camera_options import body_masks, mounts, of_camera, regions
from hyperseg_ros.recordings.cameras import find_cameras
from hyperseg_ros.recordings.definitions import build, definition, serialize, types
from hyperseg_ros.recordings.errors import RecordingError, one_line
from hyperseg_ros.recordings.free_space import FreeSpaceMaker
from hyperseg_ros.recordings.lanes import Lanes
from hyperseg_ros.recordings.pipeline import Behind, ahead
from hyperseg_ros.recordings.places import remove, write_text
from hyperseg_ros.recordings.plan import (
    FREE_SPACE,
    BadImage,
    Options,
    Part,
    PartReport,
    Without,
)
from hyperseg_ros.recordings.poses import Poses
from hyperseg_ros.recordings.reading import Recording, Stored
from hyperseg_ros.recordings.writing import BagWriter, qos, writing_bag
from hyperseg_ros.runtime import Segmentation, Segmenter
from hyperseg_ros.runtime.backends import BackendLostError, EngineOptions

_LOOK_BACK = 2 * 10**9
"""Nanoseconds before a part in which its first calibration is looked for."""


@dataclass(frozen=True)
class _Pending:
    """A frame that the network is to see."""

    camera: CameraTopics
    time: int
    header: Any
    frame: Frame
    camera_info: Any


@dataclass(frozen=True)
class _Source:
    """A recording that is open, and what is known of it once for all its parts."""

    recording: Recording
    cameras: Sequence[CameraTopics]
    poses: Poses | None
    """None where no free space is asked for."""

    @classmethod
    def open(cls, part: Part, options: Options) -> _Source:
        recording = Recording(part.recording)
        try:
            cameras = find_cameras(recording, options.topics)
            poses = None
            if FREE_SPACE in options.outputs:
                poses = Poses(recording, mounts(options), options.ground_frame)
        except BaseException:
            recording.close()
            raise
        return cls(recording, cameras, poses)


class PartWorker:
    """Segments parts, one after the other; the model is loaded for the first.

    Args:
        options: how.
        threads: CPU threads of the network; 0 for one per CPU.
    """

    def __init__(self, options: Options, threads: int = 0) -> None:
        self._options = options
        self._threads = options.threads or threads
        self._source: _Source | None = None
        self._lanes: Lanes | None = None

    def run(self, part: Part) -> PartReport:
        """Segment a part; its bag and its report are at their places afterwards.

        Raises:
            RecordingError: the recording or its topics are wrong.
            OSError: the bag cannot be written.
            BackendLostError: the device failed; another try gets a new model.
        """
        remove(part.path)  # of a run that was ended before its report
        begin = time.monotonic()
        source = self._open(part)
        work = _PartWork(part, source.recording, source.cameras, source.poses, self._options)
        try:
            with writing_bag(part.path) as bag:
                without = work.run(self._load(), bag)
        except BackendLostError:
            self.close()
            raise
        seconds = time.monotonic() - begin
        report = PartReport(work.frames, tuple(work.bad), seconds, source.recording.damage, without)
        write_text(part.report_path, report.to_json())
        return report

    def _open(self, part: Part) -> _Source:
        if self._source is None or self._source.recording.path != part.recording:
            if self._source is not None:
                self._source.recording.close()
            self._source = None
            self._source = _Source.open(part, self._options)
        return self._source

    def _load(self) -> Lanes:
        if self._lanes is None:
            options = self._options
            engines = EngineOptions(device=options.device)

            def load(threads: int) -> Segmenter:
                return Segmenter.open(
                    options.model, options.backend, threads, options.precision, engines
                )

            self._lanes = Lanes.open(load, self._threads)
        return self._lanes

    def close(self) -> None:
        """Frees the model and closes the recording."""
        if self._lanes is not None:
            self._lanes.close()
        if self._source is not None:
            self._source.recording.close()
        self._lanes = self._source = None


@dataclass
class _PartWork:
    """One part on its way, and what is known of it so far."""

    part: Part
    recording: Recording
    cameras: Sequence[CameraTopics]
    poses: Poses | None
    options: Options
    frames: int = 0
    bad: list[BadImage] = field(default_factory=list)

    def run(self, lanes: Lanes, bag: BagWriter) -> tuple[Without, ...]:
        """Does it; returns the frames that lack an output."""
        settings = frame_settings(lanes.card.classes, self.options)
        writer = _Messages(bag, lanes.card.classes, settings, self.options, self.poses)
        # Closed here, or their threads would go on as long as an error's traceback is kept.
        with (
            Behind(writer.write) as behind,
            closing(ahead(self._pending(settings))) as frames,
            closing(lanes.map(_segment, _batches(frames, lanes.batch_size))) as segmented,
        ):
            for batch, results in segmented:
                if isinstance(results, Exception):
                    reason = one_line(results)
                    self.bad += [BadImage(each.camera.image, each.time, reason) for each in batch]
                    continue
                for pair in zip(batch, results, strict=True):
                    behind.put(pair)
                self.frames += len(batch)
        return writer.without

    def _pending(self, settings: FrameSettings) -> Iterator[_Pending]:
        """The frames of the part, in the order in which they were received."""
        images = {camera.image: camera for camera in self.cameras}
        infos = {camera.camera_info: camera for camera in self.cameras}
        latest = self._calibrations()
        wanted = [*images, *infos] if self._calibrated else [*images]
        for stored in self.recording.messages(wanted, self.part.start, self.part.stop):
            topic = stored.connection.topic
            if topic in images:
                camera = images[topic]
                pending = self._read(stored, camera, latest.get(camera), settings)
                if pending is not None:
                    yield pending
            elif stored.connection.msgtype == CAMERA_INFO:
                latest[infos[topic]] = stored

    @functools.cached_property
    def _regions(self) -> dict[str, Region]:
        return regions(self.options)

    @property
    def _calibrated(self) -> bool:
        """Whether an output needs the cameras' calibration."""
        return not {"camera_info", FREE_SPACE}.isdisjoint(self.options.outputs)

    def _calibrations(self) -> dict[CameraTopics, Stored]:
        """The calibration of each camera as the part begins.

        The last one of the seconds before; else the first of the recording, as of a camera whose
        calibration was recorded once.
        """
        found: dict[CameraTopics, Stored] = {}
        for camera in self.cameras if self._calibrated else ():
            topic, start = [camera.camera_info], self.part.start
            before = list(self.recording.messages(topic, start - _LOOK_BACK, start))
            first = next(self.recording.messages(topic), None) if not before else None
            stored = before[-1] if before else first
            if stored is not None and stored.connection.msgtype == CAMERA_INFO:
                found[camera] = stored
        return found

    def _read(
        self,
        stored: Stored,
        camera: CameraTopics,
        camera_info: Stored | None,
        settings: FrameSettings,
    ) -> _Pending | None:
        try:
            message = self.recording.decode(stored)
            image = to_bgr(message)
            region = of_camera(self._regions, camera, WHOLE).within(*image.shape[:2])
            header = ros2_header(message.header)
        except ValueError as error:
            self.bad.append(BadImage(camera.image, stored.time, one_line(error)))
            return None
        info = None if camera_info is None else self._decode_info(camera_info)
        return _Pending(camera, stored.time, header, Frame(image, *region, settings), info)

    def _decode_info(self, stored: Stored) -> Any:
        """A calibration, of ROS 1 too, with ROS 2's names; None where the bytes are none."""
        try:
            info = self.recording.decode(stored)
        except RecordingError:
            return None
        fields = {**ros2_camera_info(info), "header": ros2_header(info.header)}
        return build(CAMERA_INFO, fields)


def _batches(frames: Iterable[_Pending], size: int) -> Iterator[list[_Pending]]:
    """As many frames as the network takes in one call; the last may be fewer."""
    left = iter(frames)
    while batch := list(itertools.islice(left, size)):
        yield batch


def _segment(
    segmenter: Segmenter, batch: list[_Pending]
) -> tuple[list[_Pending], list[Segmentation] | Exception]:
    """A batch, and what became of it: an error where another batch may do better."""
    try:
        return batch, segmenter.segment([each.frame.region for each in batch], True)
    except BackendLostError:
        raise
    except Exception as error:
        return batch, error


class _Messages:
    """Writes what is made of each frame."""

    def __init__(
        self,
        bag: BagWriter,
        classes: ClassTable,
        settings: FrameSettings,
        options: Options,
        poses: Poses | None,
    ) -> None:
        self._bag = bag
        self._camera_info = "camera_info" in options.outputs
        made = outputs(classes, options.outputs, settings.masks)
        self._free_space: FreeSpaceMaker | None = None
        if poses is not None:
            ground = ground_settings(classes, options.ground_classes)
            bodies = body_masks(options)
            self._free_space = FreeSpaceMaker(ground, poses, options.ground_frame, bodies)
        self._without: Counter[tuple[str, str]] = Counter()
        # In a bag a PNG of what is there raw would be the same twice.
        self._outputs = [output for output in made if not output.name.endswith("/compressed")]

    def write(self, segmented: tuple[_Pending, Segmentation]) -> None:
        pending, result = segmented
        frame = SegmentedFrame(pending.frame, result)
        for output in self._outputs:
            fields = output.fields(frame, new_canvas)
            self._add(pending, output.name, output.type, {"header": pending.header, **fields})
        info = pending.camera_info
        fits = info is not None and image_size(info) == pending.frame.image.shape[:2]
        if self._camera_info and fits:
            self._add(pending, "camera_info", CAMERA_INFO, self._info(pending, frame))
        if self._free_space is not None:
            self._write_free_space(self._free_space, pending, frame)

    def _write_free_space(
        self, maker: FreeSpaceMaker, pending: _Pending, frame: SegmentedFrame
    ) -> None:
        camera, header, info = pending.camera, pending.header, pending.camera_info
        try:
            for name, kind, fields in maker.messages(camera, header, frame, info):
                self._add(pending, name, kind, fields)
        except GeometryError as error:
            self._without[camera.image, one_line(error)] += 1

    @property
    def without(self) -> tuple[Without, ...]:
        """The frames that lack an output."""
        return tuple(
            Without(topic, FREE_SPACE, reason, frames)
            for (topic, reason), frames in self._without.items()
        )

    @staticmethod
    def _info(pending: _Pending, frame: SegmentedFrame) -> Fields:
        info = pending.camera_info
        if pending.frame.settings.at_input_size:
            height, width = frame.labels.shape
            rows, columns = pending.frame.rows, pending.frame.columns
            info = fit_camera_info(info, rows, columns, (height, width))
        return {**ros2_camera_info(info), "header": pending.header}

    def _add(self, pending: _Pending, name: str, kind: str, fields: Fields) -> None:
        connection = self._bag.add(pending.camera.output(name), kind, *definition(kind), [qos()])
        self._bag.write(connection, pending.time, serialize(kind, fields))


def frame_settings(classes: ClassTable, options: Options) -> FrameSettings:
    """What the outputs of every frame depend on.

    Raises:
        ValueError: a mask is of no class of the model.
    """
    return FrameSettings(
        palette(classes),
        masks(classes, options.masks),
        overlay_opacity=options.overlay_opacity,
        min_confidence=options.min_confidence,
        at_input_size=options.at_input_size,
    )


def output_topics(classes: ClassTable, options: Options) -> list[Output]:
    """The outputs of each camera that a run writes."""
    return list(outputs(classes, options.outputs, frame_settings(classes, options).masks))


def ros2_header(header: Any) -> Any:
    """A header of ROS 1 or ROS 2 as one of ROS 2."""
    stamp = {"sec": header.stamp.sec, "nanosec": header.stamp.nanosec}
    return build("std_msgs/msg/Header", {"stamp": stamp, "frame_id": header.frame_id})


def ros2_camera_info(info: Any) -> Fields:
    """The fields of a CameraInfo of ROS 1, where matrices have capital names, or ROS 2."""
    fields = {}
    for name in _camera_info_names():
        value = getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())
        fields[name] = value
    roi = fields["roi"]
    names = ("x_offset", "y_offset", "height", "width", "do_rectify")
    return {**fields, "roi": {name: getattr(roi, name) for name in names}}


@functools.cache
def _camera_info_names() -> list[str]:
    _, definition = types().fielddefs[CAMERA_INFO]
    return [name for name, _ in definition if name != "header"]
