"""Streams: one source of chance for each purpose, so that no draw disturbs another."""

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The stream of a seed for one purpose."""
    return np.random.default_rng([seed, *purpose.encode()])
