"""Simulated chests: seeded, with findings, masks, reports and shortcuts.

Whatever is drawn has a stream of random numbers of its own, so that no draw changes another.
"""

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The random numbers of a seed for one purpose."""
    return np.random.default_rng([seed, *purpose.encode()])
