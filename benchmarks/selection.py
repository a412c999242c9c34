#!/usr/bin/env python3
"""What frames of `hyperseg select` teach a network beside frames chosen by chance.

    tools/train benchmarks/selection.py --root CAMVID --output FOLDER

CamVid's training images, in SegNet's protocol, are the pool, as a recording per drive. A first
network learns from a random tenth of them and simulated streets, starting from ImageNet weights,
and chooses a quarter, of the others. From that network on, the same run learns from the tenth with
this quarter, and from the tenth with a random quarter, once per seed. All runs have as many
steps; the figure is mIoU on camvid/val. Runs that are in FOLDER already are not repeated.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hyperseg_ros.classes import CAMVID, UNLABELLED
from hyperseg_ros.frames.messages import IMAGE, image_fields
from hyperseg_ros.network import load_checkpoint
from hyperseg_ros.recordings.definitions import definition, serialize
from hyperseg_ros.recordings.harvest import ORIGINS
from hyperseg_ros.recordings.writing import qos, writing_bag
from hyperseg_ros.runtime.image_files import read_image
from hyperseg_ros.training.datasets.camvid import VOID_ID
from hyperseg_ros.training.datasets.folder import CLASS_FILE

TOPIC = "/front/image_raw"
FRAMES_PER_SECOND = 30
"""Of the recordings that CamVid's images were taken from; their names end in the frame's number."""
BATCH = 8
FIRST_STEPS, STEPS = 600, 300
CONFIG = "hyperseg-s-lite0-camvid"


def main(argv: Sequence[str] | None = None) -> int:
    """Train, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="CamVid, SegNet's protocol")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args(argv)
    root, output = options.root.resolve(), options.output.resolve()
    pool = sorted(path.stem for path in (root / "train").glob("*.png"))
    if not pool:
        parser.error(f"{root}/train has no images: --root is CamVid in SegNet's protocol")
    tenth = by_chance(pool, len(pool) // 10, seed=0)
    quarter = len(pool) // 4

    first = train(output, "first", write_dataset(output / "data_first", root, tenth), FIRST_STEPS)
    rest = sorted(set(pool) - set(tenth))
    bags = write_bags(output / "bags", root, rest)
    times = select(first, bags, output / "selected", quarter)
    chosen = [name for name in rest if (drive(name), frame_time(name)) in times]
    print_shares(rest, chosen)
    scores: dict[str, list[float]] = {"selected": [], "random": []}
    for seed in options.seeds:
        for kind, names in (("selected", chosen), ("random", by_chance(rest, quarter, seed))):
            data = write_dataset(output / f"data_{kind}_{seed}", root, [*tenth, *names])
            run = train(output, f"{kind}_{seed}", data, STEPS, seed, first)
            scores[kind].append(miou(run))
            print(f"{kind:9} seed {seed}: {scores[kind][-1]:.1%}", flush=True)
    print_result(miou(first), scores)
    return 0


def by_chance(names: Sequence[str], count: int, seed: int) -> list[str]:
    """So many of the names, each as likely as the others."""
    return sorted(np.random.default_rng(seed).choice(names, count, replace=False).tolist())


def write_dataset(folder: Path, root: Path, names: Iterable[str]) -> Path:
    """A data set of the kind `folder` of these images, and of camvid/val, as links."""
    validation = [path.stem for path in (root / "val").glob("*.png")]
    for split, chosen in (("train", names), ("val", validation)):
        for kind, source in (("images", split), ("labels", f"{split}annot")):
            place = folder / split / kind
            place.mkdir(parents=True, exist_ok=True)
            for name in chosen:
                link = place / f"{name}.png"
                link.unlink(missing_ok=True)
                link.symlink_to(root / source / f"{name}.png")
    (folder / CLASS_FILE).write_text(CAMVID.to_yaml(void=(VOID_ID, UNLABELLED)))
    return folder


def write_bags(folder: Path, root: Path, names: Sequence[str]) -> list[Path]:
    """A recording of each drive, with the images at their times."""
    folder.mkdir(parents=True, exist_ok=True)
    drives = sorted({drive(name) for name in names})
    for each in drives:
        if not (folder / each).exists():
            images = [root / "train" / f"{name}.png" for name in names if drive(name) == each]
            write_bag(folder / each, images)
    return [folder / each for each in drives]


def write_bag(path: Path, images: Iterable[Path]) -> None:
    """A recording of one camera."""
    with writing_bag(path) as bag:
        connection = bag.add(TOPIC, IMAGE, *definition(IMAGE), [qos()])
        for file in images:
            time = frame_time(file.stem)
            sec, nanosec = divmod(time, 10**9)
            header = {"stamp": {"sec": sec, "nanosec": nanosec}, "frame_id": "camera"}
            fields = {"header": header, **image_fields(read_image(file), "bgr8")}
            bag.write(connection, time, serialize(IMAGE, fields))


def drive(name: str) -> str:
    """The drive that an image is of."""
    return name.partition("_")[0]


def frame_time(name: str) -> int:
    """When an image was taken, nanoseconds since its drive began."""
    found = re.search(r"\d+$", name)
    if found is None:
        raise ValueError(f"{name}: the names of CamVid's images end in the frame's number")
    return int(found[0]) * 10**9 // FRAMES_PER_SECOND


def select(first: Path, bags: Sequence[Path], folder: Path, count: int) -> set[tuple[str, int]]:
    """The drives and times of the images that `hyperseg select` chooses."""
    if not folder.exists():
        hyperseg("export", first)
        model = first.with_suffix(".onnx")
        sparse = ["--interval", "0", "--apart", "0", "--count", str(count)]
        hyperseg("select", *bags, "--model", model, "--output", folder, *sparse)
    with (folder / ORIGINS).open(newline="") as file:
        return {(row["recording"], int(row["received_ns"])) for row in csv.DictReader(file)}


def train(
    output: Path, name: str, data: Path, steps: int, seed: int = 0, start: Path | None = None
) -> Path:
    """A run of so many steps on a data set; its result."""
    result = output / name / f"{name}.pt"
    if result.exists():
        return result
    overrides = [
        f"name={name}",
        f"seed={seed}",
        f"output={output}",
        "data.dataset=folder",
        f"data.root={data}",
        f"data.batch_size={BATCH}",
        "data.simulated_drives=60",
        "data.simulated_validation_drives=0",
        "schedule.epochs=10",
        f"schedule.epoch_images={steps * BATCH * 3 // 4 // 10}",  # a quarter is simulated
        "schedule.validate_every=10",
        "schedule.ema_decay=0.99",
    ]
    if start is not None:
        overrides += [f"start_from={start}", "optimizer.learning_rate=1e-3"]
    hyperseg("train", CONFIG, *overrides)
    return result


def hyperseg(*arguments: object) -> None:
    """Run a command of the package."""
    subprocess.run([sys.executable, "-m", "hyperseg_ros.cli", *map(str, arguments)], check=True)


def miou(run: Path) -> float:
    """What a run reached on camvid/val."""
    _, info = load_checkpoint(run)
    (value,) = info["miou"].values()
    return float(value)


def print_shares(pool: Sequence[str], chosen: Sequence[str]) -> None:
    """How many images of each drive were chosen."""
    for each, size in sorted(Counter(map(drive, pool)).items()):
        print(f"{each}: {sum(drive(name) == each for name in chosen)} of {size} chosen")


def print_result(first: float, scores: dict[str, list[float]]) -> None:
    """The table, with the margin of each seed."""
    print(f"first network: {first:.1%}")
    for kind, values in scores.items():
        each = ", ".join(f"{value:.1%}" for value in values)
        print(f"{kind:9} {each}; mean {statistics.mean(values):.1%}")
    margins = [100 * (a - b) for a, b in zip(scores["selected"], scores["random"], strict=True)]
    each = ", ".join(f"{margin:+.1f}" for margin in margins)
    print(f"margin of the selected frames, points: {each}; mean {statistics.mean(margins):+.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
