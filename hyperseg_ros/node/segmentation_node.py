"""The lifecycle node: what exists in which state, and how a failure leaves nothing half-started."""

from __future__ import annotations

import functools
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType, JumpHandle, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_srvs.srv import SetBool

from hyperseg_ros.frames.outputs import OUTPUTS
from hyperseg_ros.frames.settings import EVERYTHING
from hyperseg_ros.frames.topics import CameraTopics, name_cameras
from hyperseg_ros.node.camera import Camera, PendingFrame, segment
from hyperseg_ros.node.compatibility import LabelInfo, TolerantLifecycleNode
from hyperseg_ros.node.declared_parameters import ParameterError, check_live
from hyperseg_ros.node.diagnostics import ERROR, MODEL, OK, WARN, Diagnostics, Health, Key
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.parameter_node import ParameterNode
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.node.scheduling import RoundRobin
from hyperseg_ros.node.settings import Settings, settle
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.backends import DeviceLostError, EngineOptions

PULSE = 1.0
"""Seconds between two looks at the health of everything."""
EXIT_PATIENCE = 1.0
"""Seconds that the frame at work may take when the process ends."""

Transition = Callable[["SegmentationNode", LifecycleState], TransitionCallbackReturn]


def _says_what_failed(transition: Transition) -> Transition:
    """rclpy turns an exception in a transition into an error without a word."""

    @functools.wraps(transition)
    def logged(node: SegmentationNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.failed(f"{transition.__name__}: {error}", error)
            return TransitionCallbackReturn.ERROR

    return logged


class SegmentationNode(ParameterNode[Parameters], TolerantLifecycleNode):
    """Segments the images of one or several cameras.

    - unconfigured: only parameters, services and /diagnostics.
    - inactive: the model is loaded, the outputs are advertised.
    - active: cameras are subscribed to and served in turn by one inference thread, unless the
      service `~/enable` has switched that off.

    With the parameter `autostart` the node brings itself to active as soon as it spins. If that
    fails, the reason is logged, /diagnostics says ERROR, and the node stays unconfigured, where
    its parameters can be set right and `configure` tried again. There it also ends up when the
    network does not come back from a frame within `watchdog_timeout`.

    Args:
        load: loads the model; has the arguments of `Segmenter.open`.
        options: as rclpy's nodes take them.

    Raises:
        ParameterError: a given parameter is unknown or cannot have the given value.
    """

    def __init__(self, load: Callable[..., Segmenter] = Segmenter.open, **options: Any) -> None:
        super().__init__(Parameters, "segmentation", **options)
        self._load = load
        self._segmenter: Segmenter | None = None
        self._settings: Settings | None = None
        self._cameras: list[Camera] = []
        self._inference: RoundRobin[PendingFrame] | None = None
        self._active = False
        self._enabled = True
        self.device_lost = False
        """Whether the device is lost to this process, so that only another one can go on."""
        self._failure = ""
        self._broken = False
        self._namesakes = 0
        self._jumps: JumpHandle | None = None
        self._endpoints = Endpoints(self)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self._jumps = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1)),
            post_callback=self._on_clock_jump,
        )
        self._diagnostics = Diagnostics(self)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # does not wait for a simulation
        self.create_timer(PULSE, self._pulse, clock=steady)
        if self.get_parameter("autostart").value:
            self._autostart = self.create_timer(0.0, self._start_by_itself, clock=steady)

    # Transitions

    @_says_what_failed
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model and advertises the outputs; a failure frees everything."""
        try:
            self._configure(self.parameters)
        except Exception as error:
            self._release()
            self.failed(f"cannot configure: {error}", error)
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        return TransitionCallbackReturn.SUCCESS

    @_says_what_failed
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribes to the cameras, unless disabled."""
        self._active = True
        if self._enabled:
            self._begin()
            for name in self._endpoints.unused_overrides():
                self.get_logger().warning(f"{name} is of no topic that this node has")
        return super().on_activate(state)

    @_says_what_failed
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes, and lets the frame at work finish."""
        self._active = False
        self._halt()
        if self._broken:
            return TransitionCallbackReturn.ERROR
        return super().on_deactivate(state)

    @_says_what_failed
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the model and takes the outputs back."""
        self._release()
        return super().on_cleanup(state)

    @_says_what_failed
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees everything, from any state."""
        self._release()
        return super().on_shutdown(state)

    @_says_what_failed
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees everything: the node is unconfigured again and may be tried anew."""
        self._release()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Frees everything, whatever the state; a network that hangs is left to the process."""
        try:
            self._release(patience=EXIT_PATIENCE)
        except TimeoutError as error:
            self.get_logger().error(str(error))
        if self._jumps is not None:
            self._jumps.unregister()
        super().destroy_node()

    def failed(self, message: str, error: Exception | None = None) -> None:
        """Logs a failure, for which /diagnostics says ERROR until the node is configured anew."""
        self._failure = message
        self.device_lost = self.device_lost or isinstance(error, DeviceLostError)
        if error is not None and not isinstance(error, ValueError):  # nothing a user got wrong
            message += f"\n{traceback.format_exc()}"
        self.get_logger().error(message)

    # What the transitions do

    def _configure(self, parameters: Parameters) -> None:
        topics = name_cameras(self._image_topics(parameters))
        self._segmenter = segmenter = self._load(
            parameters.model,
            parameters.backend,
            parameters.threads,
            parameters.precision,
            engines=EngineOptions(
                _cache_folder(parameters.engine_cache),
                parameters.engine_workspace << 20,
                parameters.gpu,
                notify=self.get_logger().info,
            ),
        )
        self._settings = settle(parameters, segmenter.card.classes, topics, self._resolve)
        self._create_cameras(topics, parameters, segmenter)
        self.get_logger().info(
            f"{segmenter.card.name} on {segmenter.backend_name} ({segmenter.device}, "
            f"{segmenter.precision}; {segmenter.reason}), {len(segmenter.card.classes)} classes; "
            f"cameras: {', '.join(names.image for names in topics)}"
        )
        if LabelInfo is None and {EVERYTHING, "label_info"} & set(parameters.outputs):
            self.get_logger().warning("vision_msgs is not installed: label_info is not published")

    def _create_cameras(
        self, topics: Sequence[CameraTopics], parameters: Parameters, segmenter: Segmenter
    ) -> None:
        names = OUTPUTS if EVERYTHING in parameters.outputs else parameters.outputs
        output_qos = _qos(parameters.output_reliability, parameters.output_depth)
        for camera in topics:
            outputs = Outputs(
                self,
                self._endpoints,
                camera,
                segmenter.card.classes,
                names,
                self._present_settings().frame.masks,
                output_qos,
            )
            self._cameras.append(
                Camera(
                    self,
                    self._endpoints,
                    camera,
                    outputs,
                    parameters,
                    self._present_settings,
                )
            )

    def _begin(self) -> None:
        assert self._segmenter is not None
        self._inference = RoundRobin(
            [camera.take for camera in self._cameras],
            functools.partial(segment, self._segmenter),
            self._segmenter.batch_size,
        )
        self._inference.start()
        for camera in self._cameras:
            camera.start(self._inference.notify)

    def _halt(self, patience: float = math.inf) -> None:
        """Waits for the frame at work until the watchdog would give up on it, then unsubscribes.

        In this order, since the thread that publishes must not meet endpoints on their way out.
        """
        inference, self._inference = self._inference, None
        try:
            if inference is not None:
                left = self.get_parameter("watchdog_timeout").value - inference.busy_for
                inference.stop(max(0.0, min(patience, left)))
        except TimeoutError:
            self._segmenter = None  # closing it would wait for the thread that hangs in it
            raise
        finally:
            for camera in self._cameras:
                camera.stop()

    def _release(self, patience: float = math.inf) -> None:
        self._active = False
        try:
            self._halt(patience)
        finally:
            for camera in self._cameras:
                camera.destroy()
            self._cameras = []
            if self._segmenter is not None:
                self._segmenter.close()
                self._segmenter = None
            self._settings = None

    def _start_by_itself(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _image_topics(self, parameters: Parameters) -> list[str]:
        try:
            return [self._resolve(topic) for topic in parameters.image_topics]
        except ValueError as error:
            raise ParameterError(f"image_topics: {error}") from error

    def _resolve(self, topic: str) -> str:
        try:
            return self.resolve_topic_name(topic)
        except Exception as error:  # rclpy has several for this, not all of them public
            raise ValueError(f"{topic!r} is no topic name: {error}") from error

    # Changes while it runs

    def _present_settings(self) -> Settings:
        assert self._settings is not None
        return self._settings

    def parameters_change(self, current: Parameters, new: Parameters) -> None:
        """Applies what may change while the node is configured, and refuses the rest."""
        if self._segmenter is not None:
            check_live(current, new)
            self._apply(new)

    def _apply(self, parameters: Parameters) -> None:
        """Exchanges the settings, or leaves them all as they are."""
        assert self._segmenter is not None
        before = self._present_settings()
        topics = [camera.topics for camera in self._cameras]
        settings = settle(parameters, self._segmenter.card.classes, topics, self._resolve)
        if settings.frame.masks.keys() != before.frame.masks.keys():
            raise ParameterError(
                "mask_groups: topics come and go with a configuration only: deactivate and "
                "cleanup the node, then set it"
            )
        for camera in self._cameras:
            region = settings.regions[camera.topics.image]
            if region != before.regions[camera.topics.image]:
                camera.check(region)
        self._settings = settings
        if settings.frame.min_confidence != before.frame.min_confidence:
            for camera in self._cameras:
                camera.announce()

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Switches the cameras on or off, now if the node is active, else once it is."""
        changed = request.data != self._enabled
        self._enabled = request.data
        if changed and self._active:
            try:
                if self._enabled:
                    self._begin()
                else:
                    self._halt()
            except Exception as error:
                self._give_up(str(error))
                response.message = str(error)
                return response
        response.success = True
        response.message = "enabled" if self._enabled else "disabled"
        if not self._active:
            response.message += ", as soon as the node is active"
        return response

    def _on_clock_jump(self, jump: TimeJump) -> None:
        self.get_logger().info(f"the clock has jumped by {jump.delta.nanoseconds / 1e9:.3f} s")
        for camera in self._cameras:
            camera.clock_jumped()

    # Health

    def _pulse(self) -> None:
        self._watch_inference()
        self._look_for_namesakes()
        for camera in self._cameras:
            camera.follow_publishers()
        self._diagnostics.publish(self._examine())

    def _watch_inference(self) -> None:
        if self._inference is None:
            return
        busy_for = self._inference.busy_for
        if busy_for > self.get_parameter("watchdog_timeout").value:
            self._give_up(f"decoding, segmenting or publishing has taken {busy_for:.1f} s")
        elif not self._inference.alive:
            self._give_up("the inference thread has ended")
        elif self._segmenter is not None and self._segmenter.lost:
            self.device_lost = self.device_lost or self._segmenter.device_lost
            self._give_up(self._segmenter.lost)

    def _give_up(self, reason: str) -> None:
        """Goes to the state unconfigured by way of an error, as life cycles have it."""
        self._broken = True
        self.trigger_deactivate()
        self._broken = False
        self.failed(f"{reason}: configure the node again, or restart it")

    def _look_for_namesakes(self) -> None:
        us = (self.get_name(), self.get_namespace())
        namesakes = self.get_node_names_and_namespaces().count(us) - 1
        if namesakes > self._namesakes:
            self.get_logger().warning(
                f"{namesakes} other node(s) are called {self.get_fully_qualified_name()}: "
                "parameters and transitions will reach any of them; give each its own namespace"
            )
        self._namesakes = namesakes

    def _examine(self) -> Iterator[Health]:
        level, message, values = OK, "active" if self._active else "inactive", {}
        if self._segmenter is None:
            level, message = (ERROR, self._failure) if self._failure else (WARN, "not loaded")
        else:
            if self._active and not self._enabled:
                message = "disabled by the service enable"
            values = {
                Key.MODEL: self._segmenter.card.name,
                Key.BACKEND: self._segmenter.backend_name,
                Key.DEVICE: self._segmenter.device,
                Key.PRECISION: self._segmenter.precision,
                Key.BATCH_SIZE: str(self._segmenter.batch_size),
                Key.REASON: self._segmenter.reason,
                Key.ENGINE_CACHE: "none",
                **self._segmenter.details,
            }
        if self._namesakes > 0:
            level = max(level, WARN)
            message += f"; {self._namesakes} other node(s) have the name of this one"
        yield Health(MODEL, level, message, values, hardware=values.get(Key.DEVICE, ""))
        for camera in self._cameras:
            yield camera.health()


def _qos(reliability: str, depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy[reliability.upper()])


def _cache_folder(text: str) -> Path | None:
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError as error:
        raise ParameterError(f"engine_cache: {text!r} is no folder: {error}") from None
