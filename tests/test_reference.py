"""The Python reference names everything that a reader is told to import."""

import ast
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import hirescam
from hirescam import methods, metrics

ROOT = Path(__file__).parents[1]
ENTRIES = set(
    re.findall(r"^::: (\S+)", (ROOT / "docs/reference/python.md").read_text("utf-8"), re.M)
)
PUBLIC = {
    getattr(module, name)
    for module in (hirescam, methods, metrics)
    for name in module.__all__
    if callable(getattr(module, name))
}


def shown_in_pages():
    """What the examples of README and docs import from hirescam."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                    "hirescam"
                ):
                    yield from ((node.module, alias.name) for alias in node.names)


def is_told(where, name):
    return bool({f"{where}.{name}", where} & ENTRIES)


@pytest.mark.parametrize("public", sorted(PUBLIC, key=str), ids=lambda it: it.__name__)
def test_a_public_name_is_in_the_reference(public):
    assert is_told(public.__module__, public.__qualname__)


@pytest.mark.parametrize(("module", "name"), sorted(set(shown_in_pages())))
def test_what_an_example_imports_is_in_the_reference(module, name):
    found = getattr(import_module(module), name)
    if isinstance(found, ModuleType):
        assert any(entry.startswith(f"{module}.{name}.") for entry in ENTRIES)
    else:
        defined = getattr(found, "__module__", module), getattr(found, "__qualname__", name)
        assert is_told(*defined) or is_told(module, name)


@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_what_the_reference_names_exists(entry):
    module, _, name = entry.rpartition(".")
    try:
        import_module(entry)
    except ModuleNotFoundError:  # no module, so something in one
        assert hasattr(import_module(module), name)
