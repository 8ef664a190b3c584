"""A real `hirescam view` on a port of its own, and a real browser."""

from pathlib import Path

import pytest

from hirescam.summary.browser import is_built
from make_viewed import viewing, write_case

CHROMIUM = Path("/usr/bin/chromium")
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="session")
def needs_script():
    if not is_built():
        pytest.skip("the viewer's script was not built: install hirescam again where npm is")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Two cases of one cohort, the second with weaker evidence."""
    cohort = tmp_path_factory.mktemp("cohort")
    write_case(cohort / "case-1")
    write_case(cohort / "case-2", scale=0.5)
    return cohort


@pytest.fixture(scope="session")
def address(folder, needs_script):
    with viewing(folder) as printed:
        yield printed


@pytest.fixture(scope="session")
def browser(needs_script):
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed"
    )
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE_GL)
        yield chromium
        chromium.close()
