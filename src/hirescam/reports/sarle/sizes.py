"""Sizes: whether a sentence states more than 1 cm, as the published labeller reads it."""

_CM_PER_UNIT = {"cm": 1.0, "mm": 0.1}


def larger_than_1_cm(text: str, key: str) -> tuple[int, int] | None:
    """Span of the number that says so of the first `key` ("node", "nodul"); None if none does.

    Read is the word before the first unit in front of `key`, or, if there is none and the part
    behind it says "measur", the word before the first unit there: of "1.2 x 0.9 cm" only 0.9.
    """
    before, *others = text.split(key)
    start, part = 0, before
    unit = _first_unit(part)
    if unit is None and others and "measur" in others[0]:
        start, part = len(before) + len(key), others[0]
        unit = _first_unit(part)
    if unit is None:
        return None
    head = part.split(unit)[0]
    words = head.split()
    if not words or not _number(words[-1]) * _CM_PER_UNIT[unit] > 1:
        return None
    number = start + head.rindex(words[-1])
    return number, start + len(head) + len(unit)


def _first_unit(part: str) -> str | None:
    return next((unit for unit in _CM_PER_UNIT if unit in part), None)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return 0.0
