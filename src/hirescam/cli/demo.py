"""Simulate chests, train a small AxialNet on them, and explain held-out ones."""

from pathlib import Path
from typing import Annotated

from typer import Option

from hirescam.cli.progress import counter

LEARNT = 0.65


def run(
    out: Annotated[
        Path, Option("--out", "-o", help="folder for the model and the reports")
    ] = Path("demo"),
    training: Annotated[int, Option(help="chests to train on", min=1)] = 600,
    held_out: Annotated[int, Option(help="chests to measure on", min=1)] = 80,
    epochs: Annotated[int, Option(help="times that each chest is seen", min=1)] = 7,
    seed: Annotated[int, Option(help="number of the first chest")] = 0,
) -> None:
    """Run the demo and name what it wrote."""
    with counter() as show:
        from hirescam.experiments.demo import run_demo

        demo = run_demo(
            out,
            training=training,
            held_out=held_out,
            epochs=epochs,
            seed=seed,
            on_progress=show,
        )
    print(f"AUROC on {held_out} simulated chests that the model has not seen:")
    for label, value in demo.aurocs.items():
        print(
            f"  {label:<34} {value:.2f}  {'' if value >= LEARNT else 'hardly learnt'}".rstrip()
        )
    print(f"model   {demo.model}")
    for report in demo.reports:
        print(f"report  {report}")
