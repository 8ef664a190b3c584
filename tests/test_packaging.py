import ast
import itertools
import re
import statistics
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib.metadata import metadata, packages_distributions
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hirescam
from make import REPO

LIMIT_S = 0.2
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
FOR_USERS = OPTIONAL.keys() - {"dev", "docs", "all"}
CONSTRAINTS = (REPO / "constraints.txt").read_text()
LOCK = (REPO / "requirements.lock").read_text()
COMMANDS_WITHOUT_TORCH = [["--help"], ["info"], ["info", "--json"]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Paths inside the wheel that users install, built once."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    python(*build, "--wheel-dir", str(folder), str(REPO))
    (built,) = folder.glob("*.whl")
    return [PurePosixPath(name) for name in zipfile.ZipFile(built).namelist()]


def python(*arguments):
    """What a fresh interpreter prints, and what it says on the side."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def seconds(code):
    """Median time a fresh interpreter takes to run `code`, start included."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        python("-c", code)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    source = REPO / "src"
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    held = {Path(path) for path in wheel if not path.parts[0].endswith(".dist-info")}
    assert held == wanted


@pytest.mark.parametrize(
    "name",
    ["py.typed", "__init__.pyi", "summary/report.html.jinja", "summary/summary.schema.json"],
)
def test_the_wheel_holds_what_is_not_python(wheel, name):
    assert PurePosixPath("hirescam", name) in wheel


def test_the_wheel_holds_the_licence(wheel):
    (licence,) = (path for path in wheel if path.name == "LICENSE")
    assert licence.parent.name == "licenses"
    assert licence.parts[0].endswith(".dist-info")


def imported():
    """Top-level names of all packages that some line of ours imports, late imports included."""
    trees = (ast.walk(ast.parse(path.read_text())) for path in (REPO / "src").rglob("*.py"))
    for node in itertools.chain.from_iterable(trees):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def declared(requirements):
    """Distribution names as package indexes compare them."""
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def test_the_core_dependencies_are_exactly_the_packages_that_the_code_imports():
    others = set(imported()) - sys.stdlib_module_names - {"hirescam"}
    distributions = packages_distributions()
    needed = {canonicalize_name(distributions[name][0]) for name in others}
    extras = set().union(*(declared(OPTIONAL[name]) for name in FOR_USERS))
    core = declared(PROJECT["dependencies"])
    assert needed - extras <= core, "imported, but no user without dev tools has it"
    assert core <= needed, "installed for every user, but nothing imports it"


def test_the_constraints_hold_an_exact_version_of_every_core_and_dev_dependency():
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    assert all("==" in line for line in lines)
    developed = OPTIONAL["dev"] + OPTIONAL["train"] + OPTIONAL["dicom"] + OPTIONAL["tables"]
    wanted = PROJECT["dependencies"] + developed
    assert declared(wanted) - {"hirescam"} <= declared(lines)


def test_importing_the_package_loads_no_torch():
    _, imports = python("-X", "importtime", "-c", "import hirescam")
    assert "lazy_loader" in imports
    assert not re.search(r"\| +torch$", imports, re.MULTILINE)


def test_importing_the_package_takes_little_time():
    assert seconds("import hirescam") - seconds("pass") < LIMIT_S


@pytest.mark.parametrize("arguments", COMMANDS_WITHOUT_TORCH, ids=" ".join)
def test_a_command_that_only_informs_loads_no_torch(arguments):
    _, imports = python("-X", "importtime", "-m", "hirescam", *arguments)
    assert "hirescam.cli" in imports
    assert not re.search(r"\| +torch$", imports, re.MULTILINE)


def test_the_version_is_the_same_wherever_it_is_stated():
    assert hirescam.__version__ == PROJECT["version"]
    assert f"\nversion: {hirescam.__version__}\n" in (REPO / "CITATION.cff").read_text()


USED = [
    Requirement(each)
    for each in (
        *PROJECT["dependencies"],
        *(each for of in sorted(FOR_USERS) for each in OPTIONAL[of]),
    )
]


@pytest.mark.parametrize("requirement", USED, ids=lambda each: each.name)
def test_every_dependency_has_its_licence_in_the_docs(requirement):
    page = (REPO / "docs/reference/dependencies.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert any(re.search(rf"\b{re.escape(requirement.name)}\b", row) for row in rows)


@pytest.mark.parametrize("requirement", USED, ids=lambda each: each.name)
def test_no_dependency_binds_its_users_to_the_gpl(requirement):
    stated = metadata(requirement.name)
    terms = stated["License-Expression"] or (stated["License"] or "").partition("\n")[0]
    licence = f"{terms} {stated.get_all('Classifier')}"  # not the texts of bundled libraries
    assert not re.search(r"(?<!L)GPL|(?<!Lesser )General Public", licence), licence


@pytest.mark.parametrize(
    ("name", "wrong"), [("fill-voids", "2.0.7"), ("starlette", "0.49.0"), ("ray", "2.51.9")]
)
def test_versions_with_a_known_fault_are_not_admitted(name, wrong):
    (specifier,) = {each.specifier for each in USED if each.name == name}
    assert wrong not in specifier


def test_the_lock_has_the_versions_of_the_constraints_and_a_hash_for_each():
    locked = re.findall(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n?)+)", LOCK, re.M)
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", CONSTRAINTS, re.M))
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    for requirement in USED:
        assert canonicalize_name(requirement.name) in {canonicalize_name(n) for n, *_ in locked}
    for name, version, hashes in locked:
        assert pinned.get(canonicalize_name(name), version) == version
        assert "sha256:" in hashes
