"""The tables: each row's example holds, a site's rows lie over ours, errors name the row."""

import re

import pytest

from hirescam.errors import HirescamError
from hirescam.reports.default import build
from hirescam.reports.default.vocabulary import read_vocabulary

ROW = """
[[{table}]]
name = "{name}"
{rest}
example = "Zebra lung."
expected = []
"""


def folder_with(tmp_path, text):
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_example_of_every_row_gives_what_the_row_says(profile):
    wrong = {
        f"{row.table} {row.name}": (row.expected, row.given)
        for row in profile.vocabulary_rows()
        if row.expected != row.given
    }
    assert not wrong


def test_every_row_of_an_abnormality_shows_that_abnormality(profile):
    for row in profile.vocabulary_rows():
        if row.table == "abnormalities":
            assert any(row.name in said.split() for said in row.expected), row.name


def test_a_site_adds_a_row(tmp_path):
    rest = 'terms = ["zebra lung"]\nlies_in = ["lung"]'
    site = folder_with(tmp_path, ROW.format(table="abnormalities", name="zebra", rest=rest))
    (finding,) = build(site).label("report", "Zebra lung.")
    assert (finding.abnormality, finding.location) == ("zebra", "lung")


def test_a_site_replaces_and_removes_rows(tmp_path):
    text = ROW.format(table="abnormalities", name="nodule", rest='terms = ["knot"]')
    text += ROW.format(table="abnormalities", name="mass", rest="remove = true")
    labeller = build(folder_with(tmp_path, text))
    assert [f.abnormality for f in labeller.label("report", "Knot, nodule and mass.")] == [
        "nodule"
    ]


def test_the_version_changes_with_the_rows_and_only_with_them(tmp_path):
    site = folder_with(tmp_path, ROW.format(table="cues", name="x", rest='effect = "absent"'))
    assert build().version == build().version != build(site).version


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[abnormalities]\n", "site.toml is no TOML file"),
        ('[[findings]]\nname = "x"\n', "has a table 'findings': expected one of abnormalities"),
        (ROW.format(table="cues", name="x", rest='effect = "absnt"'), "row 'x' of cues"),
        (ROW.format(table="cues", name="x", rest='efect = "absent"'), "do you mean effect?"),
        (
            ROW.format(table="abnormalities", name="x", rest='terms = ["@hart"]'),
            "no list of words is named '@hart'",
        ),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path, text, words):
    with pytest.raises(HirescamError, match=re.escape(words)):
        build(folder_with(tmp_path, text)).label("report", "Nodule.")


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(HirescamError, match="is no folder"):
        read_vocabulary(tmp_path / "nowhere")
