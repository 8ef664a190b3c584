"""A map as NIfTI: its values, and where they lie in the patient; nothing about the patient."""

import gzip
import secrets
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float, Float64

from hirescam.errors import WriteError

_SCANNER = 1  # NIfTI code: coordinates of the scanner, as the scan's own


def write_map_nifti(
    path: Path | str,
    values: Float[np.ndarray, "slice row column"],
    affine: Float64[np.ndarray, "4 4"],
) -> Path:
    """Write `values` as float32 with `affine`, which leads from slice, row, column to RAS mm.

    The file's axes are column, row, slice, so that viewers page through slices. A sheared
    grid gets an sform alone, for a qform cannot say it. The same map gives the same bytes.

    Raises `WriteError` if the disk refuses; an older file at `path` is then still whole.
    """
    path = Path(path)
    image = _image(values, affine)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed:
                    image.to_stream(packed)
            else:
                image.to_stream(raw)
        part.replace(path)
    except OSError as error:
        raise WriteError(
            f"cannot write {path}: {error.strerror}; free some space or choose another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _image(
    values: Float[np.ndarray, "slice row column"], affine: Float64[np.ndarray, "4 4"]
) -> nib.Nifti1Image:
    turned = affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(values.T.astype(np.float32, copy=False), turned)
    image.header["descrip"] = b"hirescam map, logit per cell"
    image.header.set_xyzt_units("mm")
    image.set_sform(turned, _SCANNER)
    image.set_qform(turned, 0 if _is_sheared(turned) else _SCANNER)
    return image


def _is_sheared(affine: Float64[np.ndarray, "4 4"]) -> bool:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return not np.allclose(directions.T @ directions, np.eye(3), atol=1e-4)
