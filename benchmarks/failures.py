"""The gallery of failures: where the packaged model errs, and what its maps look like there.

    python benchmarks/failures.py FOLDER

Of simulated chests that it was not trained on, those on which it errs most are explained; their
pictures go to FOLDER, docs/images for the gallery in docs/gallery/failures.md.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import hirescam
from hirescam import methods
from hirescam.ct.preparation import network_input, place
from hirescam.experiments.demo import FIRST_HELD_OUT, SHOWN_SPACING_MM, measure
from hirescam.home import packaged_model_path
from hirescam.summary.colours import shared_scale
from hirescam.summary.findings import findings
from hirescam.summary.pictures import build_stage, lesion_on_stage, montage

LABEL, CHESTS = "lung_nodule", 48


def draw(seed: int, path: Path) -> str:
    """The picture of one chest's map, and its probability in words."""
    chest = hirescam.simulate(seed, spacing_mm=SHOWN_SPACING_MM)
    found = hirescam.explain(hirescam.load_model(packaged_model_path()), chest.volume)
    (row,) = findings(found, [LABEL])
    stage = build_stage(found.input_volume, found.raw_maps.shape[1:], found.affine)
    mask = chest.masks.get(LABEL)
    lesion = None if mask is None else lesion_on_stage(mask, chest.volume.affine, stage)
    if mask is not None and not row.values.any():  # cut through what was overlooked
        centre = chest.volume.affine @ [*np.argwhere(mask).mean(axis=0), 1]
        at = (float(centre[0]), float(centre[1]), float(centre[2]))
        row = replace(row, peak=replace(row.peak, patient_mm=at))
    picture = montage(row, stage, found.affine, shared_scale(row.values[None]), lesion)
    picture.save(path, quality=85)
    return f"seed {seed}: probability {row.probability:.3f}, map sum {row.map_sum:+.2f}"


def at_an_earlier_layer(seed: int) -> str:
    """How far a map of an earlier layer is from the score that it is taken to explain."""
    model = hirescam.load_model(packaged_model_path())
    chest = hirescam.simulate(seed, spacing_mm=SHOWN_SPACING_MM)
    x = network_input(place(chest.volume, model.preparation), model.preparation)
    column = model.labels.index(LABEL)
    told = []
    for layer in ("features.layers.3", "features"):
        maps = methods.hirescam(model.network, x[None], layer=layer, targets=[column])
        verdict = methods.audit(model.network, x[None], layer=layer, targets=[column])
        told.append(f"{layer}: sum {maps.sum():+.2f}, {verdict.kind}, gap {verdict.gap:.0e}")
    with torch.no_grad():
        evidence = model.network(x[None])[0, column] - model.network.head.bias[column]
    return f"score − constant {evidence:+.2f}; " + "; ".join(told)


def main() -> None:
    folder = Path(sys.argv[1])
    seeds = range(FIRST_HELD_OUT, FIRST_HELD_OUT + CHESTS)
    held_out = measure(packaged_model_path(), seeds, 2, lambda name, done, of: None)
    column = held_out.labels.index(LABEL)
    truth, scores = held_out.truth[:, column], held_out.scores[:, column]
    invented = seeds[int(np.where(truth, -np.inf, scores).argmax())]
    overlooked = seeds[int(np.where(truth, scores, np.inf).argmin())]
    elsewhere = np.where(held_out.hits[:, column] == 0, scores, -np.inf)
    beside = seeds[int(elsewhere.argmax())]
    for name, seed in (("invented", invented), ("overlooked", overlooked), ("beside", beside)):
        print(f"{name}: {draw(seed, folder / f'failure-{name}.webp')}")
    print(f"earlier layer, seed {beside}: {at_an_earlier_layer(beside)}")


if __name__ == "__main__":
    main()
