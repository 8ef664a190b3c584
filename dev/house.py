"""The house in numbers: how large files are, how many records there are, how far calls go.

    python dev/house.py          sizes, imports, records, names used more than twice
    python dev/house.py calls    also: the files that five calls enter

The figures show a direction (docs/why/architecture.md, section 9), they are no limits.
"""

import ast
import contextlib
import io
import statistics
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "hirescam"
SHORT = 60
RECORD_BASES = {"BaseModel", "NamedTuple", "TypedDict"}


def source_files() -> list[Path]:
    """Files with code: packages that only name what is inside are left out."""
    files = sorted(PACKAGE.rglob("*.py"))
    return [path for path in files if path.name != "__init__.py" or _lines(path) > 10]


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def imports(tree: ast.AST) -> int:
    return sum(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))


def records(tree: ast.AST) -> list[str]:
    """Names of classes that only hold values: dataclasses, pydantic models, named tuples."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return [each.name for each in classes if _is_record(each)]


def _is_record(node: ast.ClassDef) -> bool:
    decorators = [
        each.func if isinstance(each, ast.Call) else each for each in node.decorator_list
    ]
    names = {ast.unparse(each).rpartition(".")[2] for each in (*decorators, *node.bases)}
    return bool(names & ({"dataclass"} | RECORD_BASES))


def repeated(names: list[str]) -> str:
    found = [f"{name} ({times})" for name, times in Counter(names).most_common() if times > 2]
    return ", ".join(found) or "none"


def entered(call: Callable[[], object]) -> list[str]:
    """The files of the package in which a call enters a function, in any thread."""
    found: set[str] = set()

    def see(frame, event, argument):
        if event == "call" and frame.f_code.co_name != "<module>":
            found.add(frame.f_code.co_filename)

    call()  # what is imported and cached at first use does not count
    threading.setprofile(see)
    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(
        Path(name).relative_to(PACKAGE).as_posix()
        for name in found
        if name.startswith(str(PACKAGE))
    )


def calls(folder: Path) -> dict[str, tuple[Callable[[], object], int]]:
    """Five calls that users make, each with the number of files that it should stay below."""
    sys.path.insert(0, str(PACKAGE.parents[1] / "tests"))
    import hirescam
    from hirescam.models.files import new_model
    from make_dicom import write_series

    chest = hirescam.simulate(0, spacing_mm=(6.0, 4.0, 4.0)).volume
    preparation = hirescam.Preparation(
        spacing_mm=(6.0, 4.0, 4.0), shape=(48, 96, 96), interpolation="linear"
    )
    model = new_model(
        name="small",
        labels=("heart_cardiomegaly", "lung_nodule"),
        preparation=preparation,
        trained_on="nothing",
        arguments={"widths": (8, 16), "blocks": (1, 1), "neck": (8, 6)},
    )
    explanation = hirescam.explain(model, chest)
    series = folder / "series"
    write_series(series, chest)
    text = "FINDINGS: No effusion. A nodule in the right upper lobe, 14 mm."

    def write_summary() -> None:
        hirescam.write_summary(explanation, Path(tempfile.mkdtemp(dir=folder)) / "out")

    return {
        "explain": (lambda: hirescam.explain(model, chest), 12),
        "write_summary": (write_summary, 14),
        "label_reports, one report": (lambda: hirescam.label_reports({"one": text}), 9),
        "segment_organs": (lambda: hirescam.segment_organs(chest), 11),
        "read_volume, a DICOM folder": (lambda: hirescam.read_volume(series), 12),
    }


def main(arguments: list[str]) -> None:
    files = source_files()
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    lines = [_lines(path) for path in files]
    held = [name for tree in trees.values() for name in records(tree)]
    short = sum(count < SHORT for count in lines) / len(files)
    per_100 = 100 * sum(map(imports, trees.values())) / sum(lines)
    print(f"files                        {len(files)}   (at most 220)")
    print(f"lines, median                {statistics.median(lines):.0f}   (at least 150)")
    print(f"files under {SHORT} lines         {short:.0%}")
    print(f"imports in 100 lines         {per_100:.1f}   (at most 4.5)")
    print(f"record types                 {len(held)}   (at most 120)")
    print(f"records named thrice         {repeated(held)}")
    named = [path.stem for path in files if path.name != "__init__.py"]
    print(f"files named thrice           {repeated(named)}")
    if "calls" in arguments:
        with tempfile.TemporaryDirectory() as folder:
            for name, (call, most) in calls(Path(folder)).items():
                with contextlib.redirect_stdout(io.StringIO()):
                    found = entered(call)
                print(f"{name + ', files':28} {len(found)}   (at most {most})")
                if "-v" in arguments:
                    print("    " + ", ".join(found))


if __name__ == "__main__":
    main(sys.argv[1:])
