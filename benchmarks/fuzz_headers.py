"""Attacked NRRD and MetaImage headers: only our own errors, soon, and no bytes of other files.

    python benchmarks/fuzz_headers.py [files, 20000 by default] [first seed]

Each file is a small sound one whose text header its seed attacks: fields left out, doubled, in
another order, very long, with numbers that no scan has, or naming other files of the machine;
or whose voxels are cut. It must be read as a volume, or end in a `ReadError` of one line that
repeats nothing of the header's text, within 5 s. No file is opened outside its folder, and none
but the file of voxels that lies beside it. Each thousand is read in a process of its own, so
that a signal is counted; what fails is told by its seed, and the exit code is then 1.
"""

import bz2
import gzip
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

from measure import hardware, table

from hirescam.ct.reading import read_volume
from hirescam.errors import ReadError

PLANTED, MOST_SECONDS, EACH = "PLANTED", 5.0, 1000
SHAPE, BYTES = (6, 5, 4), 240
VOXELS = bytes(range(240))
NRRD = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "6 5 4",
    "space directions": "(1,0,0) (0,1,0) (0,0,2)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(1,2,3)",
    "content": PLANTED,
}
META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "1 2 3",
    "ElementSpacing": "1 1 2",
    "DimSize": "6 5 4",
    "Name": PLANTED,
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
FILES = (
    "scan.raw",
    "./scan.raw",
    "sub/scan.raw",
    "LIST",
    "list",
    "LIST 2",
    "LOCAL",
    "local",
    "%03d",
    "%03d.raw 1 4 1",
    "scan%d.raw 0 9 1",
    "/etc/passwd",
    "/dev/zero",
    "../secret.raw",
    "sub/../../secret.raw",
    "~/secret.raw",
    "C:\\secret.raw",
    "..\\secret.raw",
    "file:///etc/passwd",
    "",
    " ",
    ".",
    "..",
    "scan.raw\0.txt",
    "a" * 5000,
    "link.raw",
    "scan.nrrd",
    "scan.mha",
)
WORDS = (
    "",
    "0",
    "-1",
    "1",
    "2",
    "3",
    "4",
    "100",
    "65536",
    "2147483647",
    "-2147483648",
    "1e308",
    "1e-308",
    "nan",
    "inf",
    "-inf",
    "9" * 400,
    "0x10",
    "1_0",
    "\u0661",
    "none",
    "(",
    ")",
    "()",
    "(1,0",
    "true",
    "T",
    "False",
    "x" * 300,
    "x" * 1020,
    "y" * 70_000,
    "short",
    "MET_DOUBLE",
    "block",
    "MET_UCHAR_ARRAY",
    "gzip",
    "bzip2",
    "hex",
    "ascii",
    "%s%n%x",
    "\t",
    "=",
    ":",
    ":=",
    "#",
)
FIELDS = (
    "space units",
    "spacings",
    "thicknesses",
    "axis mins",
    "block size",
    "old min",
    "byte skip",
    "line skip",
    "data file",
    "datafile",
    "space dimension",
    "measurement frame",
    "sample units",
    "HeaderSize",
    "Position",
    "Orientation",
    "CenterOfRotation",
    "AnatomicalOrientation",
    "ElementSize",
    "ElementNumberOfChannels",
    "ElementMin",
    "ElementMax",
    "Color",
    "ID",
    "ParentID",
    "CompressedDataSize",
    "DistanceUnits",
    "Modality",
    "SequenceID",
    "ElementByteOrderMSB",
    "ElementToIntensityFunctionSlope",
    "x" * 1020,
    "\0",
    "Name",
    "Comment",
)


def attacked(seed: int) -> tuple[str, bytes]:
    """Name and content of the file that belongs to `seed`."""
    chance = random.Random(seed)
    nrrd = chance.random() < 0.5
    fields = [*(NRRD if nrrd else META).items()]
    for _ in range(chance.randint(1, 4)):
        fields = chance.choice((_revalued, _revalued, _doubled, _dropped, _added, _shuffled))(
            fields, chance
        )
    if chance.random() < 0.3:
        named = ("data file" if nrrd else "ElementDataFile", chance.choice(FILES))
        fields = [each for each in fields if each[0] != named[0]] + [named]
    end = chance.choice(("\n", "\n", "\n", "\r\n", "\r", ""))
    between = ": " if nrrd else " = "
    text = end.join(f"{name}{between}{value}" for name, value in fields)
    head = (f"NRRD000{chance.choice('123459')}{end}" if nrrd else "") + text + end
    pack = {"gzip": gzip.compress, "bzip2": bz2.compress}.get(dict(fields).get("encoding", ""))
    if dict(fields).get("CompressedData") == "True":
        pack = zlib.compress
    voxels = pack(VOXELS) if pack else VOXELS
    content = (head + end * nrrd).encode("utf-8", "replace") + voxels
    if chance.random() < 0.2:
        content = content[: chance.randrange(len(content))]
    if chance.random() < 0.2:
        at = chance.randrange(len(content) + 1)
        content = content[:at] + chance.randbytes(chance.randint(1, 40)) + content[at + 8 :]
    suffix = chance.choice((".nrrd", ".nhdr") if nrrd else (".mha", ".mhd"))
    return f"scan{suffix}", content


_Fields = list[tuple[str, str]]


def _revalued(fields: _Fields, chance: random.Random) -> _Fields:
    at = chance.randrange(len(fields)) if fields else 0
    name, value = fields[at] if fields else ("sizes", "")
    words = value.split(" ")
    where = chance.randrange(len(words))
    words[where] = chance.choice((*WORDS, *words))
    new = chance.choice((" ".join(words), chance.choice(WORDS), value * 3, value + " 1"))
    return [*fields[:at], (name, new), *fields[at + 1 :]]


def _doubled(fields: _Fields, chance: random.Random) -> _Fields:
    return [*fields, *[(name, chance.choice(WORDS)) for name, _ in fields[:1]], *fields[-1:]]


def _dropped(fields: _Fields, chance: random.Random) -> _Fields:
    gone = chance.randrange(len(fields) + 1)
    return [*fields[:gone], *fields[gone + 1 :]]


def _added(fields: _Fields, chance: random.Random) -> _Fields:
    at = chance.randrange(len(fields) + 1)
    new = chance.choice(FIELDS), chance.choice((*WORDS, *FILES))
    return [*fields[:at], new, *fields[at:]]


def _shuffled(fields: _Fields, chance: random.Random) -> _Fields:
    return chance.sample(fields, len(fields))


def write_traps(folder: Path) -> Path:
    """A folder to read in, with a file of voxels, and beside it what must never be opened."""
    inside = folder / "in"
    (inside / "sub").mkdir(parents=True)
    (folder / "secret.raw").write_bytes(b"secret" * 40)
    (inside / "scan.raw").write_bytes(VOXELS)
    (inside / "sub/scan.raw").write_bytes(VOXELS)
    for name in ("LIST", "%03d", "scan0.raw"):
        (inside / name).write_bytes(b"secret" * 40)
    return inside


OPENED: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str):
        OPENED.append(arguments[0])


def outcome(seed: int, inside: Path) -> tuple[str, str]:
    """What reading the file of a seed came to, and what is at fault with that, if anything."""
    name, content = attacked(seed)
    path = inside / name
    path.write_bytes(content)
    OPENED.clear()
    start = time.perf_counter()
    came, said = "read", ""
    try:
        voxels = read_volume(path).voxels
        said = "holds bytes of other files" if b"secret" in voxels.tobytes() else ""
    except ReadError as error:
        came, text = type(error).__name__, str(error)
        if (
            "\n" in text
            or PLANTED in text
            or not text.startswith(f"{name}: ")
            or len(text) > 400
        ):
            said = f"is unclear or betrays the header: {text[:200]}"
    except BaseException as error:
        came = said = f"{type(error).__name__}: {error}"
    if time.perf_counter() - start > MOST_SECONDS:
        said = "took long"
    allowed = {str(path), str(inside / "scan.raw"), str(inside / "sub/scan.raw")}
    allowed |= {str(inside / other) for other in ("scan.nrrd", "scan.mha")}
    foreign = [
        each for each in OPENED if each not in allowed and not each.endswith((".py", ".pyc"))
    ]
    path.unlink()
    return came, said or (f"opened {foreign[0]}" if foreign else "")


def many(files: int, first: int) -> int:
    """Read the files of some seeds, print what came of each; how many are at fault."""
    sys.addaudithook(_watch)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        inside = write_traps(Path(folder))
        for seed in range(first, first + files):
            came, fault = outcome(seed, inside)
            print(f"{came}\t{seed}\t{fault}" if fault else came)
            faults += bool(fault)
    return faults


def main(files: int, first: int) -> int:
    """Read all files, a thousand in one process; print a table and return how many failed."""
    counts: Counter[str] = Counter()
    faults = []
    start = time.perf_counter()
    for begin in range(first, first + files, EACH):
        command = [
            sys.executable,
            __file__,
            "many",
            str(min(EACH, first + files - begin)),
            str(begin),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        lines = run.stdout.splitlines()
        counts.update(line.split("\t")[0] for line in lines)
        faults += [line for line in lines if "\t" in line]
        if run.returncode < 0:
            faults.append(f"signal {-run.returncode} at seed {begin + len(lines)}")
        elif run.stderr:
            faults.append(f"printed {run.stderr[:200]!r} from seed {begin} on")
    seconds = time.perf_counter() - start
    print(f"{files} attacked headers, seeds from {first}, {seconds:.0f} s; {hardware()}\n")
    table(("outcome", "files"), counts.most_common())
    print("\n".join(faults))
    print(f"{len(faults)} at fault")
    return len(faults)


if __name__ == "__main__":
    if sys.argv[1:2] == ["many"]:
        sys.exit(bool(many(int(sys.argv[2]), int(sys.argv[3]))))
    files, first = [int(argument) for argument in sys.argv[1:]] + [20_000, 0][
        len(sys.argv) - 1 :
    ]
    sys.exit(bool(main(files, first)))
