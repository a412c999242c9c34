"""The lifecycle node: what exists in which state, and how a failure leaves nothing half-started."""

from __future__ import annotations

import functools
import math
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.clock import Clock, ClockType, JumpHandle, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool

from hyperseg_ros.node.compatibility import TolerantLifecycleNode
from hyperseg_ros.node.declared_parameters import check_live
from hyperseg_ros.node.diagnostics import ERROR, MODEL, OK, WARN, Diagnostics, Health, Key
from hyperseg_ros.node.graph_checks import GraphChecks
from hyperseg_ros.node.parameter_node import ParameterNode
from hyperseg_ros.node.parameters import Parameters
from hyperseg_ros.node.pipeline import Pipeline
from hyperseg_ros.node.quality_of_service import Endpoints
from hyperseg_ros.runtime import Segmenter
from hyperseg_ros.runtime.backends import DeviceLostError

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
    way of a frame through the node takes longer than `watchdog_timeout`.

    Args:
        load: loads the model; has the arguments of `Segmenter.open`.
        options: as rclpy's nodes take them.

    Raises:
        ParameterError: a given parameter is unknown or cannot have the given value.
    """

    def __init__(self, load: Callable[..., Segmenter] = Segmenter.open, **options: Any) -> None:
        super().__init__(Parameters, "segmentation", **options)
        self._load = load
        self._pipeline: Pipeline | None = None
        self._active = False
        self._enabled = True
        self.device_lost = False
        """Whether the device is lost to this process, so that only another one can go on."""
        self._failure = ""
        self._broken = False
        self._jumps: JumpHandle | None = None
        self._endpoints = Endpoints(self)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self._jumps = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1)),
            post_callback=self._on_clock_jump,
        )
        self._diagnostics = Diagnostics(self)
        self._checks = GraphChecks(self)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # does not wait for a simulation
        self.create_timer(PULSE, self._pulse, clock=steady)
        if self.get_parameter("autostart").value:
            self._autostart = self.create_timer(0.0, self._start_by_itself, clock=steady)

    # Transitions

    @_says_what_failed
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model and advertises the outputs; a failure frees everything."""
        try:
            self._pipeline = Pipeline(self, self._endpoints, self.parameters, self._load)
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
            self._start()
            for name in self._endpoints.unused_overrides():
                self.get_logger().warning(f"{name} matches no topic of this node")
        return super().on_activate(state)

    @_says_what_failed
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes, and lets the frame at work finish."""
        self._active = False
        self._stop()
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
        """Frees everything: the node is unconfigured and can be configured again."""
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
        """Logs a failure, for which /diagnostics says ERROR until the node is configured again."""
        self._failure = message
        self.device_lost = self.device_lost or isinstance(error, DeviceLostError)
        if error is not None and not isinstance(error, ValueError):  # nothing a user got wrong
            message += f"\n{traceback.format_exc()}"
        self.get_logger().error(message)

    # What the transitions do

    def _start(self) -> None:
        assert self._pipeline is not None
        self._pipeline.start()
        self._checks.started()

    def _stop(self, patience: float = math.inf) -> None:
        """Lets the frame at work finish, until the watchdog would give up on it."""
        if self._pipeline is not None:
            self._pipeline.stop(self.get_parameter("watchdog_timeout").value, patience)

    def _release(self, patience: float = math.inf) -> None:
        self._active = False
        pipeline = self._pipeline
        try:
            self._stop(patience)
        finally:
            self._pipeline = None
            if pipeline is not None:
                pipeline.close()

    def _start_by_itself(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # Changes while it runs

    def parameters_change(self, current: Parameters, new: Parameters) -> None:
        """Applies what may change while the node is configured, and refuses the rest."""
        if self._pipeline is not None:
            check_live(current, new)
            self._pipeline.apply(new)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Switches the cameras on or off, now if the node is active, else once it is."""
        changed = request.data != self._enabled
        self._enabled = request.data
        if changed and self._active:
            try:
                if self._enabled:
                    self._start()
                else:
                    self._stop()
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
        seconds = jump.delta.nanoseconds / 1e9
        if seconds:
            self.get_logger().info(f"the clock has jumped by {seconds:.3f} s")
        if self._pipeline is not None:
            self._pipeline.clock_jumped()

    # Health

    def _pulse(self) -> None:
        self._watch()
        cameras = self._pipeline.cameras if self._pipeline is not None else []
        if self._pipeline is not None:
            self._pipeline.follow_publishers()
        warnings = self._checks.check(cameras if self._active and self._enabled else [])
        self._diagnostics.publish(self._examine(warnings))

    def _watch(self) -> None:
        """Gives up on a model that does not get any further."""
        if self._pipeline is None:
            return
        failure = self._pipeline.failure(self.get_parameter("watchdog_timeout").value)
        if failure:
            self.device_lost = self.device_lost or self._pipeline.device_lost
            self._give_up(failure)

    def _give_up(self, reason: str) -> None:
        """Goes to the state unconfigured by way of an error, as life cycles have it."""
        self._broken = True
        self.trigger_deactivate()
        self._broken = False
        self.failed(f"{reason}: configure the node again, or restart it")

    def _examine(self, warnings: list[str]) -> Iterator[Health]:
        level, message = OK, "active" if self._active else "inactive"
        values: dict[str, str] = {}
        if self._pipeline is None:
            level, message = (ERROR, self._failure) if self._failure else (WARN, "not loaded")
        else:
            if self._active and not self._enabled:
                message = "disabled by the service enable"
            values = self._pipeline.model_values()
            warnings = [*warnings, *self._pipeline.troubles]
        if warnings:
            level = max(level, WARN)
            message = "; ".join((message, *warnings))
        yield Health(MODEL, level, message, values, hardware=values.get(Key.DEVICE, ""))
        if self._pipeline is not None:
            yield from self._pipeline.health()
