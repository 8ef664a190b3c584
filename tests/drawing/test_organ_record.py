"""A summary tells in numbers and words in which organs the evidence lies."""

import json

import jsonschema
import numpy as np
import pytest

from hirescam.drawing.record import summary_schema
from hirescam.drawing.summary import write_summary
from hirescam.explanation import HiddenOrgan
from hirescam.organs.files import read_organs
from hirescam.organs.masks import ORGANS, OrganMasks, Verdict
from make_explanation import explanation


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    found = explanation()
    codes = np.random.default_rng(0).integers(0, 3, found.scan.shape).astype(np.uint8)
    verdicts = dict.fromkeys(ORGANS, Verdict()) | {"left_lung": Verdict(("cut off",))}
    organs = OrganMasks(codes, found.scan.affine, "drawn", verdicts=verdicts)
    hidden = HiddenOrgan(
        "left_lung",
        found.labels,
        before=found.logits,
        after=found.logits - np.float32(0.5),
        foretold=np.array([0.5, -0.5]),
        evidence=np.array([2.0, 2.0]),
    )
    folder = tmp_path_factory.mktemp("s") / "out"
    return organs, write_summary(found, folder, organs=organs, hidden=[hidden], pages=False)


def test_the_schema_knows_organs_shares_and_hidden_organs(summary):
    numbers = json.loads((summary[1] / "summary.json").read_text())
    jsonschema.validate(numbers, summary_schema())
    assert not numbers["organs"]["masks"]["left_lung"]["trusted"]
    assert numbers["organs"]["masks"]["left_lung"]["reasons"] == ["cut off"]
    for row in numbers["findings"]:
        assert sum(row["organs"]["positive"].values()) == pytest.approx(1, abs=1e-5)
        assert " % of the positive evidence lies " in row["organs"]["sentence"]
    agreements = {row["hidden_organs"][0]["agreement"] for row in numbers["findings"]}
    assert agreements == {"agrees", "disagrees"}


def test_the_masks_lie_in_the_folder_as_they_were(summary):
    organs, folder = summary
    numbers = json.loads((folder / "summary.json").read_text())
    kept = read_organs(folder / numbers["organs"]["file"])
    assert np.array_equal(kept.codes, organs.codes)
    assert kept.verdicts == organs.verdicts
