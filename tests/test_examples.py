import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from make import REPO

EXAMPLES = sorted((REPO / "examples").glob("*.py"))


def names_of(example):
    """What an example defines, tensors as arrays."""
    names = runpy.run_path(str(REPO / "examples" / example))
    return {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in names.items()}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_what_an_example_prints_stands_in_the_gallery(example):
    done = subprocess.run([sys.executable, example], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"```text\n{done.stdout}```" in (REPO / "docs/gallery/figures.md").read_text()


def test_figure3_keeps_signs_that_gradcam_averages_away():
    made = names_of("figure3.py")
    features, gradient = np.array(made["FEATURES"]), np.array(made["GRADIENT"])
    assert np.array_equal(made["hirescam"], features * gradient)
    assert np.array_equal(made["gradcam"], features * gradient.mean())
    assert (np.sign(made["gradcam"]) == np.sign(features)).all()
    assert (np.sign(made["hirescam"]) != np.sign(features)).any()


def test_figure7_adds_up_for_hirescam_alone():
    made = names_of("figure7.py")
    features, weights = np.array(made["FEATURES"]), np.array(made["WEIGHTS"])
    evidence = (weights * features).sum(axis=(1, 2, 3))
    assert np.array_equal(made["scores"], evidence + made["BIAS"])
    assert np.array_equal(made["hirescam"], (weights * features).sum(axis=1))
    assert np.array_equal(
        made["gradcam"], (weights.mean(axis=(2, 3))[..., None, None] * features).sum(axis=1)
    )
    assert np.array_equal(made["hirescam"].sum(axis=(1, 2)), evidence)
    assert (made["gradcam"].sum(axis=(1, 2)) != evidence).all()


def test_figure7_peaks_of_gradcam_where_the_evidence_is_against():
    made = names_of("figure7.py")
    peak = np.unravel_index(made["gradcam"][0].argmax(), (2, 2))
    assert made["hirescam"][0][peak] == made["hirescam"][0].min() < 0
