"""The table at the end of a demo."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from hyperseg_ros.classes import ClassTable
from hyperseg_ros.demo.free_space import MAX_RANGE, MISSED, RangeError
from hyperseg_ros.demo.statistics import DriveStatistics, Latency


@dataclass(frozen=True)
class ClassResult:
    """What is known of one class."""

    name: str
    color: tuple[int, int, int]
    """RGB."""
    share: float
    """Of the pixels of all frames, 0 to 1."""
    iou: float | None
    """0 to 1; None without ground truth, or where the class is in neither truth nor labels."""


@dataclass(frozen=True)
class Report:
    """A drive in figures."""

    source: str
    model: str
    backend: str
    seconds: float
    """From the first frame's stamp to the last one's."""
    frames_in: int
    """Published by the camera."""
    frames_out: int
    """Of which every output came back."""
    latency_ms: Latency | None
    """From stamp to the arrival of the labels; None when nothing came back."""
    inference_ms: float | None
    """Median of the node's latest frames; None when it reported none."""
    mean_confidence: float
    """Of all pixels, 0 to 1."""
    miou: float | None
    """Mean over the classes, 0 to 1; None without ground truth."""
    classes: tuple[ClassResult, ...]
    free_space: RangeError | None = None
    """None where its truth is not known."""

    @property
    def dropped(self) -> int:
        """Frames that did not come back."""
        return max(self.frames_in - self.frames_out, 0)

    @property
    def rate(self) -> float:
        """Frames a second that came back."""
        return (self.frames_out - 1) / self.seconds if self.seconds else 0.0

    def to_json(self) -> str:
        """As a JSON object with the attributes' names."""
        fields = asdict(self)
        fields["latency_ms"] = self.latency_ms._asdict() if self.latency_ms else None
        fields["free_space"] = self.free_space._asdict() if self.free_space else None
        fields["dropped"] = self.dropped
        fields["rate"] = self.rate
        return json.dumps(fields, indent=2)


def summarize(
    statistics: DriveStatistics,
    classes: ClassTable,
    *,
    source: str,
    model: str,
    backend: str,
    seconds: float,
    frames_in: int,
    inference_ms: float | None,
) -> Report:
    """The report of a drive."""
    iou = statistics.confusion.iou()
    miou = statistics.confusion.miou()
    shares = statistics.class_shares()
    return Report(
        source=source,
        model=model,
        backend=backend,
        seconds=seconds,
        frames_in=frames_in,
        frames_out=statistics.frames,
        latency_ms=statistics.latency(),
        inference_ms=inference_ms,
        mean_confidence=statistics.mean_confidence(),
        miou=None if math.isnan(miou) else miou,
        free_space=statistics.range_errors.summary(),
        classes=tuple(
            ClassResult(name, color, float(share), None if math.isnan(value) else float(value))
            for name, color, share, value in zip(classes.names, classes.colors, shares, iou)
        ),
    )


def format_report(report: Report, *, colored: bool = False) -> str:
    """The report as text for people, with patches of the class colours where `colored`."""
    summary = [f"{key:<10}  {value}" for key, value in _summary(report)]
    return "\n".join([*summary, "", *_class_table(report, colored)])


def _summary(report: Report) -> list[tuple[str, str]]:
    drop = report.dropped / report.frames_in if report.frames_in else 0.0
    latency = report.latency_ms
    lines = [
        ("source", report.source),
        ("model", report.model),
        ("backend", report.backend),
        (
            "frames",
            f"{report.frames_in} in, {report.frames_out} out, {report.dropped} dropped "
            f"({drop:.1%}) over {report.seconds:.1f} s, {report.rate:.1f} a second",
        ),
        (
            "latency",
            f"p50 {latency.p50:.1f} ms, p95 {latency.p95:.1f} ms, max {latency.maximum:.1f} ms "
            "from stamp to labels"
            if latency
            else "no frame came back",
        ),
        ("inference", _milliseconds(report.inference_ms)),
        ("confidence", f"{report.mean_confidence:.1%} on average"),
    ]
    if report.miou is not None:
        lines.append(
            ("mIoU", f"{report.miou:.2%}, all frames accumulated, unlabelled pixels ignored")
        )
    free = report.free_space
    if free is not None:
        lines.append(
            (
                "free space",
                f"range error p50 {free.p50:.1%}, p90 {free.p90:.1%}; {MISSED:g} m or more too far "
                f"on {free.missed:.1%} of bearings; obstacles to {MAX_RANGE:g} m, nominal mount",
            )
        )
    return lines


def _class_table(report: Report, colored: bool) -> list[str]:
    name_width = max(len("class"), *(len(result.name) for result in report.classes))
    indent = 3 if colored else 0
    table = [f"{'class':<{name_width + indent}}  {'share':>7}"]
    for result in report.classes:
        patch = "\x1b[48;2;{};{};{}m  \x1b[0m ".format(*result.color) if colored else ""
        table.append(f"{patch}{result.name:<{name_width}}  {result.share:>7.2%}")
    if report.miou is not None:
        table[0] += f"  {'IoU':>7}"
        for row, result in enumerate(report.classes, start=1):
            table[row] += f"  {'-':>7}" if result.iou is None else f"  {result.iou:>7.2%}"
    return table


def _milliseconds(value: float | None) -> str:
    return "not reported" if value is None else f"{value:.1f} ms, median of the latest frames"
