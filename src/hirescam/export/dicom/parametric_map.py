"""Parametric Map: one label's map as float32 on the scan's grid, and what its numbers are.

DICOM PS3.3 A.75. A grid of cells is interpolated onto the scan's, for archives and viewers look
for voxels there: the values are for looking, and their sum means nothing.
"""

from typing import Any

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept, TextContentItem
from pydicom import Dataset
from pydicom.sr.codedict import codes

from hirescam.explanation import Explanation
from hirescam.export.dicom.codes import (
    MAP_CODES,
    Place,
    concept,
    device,
    on_grid_of,
    parameters,
)
from hirescam.export.dicom.source import SourceSeries

LOGIT = CodedConcept("{logit}", "UCUM", "logit")


def parametric_map(
    explanation: Explanation, label: str, source: SourceSeries, place: Place
) -> ParametricMap:
    """The map of `label`; window and level are the same on both sides of zero."""
    values = explanation.map_on_scan(label)
    limit = max(float(np.abs(values).max()), float(np.finfo(np.float32).tiny))
    made = ParametricMap(
        source.images,
        on_grid_of(values, explanation.scan, source),
        **place.arguments,
        **device(explanation.provenance.model_sha256[:16]),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_meaning(explanation, label, limit)],
        voi_lut_transformations=[
            VOILUTTransformation(
                window_center=0.0, window_width=2 * limit, voi_lut_function="LINEAR_EXACT"
            )
        ],
        content_label=f"MAP_{place.instance_number}",
        content_description=label[:64],
    )
    made.ContentCreatorName = ""  # of type 2, which highdicom leaves out
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_anatomy()]
    _turn(made)
    return made


def _anatomy() -> Dataset:
    """The part of the body, of which there is one; dcmqi 1.5 crashes on a map without."""
    made = Dataset()
    made.AnatomicRegionSequence = [concept(codes.SCT.Chest)]
    made.FrameLaterality = "U"  # unpaired
    return made


def _turn(made: ParametricMap) -> None:
    """Put the last frame first, so that frames follow the cross product of row and column.

    DICOM lets frames come in any order, and highdicom writes them the other way round. But the
    readers of 3D Slicer (dcmqi 1.5) and OHIF (cornerstonejs/adapters 5.14) take them as if they
    came so: they would mirror ours from head to feet.
    """
    frames = made.PerFrameFunctionalGroupsSequence
    frames.reverse()
    for number, frame in enumerate(frames, start=1):
        frame.FrameContentSequence[0].DimensionIndexValues = [number]
    values = np.frombuffer(made.FloatPixelData, np.float32).reshape(len(frames), -1)
    made.FloatPixelData = values[::-1].tobytes()


def _meaning(explanation: Explanation, label: str, limit: float) -> RealWorldValueMapping:
    """What a value is: its unit, its kind, and the algorithm that made it."""
    made_by = explanation.provenance
    mapping = RealWorldValueMapping(
        lut_label="LOGIT",
        lut_explanation=f"{made_by.method} of {label}"[:64],
        unit=LOGIT,
        value_range=(-limit, limit),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concept(MAP_CODES[explanation.guarantees[label].kind]),
    )
    told = {
        codes.DCM.AlgorithmName: made_by.method,
        codes.DCM.AlgorithmVersion: f"hirescam {made_by.hirescam}",
        codes.DCM.AlgorithmParameters: "; ".join(
            f"{name}: {value}" for name, value in parameters(made_by).items()
        ),
        codes.DCM.Comment: explanation.guarantees[label].sentence(made_by.method),
    }
    items: list[Any] = mapping.QuantityDefinitionSequence  # of text as well as codes
    items.extend(TextContentItem(name=concept(name), value=text) for name, text in told.items())
    return mapping
