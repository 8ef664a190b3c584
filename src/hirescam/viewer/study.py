"""Reader study: questions about findings of a cohort, and a reader's answers as they are given.

title = "Where does the model look?"
seed = 1                  # of the order of cases, another for each reader
answers = "answers.csv"   # beside this file unless it is an absolute path
top = 3                   # findings of each case, the most probable; or labels = [...]

[[questions]]
id = "place"
text = "Is this the right place?"
choices = ["yes", "partly", "no"]

[[questions]]
id = "instead"
text = "Where instead?"
point = true              # the crosshair
"""

import csv
import io
import os
import random
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hirescam.errors import ReadError, WriteError
from hirescam.parsing import read_toml
from hirescam.viewer.cases import Case

COLUMNS = ("time", "reader", "case", "finding", "question", "answer", "seconds")
_WORD = r"^[A-Za-z0-9_-]{1,40}$"


class Question(BaseModel):
    """One question about each finding: a choice, or a place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=_WORD)
    text: str = Field(min_length=1, max_length=300)
    choices: tuple[str, ...] = ()
    point: bool = False

    @model_validator(mode="after")
    def _has_one_kind_of_answer(self) -> "Question":
        if self.point == bool(self.choices) or not len(self.choices) <= 9:
            raise ValueError("a question has one to nine choices, or point = true")
        return self


class StudyPlan(BaseModel):
    """What is asked of whom: the content of a study's TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(default="Reader study", max_length=200)
    seed: int = 0
    answers: Path = Path("answers.csv")
    top: int = Field(default=3, ge=1)
    labels: tuple[str, ...] = ()
    questions: tuple[Question, ...] = Field(min_length=1)


class Study:
    """One reader's run of a plan: cases in a blinded order, answers kept as they come."""

    def __init__(self, plan: StudyPlan, cases: Sequence[Case], reader: str, answers: Path):
        self.plan, self.reader, self.path = plan, reader, answers
        self.cases = list(cases)
        random.Random(f"{plan.seed}/{reader}").shuffle(self.cases)
        self.names = [
            f"case {number:0{len(str(len(cases)))}}" for number in range(1, len(cases) + 1)
        ]
        self._real = dict(zip(self.names, (case.name for case in self.cases), strict=True))
        self._lock = threading.Lock()
        self.findings = {
            name: self._asked(case) for name, case in zip(self.names, self.cases, strict=True)
        }
        _mend(answers)

    def _asked(self, case: Case) -> list[str]:
        labels = [str(row["label"]) for row in case.summary["findings"]]
        if self.plan.labels:
            return [label for label in self.plan.labels if label in labels]
        return labels[: self.plan.top]

    def told(self) -> dict[str, Any]:
        """What the page needs: questions, findings of each case, what is answered already."""
        blinded = {real: name for name, real in self._real.items()}
        return {
            "title": self.plan.title,
            "questions": [question.model_dump(mode="json") for question in self.plan.questions],
            "findings": self.findings,
            "answers": [
                {
                    "case": blinded[row["case"]],
                    **{k: row[k] for k in ("finding", "question", "answer")},
                }
                for row in read_answers(self.path)
                if row["reader"] == self.reader and row["case"] in blinded
            ],
        }

    def keep(self, told: Any) -> None:
        """Write one answer to disk before this returns. Raises `ReadError` for nonsense."""
        row = self._checked(told)
        with self._lock:
            try:
                new = not self.path.exists()
                with self.path.open("a", newline="", encoding="utf-8") as file:
                    file.write(_line(dict(zip(COLUMNS, COLUMNS, strict=True))) if new else "")
                    file.write(_line(row))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise WriteError(f"cannot write {self.path}: {error.strerror}") from error

    def _checked(self, told: Any) -> dict[str, str]:
        questions = {question.id: question for question in self.plan.questions}
        try:
            case, finding, answer = told["case"], told["finding"], str(told["answer"])
            question, seconds = questions[told["question"]], float(told["seconds"])
            known = finding in self.findings[case]
        except (KeyError, TypeError, ValueError) as error:
            raise ReadError(
                "an answer names case, finding, question, answer, seconds"
            ) from error
        if not known or not (
            _is_place(answer) if question.point else answer in question.choices
        ):
            raise ReadError("no such finding or answer in this study")
        if not 0 <= seconds < 1e6:
            raise ReadError("seconds are those since the finding was shown")
        return {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "reader": self.reader,
            "case": self._real[case],
            "finding": finding,
            "question": question.id,
            "answer": answer,
            "seconds": f"{seconds:.2f}",
        }


def read_study(path: Path, cases: Sequence[Case], reader: str) -> Study:
    """A study of `cases` by one reader. Raises `ReadError` for a file that is no plan."""
    try:
        plan = StudyPlan.model_validate(read_toml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ReadError(f"{path} is no study: {where}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} is no study: {error}") from error
    return Study(plan, cases, reader, path.parent / plan.answers)


def read_answers(path: Path) -> list[dict[str, str]]:
    """All whole lines of an answers file; of a question that was answered again, the last."""
    if not path.is_file():
        return []
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    if tuple(reader.fieldnames or COLUMNS) != COLUMNS:
        raise ReadError(f"{path} is no file of answers: it has other columns than these")
    rows = [row for row in reader if None not in row and None not in row.values()]
    last = {
        tuple(row[key] for key in ("reader", "case", "finding", "question")): row
        for row in rows
    }
    return list(last.values())


def study_results(answers: Sequence[Path]) -> dict[str, Any]:
    """Answers by question, Cohen's kappa of each pair of readers, and the time per case."""
    rows = [row for path in answers for row in read_answers(path)]
    if not rows:
        raise ReadError("there is no answer in these files")
    readers = sorted({row["reader"] for row in rows})
    by_question: dict[str, dict[str, dict[tuple[str, str], str]]] = {}
    seconds: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        of = by_question.setdefault(row["question"], {}).setdefault(row["reader"], {})
        of[row["case"], row["finding"]] = row["answer"]
        per_finding = seconds.setdefault((row["reader"], row["case"]), {})
        per_finding[row["finding"]] = max(
            per_finding.get(row["finding"], 0.0), float(row["seconds"])
        )
    per_case = {key: sum(of.values()) for key, of in seconds.items()}
    return {
        "readers": readers,
        "answers": len(rows),
        "seconds_per_case": {
            reader: float(np.median([of for (who, _), of in per_case.items() if who == reader]))
            for reader in readers
        },
        "questions": {
            question: {
                "counts": _counts(of),
                "kappa": {
                    f"{one} / {other}": kappa(of[one], of[other])
                    for one, other in combinations(sorted(of), 2)
                },
            }
            for question, of in by_question.items()
        },
    }


def kappa(one: Mapping[Any, str], other: Mapping[Any, str]) -> float | None:
    """Cohen's kappa over what both answered; None where it is undefined."""
    both = sorted(one.keys() & other.keys())
    kinds = sorted({one[key] for key in both} | {other[key] for key in both})
    if not both or len(kinds) < 2:
        return None
    table = np.zeros((len(kinds), len(kinds)))
    for key in both:
        table[kinds.index(one[key]), kinds.index(other[key])] += 1
    table /= table.sum()
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    return (float(np.trace(table)) - expected) / (1 - expected)


def _counts(of: Mapping[str, Mapping[Any, str]]) -> dict[str, dict[str, int]]:
    """How often each reader gave each answer; places are counted together."""
    counts: dict[str, dict[str, int]] = {}
    for reader, answers in of.items():
        own = counts.setdefault(reader, {})
        for answer in answers.values():
            kind = "a place" if _is_place(answer) else answer
            own[kind] = own.get(kind, 0) + 1
    return counts


def _is_place(answer: str) -> bool:
    try:
        return len(numbers := [float(part) for part in answer.split()]) == 3 and bool(
            np.isfinite(numbers).all()
        )
    except ValueError:
        return False


def _line(row: Mapping[str, str]) -> str:
    out = io.StringIO()
    csv.DictWriter(out, COLUMNS, lineterminator="\n").writerow(row)
    return out.getvalue()


def _mend(path: Path) -> None:
    """End a line that a crash tore apart, so that the next begins on one of its own."""
    if not path.is_file():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        whole = content[: content.rfind(b"\n") + 1]
        with path.open("r+b") as file:
            file.truncate(len(whole))  # it was never acknowledged
