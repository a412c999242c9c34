"""OpenVINO, imported so that it reports nothing.

With the package openvino_telemetry, which its wheels bring, each import is told to its makers over
the network; without it nothing is. Everything here and in benchmarks/ imports OpenVINO from here.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino  # noqa: E402
from openvino import opset13 as opset  # noqa: E402

__all__ = ["openvino", "opset"]
