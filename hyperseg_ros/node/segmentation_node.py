"""The lifecycle node: what exists in which state, and how a failure leaves nothing half-started."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.node.camera import Camera
from hyperseg_ros.node.compatibility import LabelInfo, TolerantLifecycleNode
from hyperseg_ros.node.diagnostics import ERROR, OK, WARN, Diagnostics, Health
from hyperseg_ros.node.outputs import Outputs
from hyperseg_ros.node.parameters import (
    ALL_CLASSES,
    ParameterError,
    Parameters,
    declare_parameters,
    read_parameters,
    review_change,
)
from hyperseg_ros.node.scheduling import TurnTaker
from hyperseg_ros.node.topics import name_cameras
from hyperseg_ros.runtime import Segmenter

Transition = Callable[["SegmentationNode", LifecycleState], TransitionCallbackReturn]


def _says_what_failed(transition: Transition) -> Transition:
    """rclpy turns an exception in a transition into an error without a word."""

    @functools.wraps(transition)
    def logged(node: SegmentationNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.get_logger().error(f"{transition.__name__}: {error}\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return logged


class SegmentationNode(TolerantLifecycleNode):
    """Segments the images of one or several cameras.

    - unconfigured: only parameters and /diagnostics.
    - inactive: the model is loaded, the outputs are advertised.
    - active: cameras are subscribed to and served in turn by one inference thread.

    With the parameter `autostart` the node brings itself to active as soon as it spins. If that
    fails, the reason is logged, /diagnostics says ERROR, and the node stays unconfigured, where
    its parameters can be set right and `configure` tried again.

    Raises:
        ParameterError: a given parameter is unknown or cannot have the given value.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("segmentation", **options)
        self._segmenter: Segmenter | None = None
        self._cameras: list[Camera] = []
        self._inference: TurnTaker | None = None
        self._failure = ""
        try:
            declare_parameters(self)
        except ParameterError:
            self.destroy_node()
            raise
        self.add_on_set_parameters_callback(self._review_change)
        self._diagnostics = Diagnostics(self, self._examine)
        if self.get_parameter("autostart").value:
            steady = Clock(clock_type=ClockType.STEADY_TIME)  # does not wait for a simulation
            self._autostart = self.create_timer(0.0, self._start_by_itself, clock=steady)

    # Transitions

    @_says_what_failed
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model and advertises the outputs; a failure frees everything."""
        try:
            self._configure(read_parameters(self))
        except Exception as error:
            self._release()
            self._failure = str(error)
            self.get_logger().error(f"cannot configure: {error}")
            if not isinstance(error, ValueError):  # nothing that a user got wrong
                self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        self._failure = ""
        return TransitionCallbackReturn.SUCCESS

    @_says_what_failed
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Starts the inference thread and subscribes to the cameras."""
        segmenter = self._segmenter
        assert segmenter is not None
        self._inference = TurnTaker(
            [functools.partial(camera.segment_next, segmenter) for camera in self._cameras]
        )
        self._inference.start()
        for camera in self._cameras:
            camera.start(self._inference.notify)
        return super().on_activate(state)

    @_says_what_failed
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes, and lets the frame at work finish."""
        self._halt()
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
        """Frees everything, whatever the state."""
        self._release()
        super().destroy_node()

    # What the transitions do

    def _configure(self, parameters: Parameters) -> None:
        topics = name_cameras(map(self._resolve, parameters.image_topics))
        segmenter = Segmenter(
            parameters.model, parameters.backend, parameters.threads, parameters.precision
        )
        self._segmenter = segmenter
        classes = segmenter.card.classes
        mask_classes = _mask_classes(parameters.mask_classes, classes)
        input_qos = _qos(parameters.input_reliability, parameters.input_depth)
        output_qos = _qos(parameters.output_reliability, parameters.output_depth)
        for names in topics:
            outputs = Outputs(self, names, classes, mask_classes, output_qos, self._overlay_opacity)
            self._cameras.append(Camera(self, names, outputs, input_qos))
        self.get_logger().info(
            f"{segmenter.card.name} on {segmenter.backend_name} ({segmenter.device}, "
            f"{segmenter.precision}), {len(classes)} classes; cameras: "
            + ", ".join(names.image for names in topics)
        )
        if LabelInfo is None:
            self.get_logger().warning("vision_msgs is not installed: label_info is not published")

    def _halt(self) -> None:
        for camera in self._cameras:
            camera.stop()
        if self._inference is not None:
            self._inference.stop()
            self._inference = None

    def _release(self) -> None:
        self._halt()
        for camera in self._cameras:
            camera.destroy()
        self._cameras = []
        if self._segmenter is not None:
            self._segmenter.close()
            self._segmenter = None

    def _start_by_itself(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _resolve(self, topic: str) -> str:
        try:
            return self.resolve_topic_name(topic)
        except Exception as error:  # rclpy has several for this, not all of them public
            raise ValueError(f"image_topics: {topic!r} is no topic name: {error}") from error

    # Parameters and health

    def _overlay_opacity(self) -> float:
        return float(self.get_parameter("overlay_opacity").value)

    def _review_change(self, changed: Sequence[Parameter]) -> SetParametersResult:
        return review_change(changed, configured=self._segmenter is not None)

    def _examine(self) -> Iterator[Health]:
        if self._segmenter is None:
            yield Health("model", ERROR if self._failure else WARN, self._failure or "not loaded")
            return
        yield Health(
            "model",
            OK,
            "active" if self._inference is not None else "inactive",
            {
                "model": self._segmenter.card.name,
                "backend": self._segmenter.backend_name,
                "device": self._segmenter.device,
                "precision": self._segmenter.precision,
            },
        )
        for camera in self._cameras:
            yield camera.health()


def _mask_classes(names: Sequence[str], classes: ClassTable) -> list[int]:
    if ALL_CLASSES in names:
        return list(range(len(classes)))
    try:
        return sorted({classes.index(name) for name in names if name})
    except ValueError as error:
        raise ValueError(f"mask_classes: {error}") from error


def _qos(reliability: str, depth: int) -> QoSProfile:
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy[reliability.upper()])
