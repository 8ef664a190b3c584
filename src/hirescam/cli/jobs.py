"""Jobs: which scans a command works on, and the files that it makes of each."""

from dataclasses import dataclass
from pathlib import Path

from hirescam.errors import ReadError, WriteError

# Formats that keep a scan in one file; a folder is taken for a DICOM series.
SCANS = (".nii.gz", ".nii", ".npz", ".nrrd", ".nhdr", ".mha", ".mhd")
MASKS = (".nii.gz", ".nii", ".dcm", "")
_NO_FOLDERS = (*SCANS[2:], ".dcm", ".gz", ".jpg", ".json", ".png")


@dataclass(frozen=True)
class Job:
    """One scan, the files to make of it, and the masks that another program made of it."""

    scan: Path
    out: Path
    preview: Path | None = None
    masks: Path | None = None


def list_jobs(
    scan: Path, out: Path, *, preview: Path | None = None, masks: Path | None = None
) -> list[Job]:
    """One job if `out` is a NIfTI file; if it is a folder, one for each scan within `scan`.

    For many scans `preview` and `masks` are folders too; files there are named after the scans.
    """
    inside = _scans_inside(scan)
    if out.name.lower().endswith((".nii", ".nii.gz")):
        if any(path.is_file() for path in inside):
            raise WriteError(
                f"{scan} holds {len(inside)} scans, which one file cannot hold: give a folder "
                f"as --out"
            )
        return [Job(scan, out, preview, masks)]
    if out.name.lower().endswith(_NO_FOLDERS):
        raise WriteError(
            f"masks are written as .nii.gz: end {out.name} so, or give a folder as --out"
        )
    if out.absolute() == scan.absolute():
        raise WriteError(f"{out} is where the scans are: give another folder as --out")
    scans = inside or [scan]
    names = _names(scans)
    return [
        Job(
            path,
            out / f"{name}.nii.gz",
            preview / f"{name}.png" if preview else None,
            _masks_of(name, masks) if masks and inside else masks,
        )
        for path, name in zip(scans, names, strict=True)
    ]


def _scans_inside(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in visible if path.is_dir() or _suffix(path))


def _suffix(scan: Path) -> str:
    return next((suffix for suffix in SCANS if scan.name.lower().endswith(suffix)), "")


def _names(scans: list[Path]) -> list[str]:
    """Names without suffixes, or with them where two scans would share one."""
    whole = [scan.absolute().name for scan in scans]
    bare = [
        name[: len(name) - len(_suffix(scan))] for name, scan in zip(whole, scans, strict=True)
    ]
    return bare if len(set(bare)) == len(bare) else whole


def _masks_of(name: str, folder: Path) -> Path:
    candidates = [folder / f"{name}{suffix}" for suffix in MASKS]
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise ReadError(
            f"{folder} holds no masks of {name}: name them after the scans, as "
            f"{candidates[0].name}"
        )
    return found
