"""Validate: losses and AUROC of a model in training on the scans that are kept aside."""

from math import isfinite

import numpy as np
import torch

from hirescam.metrics.auroc import auroc
from hirescam.training.order import Visit
from hirescam.training.resume import Progress
from hirescam.training.run import LOSSES, Run, losses_of, stopped


def validate(run: Run, progress: Progress) -> dict[str, float]:
    """Mean losses over the validation scans as they are, and the median AUROC."""
    fabric, scans = run.fabric, run.validation
    run.shared.eval()
    for buffer in run.model.network.buffers():  # the statistics that the model is saved with
        buffer.copy_(fabric.broadcast(buffer.cpu()))
    sums = torch.zeros(len(LOSSES), device=fabric.device)
    scores = torch.zeros(len(scans), len(scans.anatomy), device=fabric.device)
    mine = [Visit(index) for index in range(fabric.global_rank, len(scans), fabric.world_size)]
    with torch.no_grad(), fabric.autocast(), run.loading(scans, mine) as samples:
        for sample in samples:
            if run.told_to_stop():  # the checkpoint from before validation is there
                raise stopped(progress)
            losses = losses_of(run.objective, sample)
            sums += torch.stack(losses[:3])
            scores[sample.visit.index] = losses.scores[0]
    means = (run.reduced(sums, "sum") / len(scans)).tolist()
    labels = np.stack([case.labels for case in scans.cases])
    auroc = median_auroc(labels, run.reduced(scores, "sum").cpu().numpy())
    row = {f"valid_{name}": value for name, value in zip(LOSSES, means, strict=True)}
    return row | {"valid_median_auroc": auroc}


def median_auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Median over the labels that are both present and absent in some scans; else NaN."""
    each = []
    for truth, score in zip(labels.T, scores.T, strict=True):
        known = np.isfinite(truth)
        each.append(auroc(truth[known] > 0, score[known]))
    defined = [value for value in each if isfinite(value)]
    return float(np.median(defined)) if defined else float("nan")
