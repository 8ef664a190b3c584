"""Explained folders for the viewer's tests, and the command that shows them."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np

from hirescam.organs.masks import OrganMasks
from hirescam.summary.folder import write_summary
from hirescam.summary.report_quotes import report_words
from make import volume
from make_explanation import CELLS, explanation

LABELS = ("lung_nodule", "heart_cabg", "lung_cyst")
PEAKS = ((0, 1, 1), (2, 1, 0), (3, 2, 1))
REPORT = "There is a small nodule in the right upper lobe. Status post CABG. No pulmonary cyst."


def found_case(*, scale=1.0):
    """One strong cell in each label's map, and Grad-CAM maps that are its opposite."""
    maps = np.zeros((len(LABELS), *(axis.count for axis in CELLS)), np.float32)
    for row, cell in enumerate(PEAKS):
        maps[(row, *cell)] = scale
    scan = volume(origin=(30.0, 20.0, 10.0), spacing=(8.0, 6.0, 6.0))
    return explanation(LABELS, maps=maps, scan=scan, other_maps={"gradcam": -0.01 * maps})


def write_case(folder, *, scale=1.0):
    """A folder as `hirescam explain` writes it, with organs and a report."""
    found = found_case(scale=scale)
    codes = np.zeros(found.scan.shape, np.uint8)
    codes[2:10, 2:14, 1:7] = 1
    codes[2:10, 2:14, 9:15] = 2
    codes[2:10, 2:14, 7:9] = 3
    organs = OrganMasks(codes, found.scan.affine, method="painted")
    words = report_words(REPORT, LABELS)
    return write_summary(found, folder, organs=organs, words=words)


@contextmanager
def viewing(folder, *options):
    """The address that the command prints, token and all."""
    command = [sys.executable, "-m", "hirescam", "view", str(folder), "--no-browser", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
