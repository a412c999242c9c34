"""Data sets: public ones by name, a team's own folders, simulated streets, one packed file."""

from hyperseg_ros.training.datasets.camvid import load_camvid
from hyperseg_ros.training.datasets.catalogue import DATASETS, list_dataset, load_dataset
from hyperseg_ros.training.datasets.labelled_images import DatasetError, LabelledImages
from hyperseg_ros.training.datasets.listing import Listing

__all__ = [
    "DATASETS",
    "DatasetError",
    "LabelledImages",
    "Listing",
    "list_dataset",
    "load_camvid",
    "load_dataset",
]
