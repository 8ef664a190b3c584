"""Say whether maps of a network are guaranteed to add up to its scores."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hirescam.cli.options import JsonOption
from hirescam.cli.progress import steps


def run(
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
    """Run the audit and print its verdict."""
    with steps() as step:
        step("building the network")
        from hirescam.methods.guarantee import audit
        from hirescam.methods.layers import find_layer, layer_name
        from hirescam.models.subject import network_and_input

        subject, x = network_and_input(network, input)
        step("probing")
        explained = find_layer(subject, x, layer)
        verdict = audit(subject, x, layer=explained)
        name = layer_name(subject, explained)
    if as_json:
        print(json.dumps({"layer": name, **asdict(verdict)}))
    else:
        print(f"layer {name}: {verdict.kind}")
        print(verdict.sentence("hirescam"))
