"""The package is built with or without npm, and says which."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from hatchling.bridge.app import Application

from hirescam.errors import HirescamError
from hirescam.viewer import server as serve
from make import REPO


def hook(root):
    """The build hook as hatchling makes it, for a source tree at `root`."""
    spec = importlib.util.spec_from_file_location("hatch_build", REPO / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.ViewerBuild(
        str(root), {}, None, None, str(root), "wheel", Application()
    )


@pytest.fixture
def tree(tmp_path):
    """The sources of the viewer without what npm installs, and nothing built."""
    if not (REPO / "web").is_dir():
        pytest.skip("no web/ beside these tests: they run from a checkout")
    shutil.copytree(
        REPO / "web", tmp_path / "web", ignore=shutil.ignore_patterns("node_modules")
    )
    return tmp_path


def test_without_npm_the_build_goes_on_and_says_so(tree, monkeypatch, capfd):
    monkeypatch.setenv("PATH", "")
    _, build = hook(tree)
    build.initialize("standard", {})
    assert "no npm here" in "".join(capfd.readouterr())


def test_a_failing_npm_does_not_stop_the_build(tree, monkeypatch, capfd):
    (tree / "bin").mkdir()
    npm = tree / "bin" / "npm"
    npm.write_text("#!/bin/sh\necho 'registry out of reach' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tree / 'bin'}:/bin:/usr/bin")
    _, build = hook(tree)
    build.initialize("standard", {})
    assert "registry out of reach" in "".join(capfd.readouterr())


def test_npm_is_not_called_where_the_script_is_newer_than_its_sources(tree, monkeypatch, capfd):
    module, build = hook(tree)
    script = tree / module.SCRIPT
    script.parent.mkdir(parents=True)
    script.write_text("built")
    monkeypatch.setenv("PATH", "")
    build.initialize("editable", {})
    assert "".join(capfd.readouterr()) == ""


def test_an_archive_whose_files_are_all_of_one_time_needs_no_npm(tree, monkeypatch, capfd):
    module, build = hook(tree)
    script = tree / module.SCRIPT
    script.parent.mkdir(parents=True)
    script.write_text("built")
    for path in tree.rglob("*"):
        os.utime(path, (1_580_601_600, 1_580_601_600))
    monkeypatch.setenv("PATH", "")
    build.initialize("standard", {})
    assert "".join(capfd.readouterr()) == ""


def hatchling(folder, out, kind, **environment):
    """The one file of that kind that is built from the sources in `folder`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, check=True
    )
    (built,) = (path for path in out.iterdir() if path.suffix in (".gz", ".whl"))
    return built


def test_a_wheel_from_the_source_archive_has_the_viewer_without_npm(tmp_path, needs_script):
    if not (REPO / "web").is_dir():
        pytest.skip("no web/ beside these tests: they run from a checkout")
    archive = hatchling(REPO, tmp_path / "sdist", "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    assert not (source / "web" / "node_modules").exists()
    wheel = hatchling(source, tmp_path / "wheel", "wheel", PATH="")
    with zipfile.ZipFile(wheel) as packed:
        assert "hirescam/summary/browser/viewer.js" in packed.namelist()


def test_a_script_older_than_its_sources_is_told_where_npm_is_missing(tree, monkeypatch, capfd):
    module, build = hook(tree)
    script = tree / module.SCRIPT
    script.parent.mkdir(parents=True)
    script.write_text("built")
    os.utime(script, (0, 0))
    monkeypatch.setenv("PATH", "")
    build.initialize("standard", {})
    assert "with the viewer that was made before" in "".join(capfd.readouterr())


def test_a_package_built_without_npm_refuses_to_show_with_its_cure(monkeypatch):
    monkeypatch.setattr(serve, "is_built", lambda: False)
    with pytest.raises(HirescamError, match=r"built without npm.* open report\.html"):
        serve.serve((), on_ready=print)


def test_a_port_that_is_taken_is_named(needs_script):
    with serve._listening(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HirescamError, match=f"port {port} .* choose another"):
            serve.serve((), port=port, on_ready=print)
