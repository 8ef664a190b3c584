"""Inference and explanation at full size: every way to run AxialNet on 405×420×420, in turn.

The base is plain eager fp32 on the whole volume at once. Weights are random, with batch
statistics that fit the input, so that features have a sane size.
"""

import subprocess
import sys

import numpy as np
import torch
from measure import growth_mib, hardware, in_turn, ratios, table

import hirescam
from hirescam.anatomy import LABELS
from hirescam.ct.preparation import network_input, place
from hirescam.methods._cam import hirescam as hirescam_of
from hirescam.models.accelerate import accelerate
from hirescam.models.files import Model, new_model

VARIANTS = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "fp32 compiled": {"compile": True},
    "bf16 compiled": {"precision": "bf16", "compile": True},
}


def full_size() -> tuple[Model, torch.Tensor]:
    """AxialNet for 80 labels and a simulated chest on its grid."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = new_model(
            name="random",
            labels=LABELS,
            preparation=hirescam.Preparation(),
            trained_on="nothing",
        )
    chest = hirescam.simulate(0, spacing_mm=(2.4, 1.6, 1.6)).volume
    x = network_input(place(chest, model.preparation), model.preparation)[None]
    network = model.network
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None
        network.train()
        network.features(x[:, 40:100:10])
        network.eval()
        network.head.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    return model, x


def whole(model: Model, x: torch.Tensor) -> torch.Tensor:
    """The network as one would write it: all slices at once, memory as torch lays it out."""
    features = model.network.features
    with torch.inference_mode():
        z = features.neck(features.trunk(x[0]))
        return model.network.scores(z.transpose(0, 1)[None])


def run(model: Model, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.network(x)


def main(rounds: int) -> None:
    model, x = full_size()
    fast = {name: accelerate(model, **options) for name, options in VARIANTS.items()}
    things = {"eager, whole volume": lambda: whole(model, x)}
    things |= {name: lambda m=m: run(m, x) for name, m in fast.items()}
    things |= {
        f"{name} + 80 maps": lambda m=m: hirescam_of(m.network, x)
        for name, m in fast.items()
        if name in ("fp32", "bf16")
    }
    seconds = in_turn(things, rounds=rounds)
    faster = ratios(seconds, "eager, whole volume")
    base_scores = torch.sigmoid(run(fast["fp32"], x))
    base_maps = hirescam_of(fast["fp32"].network, x)
    print(f"\n## AxialNet, 80 labels, 135×3×420×420\n\n{hardware()}; {rounds} rounds in turn\n")
    rows = []
    for name, own in seconds.items():
        scores = correlation = "–"
        if name in fast:
            moved = (torch.sigmoid(run(fast[name], x)) - base_scores).abs().max()
            maps = hirescam_of(fast[name].network, x)
            alike = [
                np.corrcoef(a.flatten(), b.flatten())[0, 1]
                for a, b in zip(maps[0], base_maps[0], strict=True)
            ]
            scores, correlation = f"{moved:.1e}", f"{min(alike):.3f}"
        rows.append((name, f"{min(own):.2f}", f"{faster[name]:.2f}×", scores, correlation))
    header = (
        "variant",
        "best s",
        "times faster",
        "largest Δ probability",
        "least map correlation",
    )
    table(header, rows)
    print("\n| explaining all 80 labels, against the forward pass alone | time | peak memory |")
    print("|---|---|---|")
    for name in ("fp32", "bf16"):
        time_ratio = ratios(seconds, name)[f"{name} + 80 maps"]
        memory = growth(name, "maps") / growth(name, "forward")
        print(f"| {name} | {1 / time_ratio:.3f}× | {memory:.3f}× |")
    network = fast["fp32"].network
    parts = run(fast["fp32"], x) - network.head.bias
    gap = ((base_maps.flatten(2).sum(2) - parts) / parts).abs().max()
    print(f"\nlargest |map sum − (score − bias)| / |score − bias|, fp32: {gap:.1e}")
    whole_mib = growth("fp32", "explain")
    print(f"\n`explain` of a 1.0×0.8×0.8 mm chest, simulation included: {whole_mib:.0f} MiB")


def growth(name: str, what: str) -> float:
    """How far the memory of a fresh process rises above input and weights, in MiB."""
    command = [sys.executable, "-W", "ignore", __file__, name, what]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def once(name: str, what: str) -> None:
    """Print the growth of one variant, run once."""
    model, x = full_size()
    fast = accelerate(model, **VARIANTS[name])
    things = {
        "forward": lambda: run(fast, x),
        "maps": lambda: hirescam_of(fast.network, x),
        "explain": lambda: hirescam.explain(
            fast, hirescam.simulate(0, spacing_mm=(1.0, 0.8, 0.8)).volume
        ),
    }
    print(growth_mib(things[what]))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        once(*sys.argv[1:])
    else:
        main(rounds=int(sys.argv[1]) if len(sys.argv) > 1 else 3)
