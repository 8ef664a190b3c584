"""Measures: pure functions of arrays, and of the functions that they are told to call."""

from hirescam.metrics.agreement import spearman, ssim
from hirescam.metrics.consistency import consistency
from hirescam.metrics.deletion import Curve, deletion, insertion
from hirescam.metrics.exact_sum import exact_sum_residual
from hirescam.metrics.occlusion import blocks, mass_in_parts, occlusion_agreement
from hirescam.metrics.pointing import mass_accuracy, pointing_game, rank_accuracy
from hirescam.metrics.randomisation import weight_randomisation

__all__ = [
    "Curve",
    "blocks",
    "consistency",
    "deletion",
    "exact_sum_residual",
    "insertion",
    "mass_accuracy",
    "mass_in_parts",
    "occlusion_agreement",
    "pointing_game",
    "rank_accuracy",
    "spearman",
    "ssim",
    "weight_randomisation",
]
