"""Plan: what RAD-ChestCT and larger sets cost, from what each step costs on this machine.

Every step runs on one simulated chest in the layout of RAD-ChestCT, on one core. Training and
explaining are told for a graphics card, on paper: the network's measured operations over the
range of speeds that one is assumed to keep up. Prices are assumptions too.

The range and its basis: 60 TFLOP/s is what published ResNet-50 training figures of an A100
come to (some 2,500 images a second in mixed precision, at three times 8.2 GFLOP each); 150 is
half of that card's dense bf16 peak of 312, which only large matrix products keep up.

    python benchmarks/plan.py                         a chest at 0.8 mm, some minutes
    python benchmarks/plan.py --slice-mm 16           a quick look at the table itself
    python benchmarks/plan.py --card-tflops 80 120 --core-hour 0.03
"""

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from measure import hardware, table
from torch.utils.flop_counter import FlopCounterMode

import hirescam
from hirescam.anatomy import LABELS
from hirescam.ct.packed import read_packed
from hirescam.ct.preparation import Preparation, windowed
from hirescam.ct.volume import Volume
from hirescam.models.files import new_model
from hirescam.organs.files import save_organs
from hirescam.training.datasets.cases import Case
from hirescam.training.objective import Objective
from hirescam.training.prepared import Files, grid_of, prepare

SETS = {"public 10 %": 3_630, "RAD-ChestCT": 36_316, "a million": 1_000_000}
EPOCHS = 30  # the published runs end by patience; more is a matter of one factor
HOUR = 3600
REPORTS = 2_000


@dataclass(frozen=True)
class Costs:
    """What one scan takes: seconds of one core, MB on disk, and 10¹² operations."""

    seconds: dict[str, float]
    megabytes: dict[str, float]
    tflop_forward: float
    tflop_step: float


def measured(folder: Path, slice_mm: float) -> Costs:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = new_model(
        name="random",
        labels=LABELS,
        preparation=_preparation(slice_mm),
        trained_on="nothing: random weights",
    )
    case = _case(folder, slice_mm)
    grid = grid_of(model)
    seconds, files = {}, Files(folder, None)

    def timed(name, step):
        began = perf_counter()
        result = step()
        seconds[name] = perf_counter() - began
        return result

    written = [_report(seed) for seed in range(40)]
    reports = {f"{number}": written[number % 40] for number in range(REPORTS)}
    hirescam.label_reports({"none": ""})  # so that the vocabulary is there
    timed("label the report", lambda: hirescam.label_reports(reports))
    seconds["label the report"] /= REPORTS
    volume = timed("read the scan", lambda: hirescam.read_volume(case.scan))
    files = timed("fill the cache", lambda: prepare(case, grid, folder, with_organs=False))
    organs = timed("segment organs", lambda: hirescam.segment_organs(volume))
    with_masks = replace(case, organs=save_organs(organs, folder / "organs.nii.gz"))
    files = timed(
        "regions on the map", lambda: prepare(with_masks, grid, folder, with_organs=True)
    )
    voxels = timed("read the cache", lambda: torch.from_numpy(read_packed(files.voxels)))
    x = timed("to the network's input", lambda: windowed(voxels, grid.preparation))
    forward, step = _operations(model, x)
    seconds["train, one step (bf16)"] = _step_seconds(model, x, grid)
    found = timed("explain", lambda: hirescam.explain(model, volume))
    timed("write the explanation", lambda: _written(found, folder, organs))
    megabytes = {
        "scans as published (npz)": _megabytes(case.scan),
        "cache": _megabytes(files.voxels),
        "regions": _megabytes(files.organs),
        "organ masks": _megabytes(with_masks.organs),
        "explanations without pages": _megabytes(folder / "explained"),
    }
    return Costs(seconds, megabytes, forward, step)


def _report(seed):
    return hirescam.simulate(seed, spacing_mm=(12.0,) * 3).report


def _preparation(slice_mm):
    """The published grid, with fewer slices where they are thicker."""
    slices = 3 * round(135 * 0.8 / slice_mm)
    return Preparation(spacing_mm=(slice_mm, 0.8, 0.8), shape=(slices, 420, 420))


def _case(folder, slice_mm):
    """A simulated chest as RAD-ChestCT stores it; with thicker slices as NIfTI."""
    chest = hirescam.simulate(17, spacing_mm=(slice_mm, 0.8, 0.8)).volume
    voxels = chest.voxels.clip(-1000, 1000)
    if slice_mm == 0.8:
        path = folder / "one.npz"
        np.savez_compressed(path, ct=voxels)
    else:
        path = Volume(voxels, chest.affine).to_nifti(folder / "one.nii.gz")
    nothing = np.zeros(len(LABELS), np.float32)
    return Case("one", path, nothing, np.zeros((len(LABELS), 3), bool))


def _operations(model, x):
    """10¹² operations of a forward pass and of a training step, counted on part of a scan."""
    part = x[: max(len(x) // 9, 1)][None]
    share = len(x) / part.shape[1]
    network = model.network.train()
    with FlopCounterMode(display=False) as forward:
        scores = network(part)
    with FlopCounterMode(display=False) as backward:
        scores.sum().backward()
    network.zero_grad()
    ahead, back = forward.get_total_flops() / 1e12, backward.get_total_flops() / 1e12
    return ahead * share, (ahead + back) * share


def _step_seconds(model, x, grid):
    """A step with mask loss on part of a scan, the second of two, for the whole scan."""
    part = x[: max(len(x) // 9, 1)][None]
    objective = Objective(model.network.train(), mask_loss="published")
    optimiser = torch.optim.SGD(model.network.parameters(), lr=1e-3, momentum=0.99)
    labels = torch.zeros(1, len(LABELS))
    on_map = len(LABELS), part.shape[1], *grid.map_shape[1:]
    allowed = torch.zeros(1, *on_map, dtype=torch.bool)
    for _ in range(2):
        began = perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = objective(part, labels, allowed)
        torch.autograd.backward(losses.total)
        optimiser.step()
        took = perf_counter() - began
    model.network.eval()
    return took * len(x) / part.shape[1]


def _written(found, folder, organs):
    hirescam.write_summary(found, folder / "explained", organs=organs, pages=False)


def _megabytes(path):
    parts = path.rglob("*") if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file()) / 1e6


def told(costs: Costs, prices: argparse.Namespace) -> None:
    """The constants, and what they come to."""
    print("| one scan | |\n|---|---|")
    for name, value in costs.seconds.items():
        print(f"| {name} | {value:.3g} s of one core |")
    for name, value in costs.megabytes.items():
        print(f"| {name} | {value:.3g} MB |")
    slow, fast = sorted(prices.card_tflops)
    steps = [costs.tflop_step / speed for speed in (fast, slow)]
    passes = [costs.tflop_forward / speed for speed in (fast, slow)]
    reading = costs.seconds["read the cache"]
    print(f"| operations of a training step | {costs.tflop_step:.3g} TFLOP |")
    print(
        f"| a step on a card that keeps up {slow:g} to {fast:g} TFLOP/s | {_range(steps)} s; "
        f"{_range([reading / step for step in reversed(steps)])} cores read ahead for it |"
    )
    once = ("label the report", "fill the cache", "segment organs", "regions on the map")
    cores = {name: [costs.seconds[name]] for name in once}
    cores["write explanations"] = [costs.seconds["write the explanation"]]
    cards = {"train": [step * EPOCHS for step in steps], "explain": passes}
    terabyte_months = sum(costs.megabytes.values()) / 1e6
    print(f"\nWhole sets; training is {EPOCHS} epochs, hours are of one core or of one card:\n")
    rows = [
        (f"{name}, TB", *(f"{count * size / 1e6:.3g}" for count in SETS.values()))
        for name, size in costs.megabytes.items()
    ]
    for unit, price, of_unit in (
        ("core", prices.core_hour, cores),
        ("card", prices.card_hour, cards),
    ):
        for name, seconds in of_unit.items():
            hours = [[count * each / HOUR for each in seconds] for count in SETS.values()]
            rows.append((f"{name}, {unit} hours", *(_range(each, ",.0f") for each in hours)))
            dollars = [[price * each for each in ends] for ends in hours]
            rows.append((f"{name}, $", *(_range(each, ",.0f") for each in dollars)))
    monthly = [count * terabyte_months * prices.terabyte_month for count in SETS.values()]
    rows.append(("storage, $ a month", *(f"{each:,.0f}" for each in monthly)))
    table(("step", *(f"{name} ({count:,})" for name, count in SETS.items())), rows)


def _range(ends, how=".3g"):
    """The ends of a range, once where they are the same."""
    return " – ".join(dict.fromkeys(f"{each:{how}}" for each in ends))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slice-mm", type=float, default=0.8)
    parser.add_argument(
        "--card-tflops",
        type=float,
        nargs="+",
        default=[60.0, 150.0],
        help="kept up in bf16: one number, or the least and the most",
    )
    parser.add_argument("--core-hour", type=float, default=0.04, help="price in $")
    parser.add_argument("--card-hour", type=float, default=2.5, help="price in $")
    parser.add_argument("--terabyte-month", type=float, default=20.0, help="price in $")
    prices = parser.parse_args()
    prices.card_tflops = [min(prices.card_tflops), max(prices.card_tflops)]
    print(f"\n## What many scans cost\n\n{hardware()}; one core\n")
    with tempfile.TemporaryDirectory() as folder:
        costs = measured(Path(folder), prices.slice_mm)
    told(costs, prices)
    print(
        f"\nAssumed, not measured: {_range(prices.card_tflops)} TFLOP/s, "
        f"${prices.core_hour:g} for a core hour, ${prices.card_hour:g} for a card hour, "
        f"${prices.terabyte_month:g} for a terabyte a month."
    )


if __name__ == "__main__":
    main()
