"""What others wrote commands no terminal and computes in no spreadsheet."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hirescam.cli.progress import plain, say
from hirescam.errors import HirescamError, ReadError
from hirescam.printable import from_table_cell, masked, printable, table_cell
from hirescam.reports.files import read_rows

HOSTILE = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "a\rb",
    "a\x08b",
    "\x9b31m",
    "a\u202eb",
    "\x00",
    "\x7f",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_code_reaches_a_terminal(text, capsys):
    say("scan", text)
    told = capsys.readouterr().out
    assert told.rstrip("\n").isprintable()
    assert printable(text).isprintable()
    assert str(ReadError(f"{text} is no scan")).isprintable()
    assert plain(text).isprintable()
    assert len(masked(text)) == len(text)


def test_usual_text_stays_as_it_is():
    text = "Müller, 患者 7 – «größer» 10 µm\n\tsecond line"
    assert printable(text) == masked(text) == text
    assert str(HirescamError(text)) == text


def test_markup_of_rich_is_shown_and_not_obeyed():
    assert plain("[link=http://x]scan[/link]") == r"\[link=http://x]scan\[/link]"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(1)", "-2+3", "\t=1"])
def test_no_cell_is_a_formula(text):
    assert table_cell(text).startswith("'")
    assert from_table_cell(table_cell(text)) == text


@pytest.mark.parametrize("value", ["-1.5", "+3", "1e-3", "-4.2e+1", 3, None, 1.5, "x=1", "'s"])
def test_numbers_and_words_are_no_formulas(value):
    assert table_cell(value) == value


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs"))))
def test_a_cell_comes_back(text):
    file = io.StringIO(newline="")
    csv.writer(file).writerow([table_cell(text), "x"])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    if not text.startswith("'"):
        assert from_table_cell(row[0]) == text


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,report,report\n1,x,y\n")
    with pytest.raises(ReadError, match="two columns named 'report'"):
        list(read_rows(tmp_path / "a.csv"))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"x" * 1000])
def test_a_broken_parquet_file_is_one_sentence(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(ReadError, match=r"a\.parquet is no whole Parquet file"):
        list(read_rows(tmp_path / "a.parquet"))
