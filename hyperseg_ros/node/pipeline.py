"""What a configured node has: the model, the cameras and their outputs, the inference thread."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from hyperseg_ros.frames.body_mask import BodyMask
from hyperseg_ros.frames.ground_settings import mount
from hyperseg_ros.frames.outputs import OUTPUTS
from hyperseg_ros.frames.settings import EVERYTHING
from hyperseg_ros.frames.topics import DEFAULT, CameraTopics, name_cameras
from hyperseg_ros.node.camera import Camera, PendingFrame, segment
from hyperseg_ros.node.compatibility import LabelInfo
from hyperseg_ros.node.declared_parameters import ParameterError
from hyperseg_ros.node.diagnostics import Health, Key
from hyperseg_ros.node.metric_outputs import FREE_SPACE, POINTS, MetricOutputs, MetricSettings
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.scheduling import RoundRobin
from hyperseg_ros.node.settings import Settings, by_camera, ground_settings, settle
from hyperseg_ros.node.transforms import Transforms
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.backends import EngineOptions


class Pipeline:
    """Images in, outputs out: made when the node is configured, started when it is active.

    Args:
        node: the node that subscribes and publishes.
        endpoints: creates subscriptions and publishers.
        parameters: of the node.
        load: loads the model; has the arguments of `Segmenter.open`.

    Raises:
        ValueError: a parameter, or the model file, is wrong; nothing is left behind.
        RuntimeError: the model cannot be run.
    """

    def __init__(
        self,
        node: Node,
        endpoints: Endpoints,
        parameters: Parameters,
        load: Callable[..., Segmenter],
    ) -> None:
        self._node = node
        self._endpoints = endpoints
        self.cameras: list[Camera] = []
        self._transforms: Transforms | None = None
        self.troubles: list[str] = []
        """What is wrong with the configuration, though labels are published; a clause each."""
        self._inference: RoundRobin[PendingFrame] | None = None
        topics = name_cameras(self._image_topics(parameters))
        self._segmenter: Segmenter | None = load(
            parameters.model,
            parameters.backend,
            parameters.threads,
            parameters.precision,
            engines=EngineOptions(
                _cache_folder(parameters.engine_cache),
                parameters.engine_workspace << 20,
                parameters.gpu,
                parameters.device,
                notify=node.get_logger().info,
            ),
        )
        try:
            self._classes = self._segmenter.card.classes
            self._settings = settle(parameters, self._classes, topics, self._resolve)
            self._create_cameras(topics, parameters)
        except BaseException:
            self.close()
            raise
        self._introduce(self._segmenter, parameters)

    def _image_topics(self, parameters: Parameters) -> list[str]:
        try:
            return [self._resolve(topic) for topic in parameters.image_topics]
        except ValueError as error:
            raise ParameterError(f"image_topics: {error}") from error

    def _resolve(self, topic: str) -> str:
        try:
            resolved: str = self._node.resolve_topic_name(topic)
        except Exception as error:  # rclpy has several for this, not all of them public
            raise ValueError(f"{topic!r} is no topic name: {error}") from error
        return resolved

    def _create_cameras(self, topics: Sequence[CameraTopics], parameters: Parameters) -> None:
        names = OUTPUTS if EVERYTHING in parameters.outputs else parameters.outputs
        qos = QoSProfile(
            depth=parameters.output_depth,
            reliability=ReliabilityPolicy[parameters.output_reliability.upper()],
        )
        masks = self.settings().frame.masks
        metric = self._metric_settings(topics, parameters, names)
        for camera in topics:
            outputs = Outputs(self._node, self._endpoints, camera, self._classes, names, masks, qos)
            try:
                in_metres = MetricOutputs(
                    self._node, self._endpoints, camera, metric[camera.image], qos
                )
            except Exception:
                outputs.destroy()
                raise
            self.cameras.append(
                Camera(
                    self._node,
                    self._endpoints,
                    camera,
                    outputs,
                    in_metres,
                    parameters,
                    self.settings,
                )
            )

    def _metric_settings(
        self, topics: Sequence[CameraTopics], parameters: Parameters, names: Sequence[str]
    ) -> dict[str, MetricSettings]:
        """Of each camera, by image topic. What is wrong with them does not keep labels back."""
        images = [camera.image for camera in topics]
        ground, transforms = None, None
        bodies: dict[str, BodyMask] = {}
        depth: dict[str, str] = {}
        try:
            if FREE_SPACE in names and self._has_ground(parameters):
                ground = ground_settings(parameters, self._classes)
                if not parameters.ground_frame:
                    raise ParameterError("ground_frame is empty: scan and grid need a frame")
                mounts = by_camera("mount", parameters.mount, mount, images, self._resolve)
                bodies = by_camera(
                    "body_masks", parameters.body_masks, BodyMask.read, images, self._resolve
                )
                transforms = self._transforms = Transforms(
                    self._node, parameters.ground_frame, mounts, parameters.mount_broadcast
                )
        except ValueError as error:
            ground = None
            self._tell_trouble(f"no {FREE_SPACE}: {error}")
        try:
            if POINTS in names:
                depth = by_camera(
                    "depth_topics", parameters.depth_topics, self._resolve, images, self._resolve
                )
        except ValueError as error:
            self._tell_trouble(f"no {POINTS}: {error}")
        return {
            image: MetricSettings(
                ground,
                transforms,
                bodies.get(image, bodies.get(DEFAULT)),
                depth.get(image, depth.get(DEFAULT, "")),
                parameters.depth_tolerance,
            )
            for image in images
        }

    def _tell_trouble(self, trouble: str) -> None:
        self.troubles.append(trouble)
        self._node.get_logger().error(trouble)

    def _has_ground(self, parameters: Parameters) -> bool:
        """Whether free space is possible, or was asked for by name."""
        asked = parameters.ground_classes or EVERYTHING not in parameters.outputs
        if asked or self._classes.ground:
            return True
        self._node.get_logger().info(
            "no free_space: the model's card names no ground classes, see ground_classes"
        )
        return False

    def _introduce(self, segmenter: Segmenter, parameters: Parameters) -> None:
        logger = self._node.get_logger()
        logger.info(
            f"{segmenter.card.name} on {segmenter.backend_name} ({segmenter.device}, "
            f"{segmenter.precision}; {segmenter.reason}), {len(self._classes)} classes; "
            f"cameras: {', '.join(camera.topics.image for camera in self.cameras)}"
        )
        if LabelInfo is None and {EVERYTHING, "label_info"} & set(parameters.outputs):
            logger.warning("vision_msgs is not installed: label_info is not published")

    # From start to close

    def start(self) -> None:
        """Starts the inference thread, then subscribes to the cameras."""
        assert self._segmenter is not None
        self._inference = RoundRobin(
            [camera.take for camera in self.cameras],
            functools.partial(segment, self._segmenter),
            self._segmenter.batch_size,
        )
        self._inference.start()
        for camera in self.cameras:
            camera.start(self._inference.notify)

    def stop(self, watchdog_timeout: float, patience: float = math.inf) -> None:
        """Waits for the frame at work, then unsubscribes.

        In this order, since the thread that publishes must not meet endpoints on their way out.

        Args:
            watchdog_timeout: seconds that the frame may have taken in all.
            patience: seconds to wait at most.

        Raises:
            TimeoutError: the frame is not finished; the model is left to its thread.
        """
        inference, self._inference = self._inference, None
        try:
            if inference is not None:
                inference.stop(max(0.0, min(patience, watchdog_timeout - inference.busy_for)))
        except TimeoutError:
            self._segmenter = None  # closing it would wait for the thread that hangs in it
            raise
        finally:
            for camera in self.cameras:
                camera.stop()
            if self._transforms is not None:
                self._transforms.listen(False)

    def close(self) -> None:
        """Frees the model and takes the outputs back; to be stopped before."""
        for camera in self.cameras:
            camera.destroy()
        self.cameras = []
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None
        if self._segmenter is not None:
            self._segmenter.close()
            self._segmenter = None

    # While it runs

    def settings(self) -> Settings:
        """The current settings."""
        return self._settings

    def apply(self, parameters: Parameters) -> None:
        """Exchanges the settings, or leaves them all as they are.

        Raises:
            ParameterError: a parameter is wrong, or needs a new configuration.
        """
        before = self._settings
        topics = [camera.topics for camera in self.cameras]
        settings = settle(parameters, self._classes, topics, self._resolve)
        if settings.frame.masks.keys() != before.frame.masks.keys():
            raise ParameterError(
                "mask_groups: topics come and go with a configuration only: deactivate and "
                "cleanup the node, then set it"
            )
        for camera in self.cameras:
            region = settings.regions[camera.topics.image]
            if region != before.regions[camera.topics.image]:
                camera.check(region)
        self._settings = settings
        if settings.frame.min_confidence != before.frame.min_confidence:
            for camera in self.cameras:
                camera.announce()

    def clock_jumped(self) -> None:
        """Starts over after the clock has jumped back."""
        for camera in self.cameras:
            camera.clock_jumped()
        if self._transforms is not None:
            self._transforms.clock_jumped()

    def follow_publishers(self) -> None:
        """Resubscribes where publishers, or the subscribers of the outputs, have changed."""
        for camera in self.cameras:
            camera.follow_publishers()
        if self._transforms is not None:
            self._transforms.listen(any(camera.wants_pose for camera in self.cameras))

    def failure(self, watchdog_timeout: float) -> str:
        """Why frames do not get through any more, a sentence; empty as long as they do.

        Args:
            watchdog_timeout: seconds that a frame may take.
        """
        if self._inference is None:
            return ""
        busy_for = self._inference.busy_for
        if busy_for > watchdog_timeout:
            return f"decoding, segmenting or publishing has taken {busy_for:.1f} s"
        if not self._inference.alive:
            return "the inference thread has ended"
        return self._segmenter.lost if self._segmenter is not None else ""

    @property
    def device_lost(self) -> bool:
        """Whether the device is lost to this process, so that only another one can go on."""
        return self._segmenter is not None and self._segmenter.device_lost

    def model_values(self) -> dict[str, str]:
        """What /diagnostics says of the model."""
        segmenter = self._segmenter
        if segmenter is None:
            return {}
        return {
            Key.MODEL: segmenter.card.name,
            Key.BACKEND: segmenter.backend_name,
            Key.DEVICE: segmenter.device,
            Key.PRECISION: segmenter.precision,
            Key.BATCH_SIZE: str(segmenter.batch_size),
            Key.REASON: segmenter.reason,
            Key.ENGINE_CACHE: "none",
            **segmenter.details,
        }

    def health(self) -> Iterator[Health]:
        """Of each camera, since the last time this was asked."""
        for camera in self.cameras:
            yield camera.health()


def _cache_folder(text: str) -> Path | None:
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError as error:
        raise ParameterError(f"engine_cache: {text!r} is no folder: {error}") from None
