"""Text of others: read as JSON and TOML are, or a ValueError; never more."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hirescam import parsing
from hirescam.parsing import parse_json, parse_toml, read_json, read_toml

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_json_writes_comes_back(value):
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 200_000,
        "[" * 101 + "]" * 101,
        '{"a":' * 101 + "1" + "}" * 101,
        "9" * 5000,
        "",
        "{",
        b"\xff\xfe",
    ],
    ids=range(9),
)
def test_json_that_would_hurt_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 200_000 + "]" * 200_000,
        "a = " + "{b = " * 50_000 + "1" + "}" * 50_000,
        "a" + ".a" * 500 + " = 1",
        "[a" + ".a" * 500 + "]",
        "a = " + "9" * 5000,
        "a =",
    ],
    ids=range(6),
)
def test_toml_that_would_hurt_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_toml(text)


def test_a_table_of_usual_depth_is_read():
    text = "[a.b.c]\nd = [[1, 2], [3]]\n"
    assert parse_toml(text) == tomllib.loads(text)


def test_files_are_read_up_to_a_size(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(json.dumps("x" * 100))
    (tmp_path / "a.toml").write_text("a = 1")
    assert read_json(tmp_path / "a.json") == "x" * 100
    assert read_toml(tmp_path / "a.toml") == {"a": 1}
    monkeypatch.setattr(parsing, "MOST_BYTES", 50)
    with pytest.raises(ValueError, match="more than"):
        read_json(tmp_path / "a.json")
