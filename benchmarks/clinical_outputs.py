"""What organ language and DICOM objects cost, on a simulated chest of any spacing.

    python benchmarks/clinical_outputs.py --spacing-mm 0.8

Maps are 80 labels of noise on AxialNet's grid, so that no network's time is in the numbers.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from highdicom import UID
from measure import growth_mib, hardware, table
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

import hirescam
from hirescam.anatomy import LABELS
from hirescam.ct.grid import Cells, cell_affine
from hirescam.ct.preparation import Preparation, place
from hirescam.explanation import Explanation, Provenance
from hirescam.explanation.organ_occlusion import without_organ
from hirescam.export.dicom.objects import write_dicom
from hirescam.export.dicom.source import read_source
from hirescam.methods._audit import Guarantee, Kind

PREPARATION = Preparation()
CELLS = (Cells(1.0, 3.0, 135), Cells(128.0, 32.0, 6), Cells(128.0, 32.0, 6))


def explained(scan: hirescam.Volume) -> Explanation:
    """An explanation with maps of noise."""
    shape = tuple(axis.count for axis in CELLS)
    maps = np.random.default_rng(0).normal(size=(len(LABELS), *shape)).astype(np.float32)
    placed = place(scan, PREPARATION)
    names = [field for field in Provenance.__dataclass_fields__ if field != "notes"]
    return Explanation(
        labels=LABELS,
        logits=np.linspace(2, -2, len(LABELS), dtype=np.float32),
        offsets=np.zeros(len(LABELS), np.float32),
        slice_logits=None,
        raw_maps=maps,
        affine=cell_affine(CELLS, placed.affine),
        verdicts=(Guarantee(Kind.AFFINE, gap=1e-7, n_probes=16),) * len(LABELS),
        scan=scan,
        input_volume=placed,
        provenance=Provenance(**dict.fromkeys(names, "none") | {"method": "hirescam"}),
    )


def write_series(folder: Path, scan: hirescam.Volume) -> None:
    """The scan as one DICOM file a slice, of nobody."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ scan.affine
    slice_mm, row_mm, column_mm = scan.spacing_mm
    study, series, frame = UID(), UID(), UID()
    for index, plane in enumerate(scan.voxels):
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.update(
            {
                "SOPClassUID": CTImageStorage,
                "SOPInstanceUID": UID(),
                "Modality": "CT",
                "StudyInstanceUID": study,
                "SeriesInstanceUID": series,
                "FrameOfReferenceUID": frame,
                "ImageOrientationPatient": [*lps[:3, 2] / column_mm, *lps[:3, 1] / row_mm],
                "ImagePositionPatient": list(lps[:3] @ [index, 0, 0, 1]),
                "PixelSpacing": [row_mm, column_mm],
                "SliceThickness": slice_mm,
                "RescaleSlope": 1,
                "RescaleIntercept": 0,
                "Rows": plane.shape[0],
                "Columns": plane.shape[1],
                "SamplesPerPixel": 1,
                "PhotometricInterpretation": "MONOCHROME2",
                "BitsAllocated": 16,
                "BitsStored": 16,
                "HighBit": 15,
                "PixelRepresentation": 1,
            }
        )
        header.add_new("PixelData", "OW", plane.astype("<i2").tobytes())
        header.save_as(folder / f"{index:04}.dcm", enforce_file_format=True)


def main() -> None:
    """Print what each output costs in seconds and in memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spacing-mm", type=float, default=0.8)
    step = parser.parse_args().spacing_mm
    chest = hirescam.simulate(0, spacing_mm=(step, step, step)).volume
    rows: list[tuple[object, ...]] = []

    def measure(name: str, thing: Callable[[], object]) -> None:
        start = time.perf_counter()
        grown = growth_mib(thing)
        rows.append((name, f"{time.perf_counter() - start:.2f}", f"{grown:.0f}"))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder, chest)
        scan = hirescam.read_volume(folder)
        organs = hirescam.segment_organs(scan)
        found = explained(scan)
        source = read_source(folder)
        measure("evidence of 80 labels by organ", lambda: found.by_organ(organs))
        measure(
            "right lung filled with its surroundings",
            lambda: without_organ(found.input_volume, organs, "right_lung", PREPARATION),
        )
        measure("headers of the series read again", lambda: read_source(folder))
        measure(
            "DICOM objects, one map",
            lambda: write_dicom(
                found, source, folder / "out", organs=organs, labels=["lung_nodule"]
            ),
        )
        mib = sum(path.stat().st_size for path in (folder / "out").iterdir()) / 2**20
    print(hardware())
    print(f"Scan of {scan.shape}; DICOM objects of one map take {mib:.0f} MiB.")
    table(("output", "s", "MiB more than before"), rows)


if __name__ == "__main__":
    main()
