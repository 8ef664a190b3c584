"""Measures: pure functions of arrays, and of the functions that they are told to call.

Measures of maps take tensors (batch, target, *space); measures of many scans take NumPy arrays
whose first axis is the scan; OrganIoU takes the NumPy maps of one scan, as `explain` gives.
"""

from hirescam.metrics.classification import (
    Interval,
    Reliability,
    auroc,
    auroc_difference,
    auroc_interval,
    bootstrap,
    brier,
    reliability,
)
from hirescam.metrics.faithfulness import (
    Curve,
    blocks,
    deletion,
    exact_sum_residual,
    insertion,
    mass_in_parts,
    occlusion_agreement,
)
from hirescam.metrics.localisation import (
    Overlap,
    mass_accuracy,
    overlap,
    pointing_game,
    rank_accuracy,
)
from hirescam.metrics.organ_iou import best_thresholds, organ_ious
from hirescam.metrics.similarity import consistency, spearman, ssim, weight_randomisation

__all__ = [
    "Curve",
    "Interval",
    "Overlap",
    "Reliability",
    "auroc",
    "auroc_difference",
    "auroc_interval",
    "best_thresholds",
    "blocks",
    "bootstrap",
    "brier",
    "consistency",
    "deletion",
    "exact_sum_residual",
    "insertion",
    "mass_accuracy",
    "mass_in_parts",
    "occlusion_agreement",
    "organ_ious",
    "overlap",
    "pointing_game",
    "rank_accuracy",
    "reliability",
    "spearman",
    "ssim",
    "weight_randomisation",
]
