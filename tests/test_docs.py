import re
import shlex
from shutil import make_archive

import nibabel as nib
import pytest
import typer

import hirescam
from hirescam.cli.main import app
from hirescam.models.files import new_model
from make import REPO
from make_dicom import setting, write_series

PAGES = sorted([REPO / "README.md", *(REPO / "docs").rglob("*.md")])
COMMANDS = typer.main.get_command(app).commands
OPTIONS = {
    name: {
        spelling
        for parameter in command.params
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling.startswith("-")
    }
    for name, command in COMMANDS.items()
}
LABELS = ("heart_cardiomegaly", "lung_nodule")


def blocks(text, language):
    """What stands between fences of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def command_lines(text):
    """What a reader is told to type, as words; comments are dropped."""
    return [
        shlex.split(line.removeprefix("$ "), comments=True)
        for block in blocks(text, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def sections(text):
    """What stands under each second-level heading."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def pages_with(language):
    found = [page for page in PAGES if blocks(page.read_text(), language)]
    assert found, f"no page has a {language} block: has the fence changed?"
    return pytest.mark.parametrize("page", found, ids=lambda page: page.stem)


@pytest.fixture(scope="module")
def belongings(tmp_path_factory):
    """What readers are taken to have: a scan, a model, a study in DICOM, an upload."""
    folder = tmp_path_factory.mktemp("belongings")
    chest = hirescam.simulate(0, spacing_mm=(12.0, 8.0, 8.0)).volume
    nib.save(nib.Nifti1Image(chest.voxels, chest.affine), folder / "scan.nii.gz")
    named = setting(
        SeriesInstanceUID="1.2.840.113619.2.55.3.2840", StudyInstanceUID="1.2.840.5"
    )
    write_series(folder / "study", chest, change=named)
    make_archive(folder / "upload", "zip", folder / "study")
    small = hirescam.Preparation(shape=(24, 128, 128), spacing_mm=(12.0, 3.0, 3.0))
    model = new_model(
        name="small",
        labels=LABELS,
        preparation=small,
        trained_on="nothing",
        arguments={"widths": (4, 4, 4, 4), "blocks": (1, 1, 1, 1), "neck": (4,)},
    )
    hirescam.save_model(model, folder / "my.model")
    return folder


@pages_with("python")
def test_python_on_a_page_runs_from_top_to_bottom(page, belongings, tmp_path, monkeypatch):
    for owned in belongings.iterdir():
        (tmp_path / owned.name).symlink_to(owned)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page.read_text(), "python"):
        exec(compile(block, page.name, "exec"), names)


@pages_with("console")
def test_commands_on_a_page_exist_with_their_options(page):
    verbs = re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
    for program, *words in command_lines(page.read_text()):
        if program == "make":
            assert words[0] in verbs
        elif program == "hirescam" and not words[0].startswith("-"):
            used = {word.split("=")[0] for word in words if word.startswith("-")}
            assert used <= OPTIONS[words[0]] | {"--help"}, f"hirescam {words[0]}"


def test_the_reference_has_one_section_for_each_command():
    told = sections((REPO / "docs/reference/cli.md").read_text())
    assert {title.removeprefix("hirescam ") for title in told if "hirescam" in title} == set(
        COMMANDS
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_tells_exactly_the_options_a_command_has(command):
    told = sections((REPO / "docs/reference/cli.md").read_text())[f"hirescam {command}"]
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", told)) == OPTIONS[command]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_on_a_page_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not gone


def test_every_file_of_the_drawn_tree_is_there():
    page = (REPO / "docs/why/architecture.md").read_text().partition("## 3 ")[0]
    (tree,) = re.findall(r"^```\n(src/hirescam/.*?)^```$", page, re.DOTALL | re.MULTILINE)
    inside = tree.partition("web/src/")[0]
    found = {path.name for path in (REPO / "src/hirescam").rglob("*.py")}
    named = set(re.findall(r"(\w+\.py)\b", inside))
    assert named <= found, named - found
    for folder in re.findall(r"^  (\w+)/ ", inside, re.MULTILINE):
        assert (REPO / "src/hirescam" / folder).is_dir()
    drawn = set(re.findall(r"^  (\w+)/ ", inside, re.MULTILINE))
    assert drawn == {p.parent.name for p in (REPO / "src/hirescam").glob("*/__init__.py")}
