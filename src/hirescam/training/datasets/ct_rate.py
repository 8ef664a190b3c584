"""CT-RATE as published: a table of 18 labels for each split, scans in folders of their patient.

Its validation split is `valid` here, and there is no test split. Names are those of the view
`ct_rate`. They name no place, so a table says in which organs each may lie.
Hamamci et al., arXiv:2403.17834; https://huggingface.co/datasets/ibrahimhamamci/CT-RATE
"""

from pathlib import Path

from hirescam.anatomy import ORGANS
from hirescam.errors import ReadError
from hirescam.training.datasets.cases import Case, Cases, case, number, rows, scans_in, stem

TABLES = {"train": "train_predicted_labels.csv", "valid": "valid_predicted_labels.csv"}

_LUNGS = ("right_lung", "left_lung")
_MEDIASTINUM = ("mediastinum",)
LIES_IN = {
    "medical_material": ORGANS,
    "arterial_wall_calcification": _MEDIASTINUM,
    "cardiomegaly": _MEDIASTINUM,
    "pericardial_effusion": _MEDIASTINUM,
    "coronary_artery_wall_calcification": _MEDIASTINUM,
    "hiatal_hernia": _MEDIASTINUM,
    "lymphadenopathy": _MEDIASTINUM,
    "emphysema": _LUNGS,
    "atelectasis": _LUNGS,
    "lung_nodule": _LUNGS,
    "lung_opacity": _LUNGS,
    "pulmonary_fibrotic_sequela": _LUNGS,
    "pleural_effusion": _LUNGS,
    "mosaic_attenuation_pattern": _LUNGS,
    "peribronchial_thickening": _LUNGS,
    "consolidation": _LUNGS,
    "bronchiectasis": _LUNGS,
    "interlobular_septal_thickening": _LUNGS,
}


def read(folder: Path, labels: tuple[str, ...], view: str) -> Cases:
    """The cases of a folder that holds the tables and the scans, both at any depth."""
    unknown = [label for label in labels if label not in LIES_IN]
    if unknown:
        raise ReadError(
            f"CT-RATE has no label {unknown[0]!r}: set labels to some of {', '.join(LIES_IN)}"
        )
    anatomy = {label: LIES_IN[label] for label in labels}
    scans = scans_in(folder)
    splits: dict[str, tuple[Case, ...]] = {"test": ()}
    absent = 0
    for split, name in TABLES.items():
        found = sorted(folder.rglob(name))
        if not found:
            raise ReadError(f"{folder.name} holds no {name}: give the folder of CT-RATE")
        cases = []
        for row in rows(found[0]):
            id = stem(row["VolumeName"])
            if id not in scans:
                absent += 1
                continue
            columns = {_plain(column): column for column in row}
            values = {label: number(row, columns[label]) for label in labels}
            cases.append(case(id, scans[id], anatomy, values, reported={}))
        splits[split] = tuple(cases)
    return Cases(anatomy, splits, absent)


def _plain(column: str) -> str:
    return column.strip().lower().replace(" ", "_")
