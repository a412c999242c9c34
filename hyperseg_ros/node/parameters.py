"""The node's parameters: each one's type, default, bounds and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from hyperseg_ros.frames.ground_settings import (
    ANGLE_INCREMENT,
    FREE_SPACE_RANGE,
    GRID_AREA,
    GRID_RESOLUTION,
    GROUND_FRAME,
)
from hyperseg_ros.frames.outputs import OUTPUTS
from hyperseg_ros.frames.pixels import FULL_RANGE, MAX_PIXELS
from hyperseg_ros.frames.settings import EVERYTHING
from hyperseg_ros.frames.temporal_filter import MOST_KEPT
from hyperseg_ros.geometry.free_space import DEFAULT_OPTIONS, HOLES
from hyperseg_ros.node.declared_parameters import (
    ParameterError,
    ParameterSet,
    Table,
    nearest,
    parameter,
)
from hyperseg_ros.node.subscription import AUTO
from hyperseg_ros.runtime.backends import BACKENDS, DEVICES, PRECISIONS
from hyperseg_ros.runtime.model_file import DEFAULT_MODEL

RELIABILITIES = ("best_effort", "reliable")
INPUT_TYPES = ("auto", "raw", "compressed")
RESOLUTIONS = ("camera", "network")
SLOWEST = 0.01
"""The least frames a second, above 0, that `max_rate` may be."""


@dataclass(frozen=True)
class Parameters(ParameterSet):
    """The segmentation node's parameters."""

    image_topics: tuple[str, ...] = parameter(
        ("camera/image_raw",),
        "Topics of the cameras' images. Outputs are published beside each, under segmentation/.",
    )
    input_type: str = parameter(
        "auto",
        "What the image topics carry: raw (sensor_msgs/Image), compressed "
        "(sensor_msgs/CompressedImage), or auto: what their publishers say, else their names.",
        choices=INPUT_TYPES,
    )
    model: str = parameter(DEFAULT_MODEL, "An ONNX model file, or the name of a shipped model.")
    backend: str = parameter("auto", "What runs the network.", choices=BACKENDS)
    precision: str = parameter("auto", "Arithmetic of the network.", choices=PRECISIONS)
    threads: int = parameter(
        0, "CPU threads of the network; 0 leaves it to the backend.", bounds=(0, 256)
    )
    device: str = parameter(
        "auto",
        "auto; cpu, also where there is a GPU; or an Intel device for OpenVINO: gpu or npu.",
        choices=DEVICES,
    )
    gpu: int = parameter(
        0, "Which GPU runs the network, as CUDA counts, where there are several.", bounds=(0, 63)
    )
    engine_cache: str = parameter(
        "", "Folder of TensorRT's engines; empty for $XDG_CACHE_HOME/hyperseg_ros."
    )
    engine_workspace: int = parameter(
        1024,
        "MiB of scratch memory that a layer may use while an engine is built; lower it on a board "
        "with little memory.",
        bounds=(16, 65536),
    )
    autostart: bool = parameter(
        True, "Configure and activate without being asked to.", read_only=True
    )
    outputs: tuple[str, ...] = parameter(
        (EVERYTHING,),
        f"What is advertised: some of {', '.join(OUTPUTS)}, or '{EVERYTHING}' for everything.",
    )
    mask_classes: tuple[str, ...] = parameter(
        (EVERYTHING,),
        f"Classes with a topic mask/<class> of their own: names of the model's classes, "
        f"'{EVERYTHING}' for all, [] for none.",
    )
    mask_groups: Table[tuple[str, ...]] = parameter(
        (),
        "Classes that share the topic mask/<group>: mask_groups.drivable: [road].",
        live=True,
    )
    palette: Table[tuple[int, ...]] = parameter(
        (),
        "Colours in place of the model card's: palette.road: [128, 64, 128], red, green, blue.",
        live=True,
    )
    overlay_opacity: float = parameter(
        0.5,
        "Weight of the class colours in the overlay, from 0 (camera image) to 1.",
        bounds=(0.0, 1.0),
        live=True,
    )
    min_confidence: float = parameter(
        0.0,
        "Pixels the network is less sure of than this, from 0 to 1, are unlabelled (255).",
        bounds=(0.0, 1.0),
        live=True,
    )
    temporal_filter: float = parameter(
        0.0,
        "Share of the evidence that stays from frame to frame, along the optical flow, so that "
        "labels flicker less: 0 for none, 0.5 a good value.",
        bounds=(0.0, MOST_KEPT),
        live=True,
    )
    label_resolution: str = parameter(
        "camera",
        "Size of all outputs: the camera's, or that of the network's input.",
        choices=RESOLUTIONS,
        live=True,
    )
    regions_of_interest: Table[tuple[int, ...]] = parameter(
        (),
        "The part of a camera's images that is segmented, [x, y, width, height] in pixels, 0 for "
        "the rest of the width or height: regions_of_interest./front/image_raw, or .default.",
        live=True,
    )
    ground_classes: tuple[str, ...] = parameter(
        (),
        "Classes, and groups of mask_groups (groups as they are when the node is configured), that "
        "are ground for free_space; [] for those that the model's card names.",
    )
    ground_frame: str = parameter(
        GROUND_FRAME,
        "Frame of free_space: x forward, y left, z up, the ground at z = 0. TF says where the "
        "cameras are in it.",
    )
    mount: Table[tuple[float, ...]] = parameter(
        (),
        "Where a camera is in ground_frame, if TF does not say so: mount./front/image_raw, or "
        "mount.default: [x, y, z, roll, pitch, yaw] of its body frame in metres and radians; "
        "a positive pitch looks down.",
    )
    mount_broadcast: bool = parameter(
        False,
        "Whether mounts are published as static transforms, once free space is wanted and TF has "
        "been listened to for 2 s; not of frames that others place in TF. Needs tf2_ros.",
    )
    free_space_range: tuple[float, ...] = parameter(
        FREE_SPACE_RANGE,
        "Nearest and farthest distance at which free space is looked for, metres.",
        bounds=(0.0, 1000.0),
    )
    free_space_angles: tuple[float, ...] = parameter(
        (),
        "First and last bearing of free space, radians from x to the left, twice the same for a "
        "single one; [] for the view.",
    )
    free_space_angle_increment: float = parameter(
        ANGLE_INCREMENT,
        "Radians between two bearings of free space, and the width of each, also of a single one.",
        bounds=(0.0002, 3.14),
    )
    free_space_holes: str = parameter(
        HOLES[0], "What unlabelled pixels count as in free space.", choices=HOLES
    )
    free_space_min_run: int = parameter(
        DEFAULT_OPTIONS.min_run,
        "Pixels of the network's labels along a bearing that must not be ground to end free space; "
        "fewer are a speck.",
        bounds=(1, 1000),
    )
    free_space_confidence: float = parameter(
        DEFAULT_OPTIONS.ground_confidence,
        "Probability below which a pixel of ground does not count as ground: higher misses fewer "
        "obstacles, and sees more that are not there.",
        bounds=(0.0, 1.0),
    )
    free_space_seen_from: float = parameter(
        0.0,
        "Bearings of free_space/scan on which ground is in view only from farther away, metres, "
        "say nothing; 0 for no limit. For a costmap that clears, its raytrace_min_range.",
        bounds=(0.0, 1000.0),
    )
    grid_area: tuple[float, ...] = parameter(
        GRID_AREA,
        "Metres that free_space/grid reaches ahead, behind, and to either side.",
        bounds=(0.0, 1000.0),
    )
    grid_resolution: float = parameter(
        GRID_RESOLUTION, "Metres of a cell's side of free_space/grid.", bounds=(0.01, 10.0)
    )
    body_masks: Table[str] = parameter(
        (),
        "Image file, of the size of a camera's images, whose pixels that are not black show the "
        "robot itself: no obstacle for free_space. body_masks./front/image_raw, or .default.",
    )
    depth_topics: Table[str] = parameter(
        (),
        "Registered depth image, or organized cloud, that goes with a camera, for points: "
        "depth_topics./front/image_raw: /front/depth/image_raw.",
    )
    depth_tolerance: float = parameter(
        0.02, "Seconds that the stamps of image and depth may differ.", bounds=(0.0, 1.0)
    )
    max_rate: float = parameter(
        0.0,
        "Frames a second that are segmented of each camera at most; 0 for all.",
        bounds=(0.0, 1000.0),
        live=True,
    )
    input_reliability: str = parameter(
        AUTO,
        "Reliability of the image subscriptions; auto: reliable where all publishers of a topic "
        "are.",
        choices=(AUTO, *RELIABILITIES),
    )
    max_pixels: int = parameter(
        MAX_PIXELS,
        "Pixels that an image may have at most; larger ones are refused before they are decoded. "
        "The default is 8K.",
        bounds=(1, 2**30),
        live=True,
    )
    range_16bit: tuple[int, ...] = parameter(
        FULL_RANGE,
        "The values of 16-bit images that are black and white: [0, 4095] of a sensor of 12 bits, "
        "or the part of a thermal camera's range that matters.",
        bounds=(0, 65535),
        live=True,
    )
    input_depth: int = parameter(1, "Queue depth of the image subscriptions.", bounds=(1, 100))
    output_reliability: str = parameter(
        "reliable", "Reliability of the publishers.", choices=RELIABILITIES
    )
    output_depth: int = parameter(1, "Queue depth of the publishers.", bounds=(1, 100))
    watchdog_timeout: float = parameter(
        10.0,
        "Seconds that decoding, segmenting and publishing an image may take before the node gives "
        "up and becomes unconfigured.",
        bounds=(0.1, 600.0),
        live=True,
    )
    stale_after: float = parameter(
        2.0,
        "Seconds without an image after which /diagnostics calls a camera stale.",
        bounds=(0.1, 3600.0),
        live=True,
    )
    min_rate: float = parameter(
        0.0,
        "Frames a second of a camera below which /diagnostics warns; 0 for never.",
        bounds=(0.0, 1000.0),
        live=True,
    )
    max_latency: float = parameter(
        0.0,
        "Seconds from stamp to output, 95th percentile, above which /diagnostics warns; 0 for "
        "never.",
        bounds=(0.0, 3600.0),
        live=True,
    )

    def check(self) -> None:
        """Refuses a node without a camera, or without anything to do.

        Raises:
            ParameterError: the parameters are those of such a node, or name no output.
        """
        if not any(self.image_topics):
            raise ParameterError("image_topics is empty: name at least one camera's image topic")
        if 0 < self.max_rate < SLOWEST:
            raise ParameterError(
                f"max_rate {self.max_rate:g}: it must be 0, for all frames, or from {SLOWEST} to "
                "1000"
            )
        outputs = [name for name in self.outputs if name]
        if not outputs:
            raise ParameterError(
                f"outputs is empty, so the node would do nothing: name some of {', '.join(OUTPUTS)}"
            )
        for name in outputs:
            if name not in (*OUTPUTS, EVERYTHING):
                raise ParameterError(
                    f"outputs: no output {name!r}: {nearest(name, OUTPUTS)}"
                    f"The outputs are {', '.join(OUTPUTS)}"
                )
        if set(outputs) <= {"label_info", "camera_info"}:
            raise ParameterError(
                f"outputs {outputs}: the node would segment nothing: name one of "
                f"{', '.join(name for name in OUTPUTS if not name.endswith('_info'))} too"
            )
