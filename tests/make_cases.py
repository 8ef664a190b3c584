"""A small data set on disk for training tests: blocks where the labels are."""

import csv

import numpy as np
import torch

from hirescam.ct.volume import Volume
from hirescam.organs.files import save_organs
from hirescam.organs.masks import OrganMasks
from hirescam.training.config import TrainConfig
from hirescam.training.train import train
from make import affine

LABELS = ("lung_nodule", "heart_cardiomegaly")
SHAPE = (9, 64, 64)
PREPARATION = {"spacing_mm": (2, 2, 2), "shape": SHAPE, "interpolation": "linear"}


def chest(seed, labels):
    """Soft tissue and two lungs with noise; a block in the left one, a bright one between."""
    codes = organs().codes
    tissue_hu = np.select([codes == 0, codes == 3], [-60, 30], default=-850)
    voxels = (tissue_hu + np.random.default_rng(seed).normal(0, 40, SHAPE)).astype(np.int16)
    if labels[0]:
        voxels[2:5, 20:40, 44:56] = 60
    if labels[1]:
        voxels[4:8, 24:48, 26:38] = 500
    return Volume(voxels, affine(spacing=(2, 2, 2)))


def organs():
    """Right lung, mediastinum and left lung side by side, within a frame of nothing."""
    codes = np.zeros(SHAPE, np.uint8)
    codes[:, 8:56, 4:24], codes[:, 8:56, 40:60], codes[:, 8:56, 24:40] = 1, 2, 3
    return OrganMasks(codes, affine(spacing=(2, 2, 2)), method="drawn")


def write_cases(folder, *, train=5, valid=3):
    """cases.csv with scans and organ masks beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_organs(organs(), folder / "organs.nii.gz")
    with (folder / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "path", "split", "organs", *LABELS, "lung_nodule*left_lung"))
        for number in range(train + valid):
            labels = number % 2, number // 2 % 2
            chest(number, labels).to_nifti(folder / f"scan-{number}.nii")
            split = "train" if number < train else "valid"
            row = (f"scan-{number}", f"scan-{number}.nii", split, "organs.nii.gz")
            table.writerow((*row, *labels, labels[0]))
    return folder / "cases.csv"


def small_config(table, **changes):
    """A tiny AxialNet on those cases."""
    given = {
        "data": table,
        "labels": LABELS,
        "arguments": {"widths": (4, 8), "blocks": (1, 1), "neck": (4,)},
        "preparation": PREPARATION,
        "start": "random",
        "augmentation": "sided",
        "mask_loss": "published",
        "downsampling": "centre",
        "epochs": 3,
        "checkpoint_every_steps": 2,
        "log_every_steps": 1,
        "learning_rate": 1e-2,
        "momentum": 0.9,
        "device": "cpu",
    }
    return TrainConfig(**(given | changes))


def train_in_process(config, out):
    """What a process of its own does, which can import this module but no test."""
    torch.set_num_threads(1)
    train(config, out, resume=True)
