"""LabelTable: one row per finding of a report, with its place, its status and its words."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What a report says of a finding; a finding without a row is not mentioned."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, order=True)
class Finding:
    """One abnormality at one location of one report, and the words that said so.

    `location` is empty where the report names none. `start` and `end` index into the text as it
    was given: `text[start:end]` is the evidence.
    """

    report: str
    abnormality: str
    location: str
    status: Status
    start: int
    end: int
    text: str
