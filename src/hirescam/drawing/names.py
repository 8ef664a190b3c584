"""A file name for each label: safe on every system, and no two alike."""

import re
from collections.abc import Iterable

_LONGEST = 80


def file_names(labels: Iterable[str]) -> dict[str, str]:
    """Name without suffix for each label; what no file system objects to is kept as it is."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", label)[:_LONGEST] or "label"
        name, count = plain, 1
        while name.lower() in taken:  # some file systems take A for a
            count += 1
            name = f"{plain}-{count}"
        taken.add(name.lower())
        names[label] = name
    return names
