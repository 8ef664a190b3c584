import ast
from pathlib import Path

import pytest

import hirescam

STUB = ast.parse(Path(hirescam.__file__).with_suffix(".pyi").read_text())
LISTED = sorted(
    alias.asname or alias.name
    for statement in STUB.body
    if isinstance(statement, ast.ImportFrom)
    for alias in statement.names
)


def test_the_stub_lists_exactly_the_public_names():
    assert sorted(hirescam.__all__) == LISTED


def test_the_stub_reexports_every_name_it_imports():
    # `import a as a`: without it a type checker takes the name for private
    hidden = [
        alias.name
        for statement in STUB.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.asname != alias.name
    ]
    assert not hidden


@pytest.mark.parametrize("name", LISTED)
def test_a_public_name_resolves_and_says_what_it_is(name):
    public = getattr(hirescam, name)
    told = public.__doc__ or ""
    assert told, f"{name} has no docstring"
    assert not told.startswith(f"{name}("), f"{name} has only the docstring dataclasses make"


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_verb"):
        _ = hirescam.no_such_verb


@pytest.mark.parametrize("name", hirescam.methods.METHODS)
def test_a_method_is_reached_by_the_name_its_table_gives_it(name):
    assert getattr(hirescam.methods, name) is hirescam.methods.METHODS[name]


@pytest.mark.parametrize(
    ("former", "now"), [("HiddenOrgan", "OrganOcclusion"), ("hide_organ", "occlude_organ")]
)
def test_a_former_public_name_still_works_and_says_the_new_one(former, now):
    with pytest.warns(DeprecationWarning, match=f"{former} is called {now} now"):
        assert getattr(hirescam, former) is getattr(hirescam, now)
