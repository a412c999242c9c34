"""What a model was trained on, and so cannot be measured on: there a twin stands in for it."""

from __future__ import annotations

from hyperseg_ros.runtime.card import ModelCard

SEEN = ", seen in training"
"""Follows the name of a data set whose figures say how well a model remembers."""
OF_A_TWIN = ", of a twin trained without it"
"""Follows the name of a data set on the card of a model that a twin stands in for."""


def has_seen(trained_on: str, dataset: str) -> bool:
    """Whether a data set, or a split of it, is one that a model was trained on.

    Args:
        trained_on: as model cards name it, such as "camvid/train+val + simulated/train".
        dataset: what a model is measured on, such as "camvid/val" or "camvid/train+val".
    """
    return not _all_splits(trained_on).isdisjoint(_splits(dataset))


def with_earlier(trained_on: str, earlier: str) -> str:
    """What a model was trained on, with what an earlier one knew that is not yet named."""
    known = _all_splits(trained_on)
    missing = [name for name in earlier.split(" + ") if not _splits(name) <= known]
    return " + ".join(filter(None, [trained_on, *missing]))


def figure_name(trained_on: str, dataset: str) -> str:
    """The name under which a model's figures on a data set are kept."""
    return dataset + SEEN if has_seen(trained_on, dataset) else dataset


def check_twin(twin: ModelCard, model: ModelCard, dataset: str) -> None:
    """Make sure that a twin's figures on a data set can stand in for a model's.

    Raises:
        ValueError: the model has not seen the data itself, the twin has, or they are of different
            networks or precisions.
    """
    if not has_seen(model.dataset, dataset):
        raise ValueError(
            f"{model.name} was not trained on {dataset}: evaluate it itself, with --record"
        )
    if has_seen(twin.dataset, dataset):
        raise ValueError(
            f"{twin.name} was trained on {dataset} too: give a model of the same recipe that was "
            "trained without it"
        )
    if bool(twin.agreement) != bool(model.agreement):
        raise ValueError(f"one of {twin.name} and {model.name} is an INT8 model, the other is not")
    for what in ("variant", "input_size", "classes"):
        if getattr(twin, what) != getattr(model, what):
            raise ValueError(
                f"{twin.name} is no twin of {model.name}: they differ in their "
                f"{what.replace('_', ' ')}"
            )


def _all_splits(trained_on: str) -> set[str]:
    return {split for name in trained_on.split(" + ") for split in _splits(name)}


def _splits(name: str) -> set[str]:
    """The splits of "camvid/train+val": camvid/train, camvid/val."""
    folder, _, splits = name.rpartition("/")
    return {f"{folder}/{split}" for split in splits.split("+")}
