"""A plain chest in Hounsfield units: two lungs and a spine in soft tissue in air."""

import numpy as np

from hirescam.ct.volume import Volume


def chest(slices=70, step_mm=4.0):
    """Two lungs in soft tissue in air, slices from feet to head."""
    hu = np.full((slices, 90, 90), -1000, np.int16)
    hu[:, 15:75, 5:85] = 40
    hu[5:, 25:65, 12:40] = -850
    hu[5:, 25:65, 50:78] = -850
    hu[:, 60:66, 41:49] = 400
    noise = np.random.default_rng(0).normal(0, 30, hu.shape)
    hu = (hu + noise).round().astype(np.int16)
    affine = np.array(
        [[0, 0, -4.0, 180], [0, -4.0, 0, 180], [step_mm, 0, 0, 0], [0, 0, 0, 1.0]]
    )
    return Volume(hu, affine)
