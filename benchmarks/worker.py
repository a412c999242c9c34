"""One contestant in a process of its own: a model, ready to run one frame at a time.

Reads commands from its standard input, a line each: `run` answers with the seconds of one frame,
after another one; `save FILE` writes the labels as .npy and answers with an empty line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Labels = NDArray[np.uint8]
_WARM_UP = 3


def official(
    spec: dict[str, Any], frame: Frame
) -> tuple[Callable[[], Any], Callable[[Any], Labels]]:
    """The published network: from the normalised image to the logits."""
    import torch
    from official import build_official

    network, image = _ours(spec, frame)
    torch.set_num_threads(spec["threads"])
    published = build_official(Path(spec["checkout"]), spec["variant"], network)

    @torch.inference_mode()
    def run() -> torch.Tensor:
        return published(image)

    return run, lambda logits: logits[0].argmax(0).numpy().astype(np.uint8)


def pytorch(
    spec: dict[str, Any], frame: Frame
) -> tuple[Callable[[], Any], Callable[[Any], Labels]]:
    """Our network as it is deployed, in eager PyTorch: from camera pixels to labels."""
    import torch

    from hyperseg_ros.export.pixels import PixelsToLabels
    from hyperseg_ros.network.folding import deployed

    network, _ = _ours(spec, frame)
    torch.set_num_threads(spec["threads"])
    graph = PixelsToLabels(deployed(network)).eval().to(memory_format=torch.channels_last)
    pixels = torch.from_numpy(frame[None])

    @torch.inference_mode()
    def run() -> tuple[torch.Tensor, torch.Tensor]:
        return graph(pixels)

    return run, lambda result: result[0][0].numpy()


def backend(
    spec: dict[str, Any], frame: Frame
) -> tuple[Callable[[], Any], Callable[[Any], Labels]]:
    """A model file on a backend: from camera pixels to labels."""
    from hyperseg_ros.runtime.backends import open_backend

    loaded = open_backend(
        spec["backend"],
        Path(spec["model_file"]),
        threads=spec["threads"],
        precision=spec["precision"],
    )
    return lambda: loaded.infer(frame[None]), lambda result: result[0][0]


def _ours(spec: dict[str, Any], frame: Frame) -> tuple[Any, Any]:
    """Our network, and the frame as it takes it."""
    import torch

    from hyperseg_ros.network import load_checkpoint

    network, _ = load_checkpoint(Path(spec["checkpoint"]), spec["variant"])
    rgb = torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (network.mean, network.std))
    return network.eval(), (rgb - mean) / std


def main() -> None:
    """Serve commands until the input ends."""
    spec = json.loads(sys.argv[1])
    frame = np.load(spec["frame"])
    run, labels = {"official": official, "pytorch": pytorch, "backend": backend}[spec["kind"]](
        spec, frame
    )
    for _ in range(_WARM_UP):
        result = run()
    print(f"READY {spec['kind']}", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            run()  # the others have had the caches
            begin = time.perf_counter()
            result = run()
            print(time.perf_counter() - begin, flush=True)
        else:
            np.save(argument, labels(result))
            print(flush=True)


if __name__ == "__main__":
    main()
