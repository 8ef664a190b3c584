"""A summary's folder holds all that it says, and nothing else."""

import dataclasses
import hashlib
import html
import json
import re
import subprocess
import sys
from base64 import b64encode
from html.parser import HTMLParser

import jsonschema
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from hirescam.atomic import MARK
from hirescam.errors import WriteError
from hirescam.explanation import OrganOcclusion
from hirescam.methods._audit import Guarantee, Kind
from hirescam.organs.files import read_organs
from hirescam.organs.masks import ORGANS, OrganMasks, Verdict
from hirescam.summary.browser import is_built
from hirescam.summary.folder import summary_schema, write_summary
from hirescam.summary.viewer_data import MOST_BYTES
from make import REPO, volume
from make_explanation import PROVENANCE, explanation, map_with

ODD = ("<script>alert(1)</script>", "a/b", "a_b", "../up", 'quote" onload="x')


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def static_part_of(folder):
    """The report as it is read without scripts, before the viewer that may follow it."""
    return page_of(folder).partition('<div id="viewer"')[0]


def numbers_of(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def everything_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


class Page(HTMLParser):
    """What a browser would see: tags with attributes, headings, pictures."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self._heading = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._heading = tag == "h3"

    def handle_data(self, data):
        if self._heading:
            self.headings.append(data)
            self._heading = False

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    labels = ("lung_nodule", "heart_stent", "lung_mass")
    return write_summary(
        explanation(labels), tmp_path_factory.mktemp("s") / "out", on_scan=True
    )


def test_the_report_needs_nothing_but_itself(summary):
    text = re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", static_part_of(summary))
    assert "//" not in text
    page = Page(text)
    assert not page.all("link")
    assert "default-src 'none'" in text
    assert not any("src" in each for each in Page(page_of(summary)).all("script"))


def test_the_report_runs_only_the_scripts_that_its_own_policy_names(summary):
    (policy,) = re.findall(r"script-src ([^\"]*)", page_of(summary))
    ran = re.findall(r"<script>(.*?)</script>", page_of(summary), re.DOTALL)
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in ran]
    assert html.unescape(policy).split() == [f"'sha256-{digest}'" for digest in digests]
    assert len(ran) == 1 + is_built()


def test_every_finding_has_a_heading_a_described_picture_and_a_line_of_contents(summary):
    page = Page(page_of(summary))
    listed = [row["label"] for row in numbers_of(summary)["findings"]]
    assert page.headings == listed
    pictures = [each for each in page.all("img") if each.get("id") != "print-picture"]
    described = [picture["alt"] for picture in pictures[1:]]  # the first is the colour bar
    assert all(label in text for label, text in zip(listed, described, strict=True))
    targets = {link["href"][1:] for link in page.all("a")}
    assert targets <= {attributes.get("id") for _, attributes in page.tags}


def test_the_report_says_that_it_is_no_diagnosis_and_what_the_model_has_seen(summary):
    assert "For research, not for diagnosis." in page_of(summary)
    assert PROVENANCE.notes[0] in page_of(summary)


def test_each_check_line_shows_both_sums(summary):
    for row in numbers_of(summary)["findings"]:
        line = f"score = {row['score']:.5f}".replace("-", "−")
        assert line in page_of(summary)
        assert row["map_sum"] + row["offset"] == pytest.approx(row["score"], rel=1e-5)


def test_summary_json_keeps_its_schema_and_is_sorted_by_probability(summary):
    jsonschema.Draft202012Validator.check_schema(summary_schema())
    numbers = numbers_of(summary)
    jsonschema.validate(numbers, summary_schema())
    probabilities = [row["probability"] for row in numbers["findings"]]
    assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("change", ["gone", "added"])
def test_the_schema_refuses_what_it_does_not_know(summary, change):
    numbers = numbers_of(summary)
    if change == "gone":
        del numbers["findings"][0]["offset"]
    else:
        numbers["patient_name"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(numbers, summary_schema())


def test_every_file_that_the_json_names_is_there_and_no_other(summary):
    named = {name for row in numbers_of(summary)["findings"] for name in row["files"].values()}
    there = {path.relative_to(summary).as_posix() for path in everything_in(summary)}
    assert there == named | {"report.html", "summary.json", "scan.nii.gz", MARK}


@pytest.mark.parametrize(
    "options", [{}, {"tilt_deg": 20}, {"flips": (-1, 1, -1)}, {"flips": (1, -1, 1)}]
)
def test_the_map_opens_with_its_peak_at_the_peaks_patient_coordinates(tmp_path, options):
    scan = volume(spacing=(2, 1, 1), origin=(5, 6, 7), **options)
    found = explanation(("x",), maps=[map_with((2, 0, 1))], scan=scan)
    out = write_summary(found, tmp_path / "out", on_scan=True)
    (row,) = numbers_of(out)["findings"]
    for name in (row["files"]["map"], row["files"]["map_on_scan"]):
        image = nib.load(out / name)
        values = image.get_fdata()
        top = np.argwhere(values > 0.999 * values.max()).mean(axis=0)
        place = (image.affine @ [*top, 1])[:3]
        # the outermost row of cells is constant to its edge: its middle lies a quarter cell off
        assert np.allclose(place, row["peak"]["patient_mm"], atol=1.0)
    assert nib.load(out / row["files"]["map_on_scan"]).shape == scan.shape[::-1]


def test_odd_labels_are_escaped_and_have_files_of_their_own_inside_the_folder(tmp_path):
    out = write_summary(explanation(ODD), tmp_path / "out")
    page = Page(page_of(out))
    assert sorted(page.headings) == sorted(ODD)
    assert sum("type" not in each for each in page.all("script")) == 1 + is_built()
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert html.escape(ODD[0]) in page_of(out)
    assert len(list((out / "pictures").glob("*.png"))) == len(ODD)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_pictures_are_whole_and_equal_in_size(summary):
    sizes = set()
    for path in (summary / "pictures").iterdir():
        with Image.open(path) as picture:
            picture.load()
            sizes.add(picture.size)
    assert len(sizes) == 1


def test_maps_of_zeros_and_of_negative_values_are_said_in_words(tmp_path):
    maps = np.stack([np.zeros((4, 3, 3)), -np.ones((4, 3, 3))])
    text = page_of(write_summary(explanation(maps=maps), tmp_path / "out"))
    assert "The map is zero everywhere" in text
    assert "No place raised this score" in text


def test_a_network_without_slice_scores_and_without_guarantee_has_a_summary(tmp_path):
    verdict = Guarantee(Kind.NONE, gap=float("inf"), n_probes=16)
    found = explanation(("x",), slices=False, verdicts=(verdict,))
    out = write_summary(found, tmp_path / "out")
    jsonschema.validate(numbers_of(out), summary_schema())
    assert numbers_of(out)["findings"][0]["guarantee"]["gap"] is None
    assert "no score for single slices" in page_of(out)
    assert "Not guaranteed" in page_of(out)


def test_the_scale_is_that_of_all_labels_whichever_are_written(tmp_path):
    found = explanation()
    limits = [
        numbers_of(write_summary(found, tmp_path / str(n), labels=found.labels[:n]))[
            "colour_limit"
        ]
        for n in (1, 2)
    ]
    assert limits[0] == limits[1]


def test_the_same_explanation_gives_the_same_bytes(tmp_path):
    one, other = (write_summary(explanation(), tmp_path / name) for name in ("a", "b"))
    for path in everything_in(one):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


def test_no_file_tells_where_it_was_written(tmp_path):
    out = write_summary(explanation(), tmp_path / "MUSTERMANN" / "out", on_scan=True)
    for path in everything_in(out):
        raw = path.read_bytes()
        raw += nib.load(path).to_bytes() if path.name.endswith(".gz") else b""
        assert b"MUSTERMANN" not in raw
        assert tmp_path.name.encode() not in raw


def test_an_existing_summary_is_replaced_only_on_request(tmp_path):
    write_summary(explanation(), tmp_path / "out")
    with pytest.raises(WriteError, match="overwrite"):
        write_summary(explanation(), tmp_path / "out")
    write_summary(explanation(("x",)), tmp_path / "out", overwrite=True)
    assert [row["label"] for row in numbers_of(tmp_path / "out")["findings"]] == ["x"]


FULL_DISK = """
import resource, signal, sys
from make_explanation import explanation
from hirescam.summary.folder import write_summary
from hirescam.errors import WriteError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
found = explanation([f"lung_{number}" for number in range(8)])
for most_bytes in (100, 250_000):  # too little for a picture; enough for all but the report
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    try:
        write_summary(found, sys.argv[1])
    except WriteError as error:
        print(error)
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "new" / "out")],
        cwd=REPO / "tests",
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = run.stdout.splitlines()
    assert re.fullmatch(r"cannot write \S+/new/out: File too large; .*", first)
    assert first == second
    assert list(tmp_path.iterdir()) == []


def test_a_report_of_eighty_labels_is_small_enough_to_mail(tmp_path):
    labels = tuple(f"lung_{number}" for number in range(8))
    found = explanation(labels, scan=volume((100, 120, 120), spacing=(0.8, 0.8, 0.8)))
    out = write_summary(found, tmp_path / "out")
    assert len(static_part_of(out)) * 10 < MOST_BYTES / 2, "the viewer needs the other half"
    assert (out / "report.html").stat().st_size < MOST_BYTES


def test_notes_are_escaped(tmp_path):
    made_by = dataclasses.replace(PROVENANCE, notes=("<b>bold</b>",))
    text = page_of(write_summary(explanation(provenance=made_by), tmp_path / "out"))
    assert "<b>bold" not in text
    assert "&lt;b&gt;bold" in text


@pytest.fixture(scope="module")
def with_organs(tmp_path_factory):
    found = explanation()
    codes = np.random.default_rng(0).integers(0, 3, found.scan.shape).astype(np.uint8)
    verdicts = dict.fromkeys(ORGANS, Verdict()) | {"left_lung": Verdict(("cut off",))}
    organs = OrganMasks(codes, found.scan.affine, "drawn", verdicts=verdicts)
    hidden = OrganOcclusion(
        "left_lung",
        found.labels,
        before=found.logits,
        after=found.logits - np.float32(0.5),
        predicted_drop=np.array([0.5, -0.5]),
        evidence=np.array([2.0, 2.0]),
    )
    folder = tmp_path_factory.mktemp("s") / "out"
    return organs, write_summary(found, folder, organs=organs, occlusions=[hidden], pages=False)


def test_the_schema_knows_organs_shares_and_hidden_organs(with_organs):
    numbers = json.loads((with_organs[1] / "summary.json").read_text())
    jsonschema.validate(numbers, summary_schema())
    assert not numbers["organs"]["masks"]["left_lung"]["trusted"]
    assert numbers["organs"]["masks"]["left_lung"]["reasons"] == ["cut off"]
    for row in numbers["findings"]:
        assert sum(row["organs"]["positive"].values()) == pytest.approx(1, abs=1e-5)
        assert " % of the positive evidence lies " in row["organs"]["sentence"]
    agreements = {row["occluded_organs"][0]["agreement"] for row in numbers["findings"]}
    assert agreements == {"agrees", "disagrees"}


def test_the_masks_lie_in_the_folder_as_they_were(with_organs):
    organs, folder = with_organs
    numbers = json.loads((folder / "summary.json").read_text())
    kept = read_organs(folder / numbers["organs"]["file"])
    assert np.array_equal(kept.codes, organs.codes)
    assert kept.verdicts == organs.verdicts
