"""spread: options that belong together are one dataclass in code, and many on the command line.

Typer takes an option from each parameter of a function; so what several commands share, or
what travels together, is declared once, as the fields of a dataclass.
"""

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer is to see it: parameters that are dataclasses give way to fields."""
    parameters = signature(command, eval_str=True).parameters
    groups = {name: each.annotation for name, each in parameters.items() if _is_group(each)}

    @wraps(command)
    def flat(**given: Any) -> None:
        grouped = {
            name: group(**{field: given.pop(field) for field in signature(group).parameters})
            for name, group in groups.items()
        }
        command(**given, **grouped)

    # what inspect.signature, and so Typer, looks at first
    flat.__signature__ = Signature([*_flattened(parameters.values())])  # type: ignore[attr-defined]
    return flat


def _flattened(parameters: Any) -> Iterator[Parameter]:
    for each in parameters:
        fields = signature(each.annotation).parameters.values() if _is_group(each) else (each,)
        yield from (field.replace(kind=Parameter.KEYWORD_ONLY) for field in fields)


def _is_group(parameter: Parameter) -> bool:
    return isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)
