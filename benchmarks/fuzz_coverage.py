"""Coverage-guided fuzzing of everything that parses files of others, by atheris.

    pip install atheris
    python benchmarks/fuzz_coverage.py KIND [runs] [folder of inputs]

KIND is nifti, nrrd, metaimage, npz, dicom or card (of a model). atheris mutates inputs and
keeps those that reach new code. Each must end in one of our own errors, or be read; whatever
else ends the run with a traceback and leaves the input in a file crash-…. With a folder, inputs
that reached new code are kept there, and the next run begins with them. Without atheris, inputs
are mutated at random, and nothing guides them.
"""

import importlib.util
import io
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

MOST_BYTES = 20_000
INSTRUMENTED = ["hirescam.ct", "hirescam.models", "hirescam.parsing"]


def _imports() -> None:
    """What is to be fuzzed, imported so that atheris sees its branches."""
    import hirescam.ct.dicom.read
    import hirescam.ct.formats.metaimage
    import hirescam.ct.formats.nifti
    import hirescam.ct.formats.npz
    import hirescam.ct.formats.nrrd
    import hirescam.ct.reading
    import hirescam.models.files  # noqa: F401


def inputs(kind: str) -> Iterator[bytes]:
    """Small sound files to begin with."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from fuzz_headers import META, NRRD, VOXELS

    from make import volume
    from make_dicom import write_enhanced, write_series

    scan = volume((4, 6, 5), spacing=(3, 2, 1))
    with tempfile.TemporaryDirectory() as folder:
        if kind == "nifti":
            yield scan.to_nifti(Path(folder) / "a.nii").read_bytes()
            yield scan.to_nifti(Path(folder) / "a.nii.gz").read_bytes()
        elif kind == "nrrd":
            fields = "".join(f"{name}: {value}\n" for name, value in NRRD.items())
            yield b"NRRD0004\n" + fields.encode() + b"\n" + VOXELS
        elif kind == "metaimage":
            yield (
                "".join(f"{name} = {value}\n" for name, value in META.items()).encode() + VOXELS
            )
        elif kind == "npz":
            packed = io.BytesIO()
            np.savez_compressed(packed, ct=scan.voxels)
            yield packed.getvalue()
        elif kind == "dicom":
            yield from (
                file.read_bytes() for file in write_series(Path(folder) / "a", scan)[:2]
            )
            yield write_enhanced(Path(folder) / "b.dcm", scan).read_bytes()
        else:
            from hirescam.ct.preparation import Preparation
            from hirescam.models.model import Card

            card = Card(
                name="a",
                architecture="AxialNet",
                arguments={"widths": (4, 8)},
                labels=("lung_nodule", "mass"),
                preparation=Preparation(),
                trained_on="nothing",
                notes=("a note",),
            )
            yield card.model_dump_json().encode()


def target(kind: str, folder: Path) -> Callable[[bytes], None]:
    """Parse one input; whatever is raised but our own errors is a finding."""
    from hirescam.ct.reading import read_volume
    from hirescam.errors import HirescamError
    from hirescam.models.files import _read_header

    suffix = {"nifti": ".nii", "nrrd": ".nrrd", "metaimage": ".mha", "npz": ".npz"}.get(
        kind, ".dcm"
    )

    def parse(content: bytes) -> None:
        try:
            if kind == "card":
                _read_header("card", content.decode("utf-8", "replace"))
                return
            gz = kind == "nifti" and content.startswith(b"\x1f\x8b")
            path = folder / f"a{suffix}{'.gz' * gz}"
            path.write_bytes(content)
            read_volume(path, on_bad_geometry="repair")
        except HirescamError:
            return

    return parse


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Flipped, cut, doubled or replaced, where no atheris guides."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        if not data:
            break
        at = chance.randrange(len(data))
        how = chance.randrange(4)
        if how == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            del data[at : at + chance.randint(1, 64)]
        elif how == 2:
            data[at:at] = data[at : at + chance.randint(1, 64)]
        else:
            data[at : at + 4] = chance.choice(
                (bytes(4), b"\xff" * 4, b"9999", chance.randbytes(4))
            )
    return bytes(data[:MOST_BYTES])


def unguided(parse: Callable[[bytes], None], seeds: list[bytes], runs: int) -> None:
    """Mutations at random, told by number."""
    for number in range(runs):
        chance = random.Random(number)
        content = mutated(chance.choice(seeds), chance)
        try:
            parse(content)
        except BaseException:
            Path(f"crash-{number}").write_bytes(content)
            print(f"run {number}: the input is in crash-{number}")
            raise


def main(kind: str, runs: int, kept: Path | None) -> None:
    """Fuzz one parser so many times."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        if importlib.util.find_spec("atheris") is None:
            _imports()
            unguided(target(kind, Path(folder)), [*inputs(kind)], runs)
            print(f"{kind}: {runs} runs without guidance, {time.perf_counter() - start:.0f} s")
            return
        import atheris

        with atheris.instrument_imports(include=INSTRUMENTED):
            _imports()
        corpus = kept or Path(folder) / "inputs"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(inputs(kind)):
            (corpus / f"sound-{number}").write_bytes(content)
        options = [
            f"-runs={runs}",
            f"-max_len={MOST_BYTES}",
            "-timeout=5",
            "-rss_limit_mb=3000",
        ]
        (Path(folder) / "scan").mkdir()
        parse = target(kind, Path(folder) / "scan")
        atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], parse)
        atheris.Fuzz()


if __name__ == "__main__":
    given = sys.argv[1:]
    runs = int(given[1]) if len(given) > 1 else 100_000
    main(given[0], runs, Path(given[2]) if len(given) > 2 else None)
