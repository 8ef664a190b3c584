"""How right the labels are: the published rules and ours, side by side.

    python benchmarks/labels.py

Open-i: 1,001 chest X-ray reports (Demner-Fushman et al., JAMIA 2016), 95 labels as grouped by
Draelos et al. (arXiv:2002.04752); labels with at least ten cases count for the macro average,
and what is uncertain counts as absent, as there. CT-RATE: 800 chest CT reports (Hamamci et al.,
arXiv:2403.17834), 18 labels. NegEx: clinical sentences of which one concept each is affirmed or
negated (Chapman et al. 2001). Places: the sentences in tests/reports/data.

Data under $HIRESCAM_DATA or ../shared/data; what is absent is said and left out.
"""

import csv
import os
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from measure import table

from hirescam.reports.default import build
from hirescam.reports.profile import Profile, ProfileChoice
from hirescam.reports.sarle.profile import cleaned
from hirescam.reports.sarle.rules import apply_rules, whole
from hirescam.reports.sarle.vocabulary import read_vocabulary
from hirescam.reports.table import Status
from hirescam.reports.views import read_view

REPO = Path(__file__).parents[1]
REPORTS = Path(os.environ.get("HIRESCAM_DATA", REPO.parent / "shared" / "data")) / "reports"
DIRECTIONS = {"right", "left", "anterior", "posterior", "superior", "inferior"}
DIRECTIONS |= {"medial", "lateral"}
Truth = Mapping[str, tuple[str, set[str]]]  # report: its text, its labels
Counts = dict[str, Counter[str]]


def open_i() -> Truth:
    """The development reports: their sentences, one a line."""
    folder = REPORTS / "openi"
    texts: dict[str, list[str]] = defaultdict(list)
    with (folder / "openi_filename_section_sent.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            texts[row["Filename"]].append(row["Sentence"])
    with (folder / "openi_dev_ground_truth.csv").open(newline="") as file:
        return {
            (name := row.pop("")): (
                "\n".join(texts[name]),
                {
                    column.removesuffix("_Label")
                    for column, value in row.items()
                    if float(value)
                },
            )
            for row in csv.DictReader(file)
        }


def ct_rate() -> Truth:
    """The labelled reports; labels in snake case."""
    with (REPORTS / "ct_rate" / "labelled_800.csv").open(newline="") as file:
        return {
            row["AccessionNo"]: (
                row["report_text"],
                {name.lower().replace(" ", "_") for name, value in row.items() if value == "1"},
            )
            for row in csv.DictReader(file)
        }


def scored(profile: Profile, truth: Truth, view: str, own: bool, uncertain: bool) -> Counts:
    """Hits, extra and missed reports of each label; `own` are findings that bear its name."""
    seen = read_view(view)
    counts: Counts = defaultdict(Counter)
    positive = {Status.PRESENT, Status.UNCERTAIN} if uncertain else {Status.PRESENT}
    for report, (text, labels) in truth.items():
        findings = profile.label(report, text)
        said = (
            [(f.abnormality, f.status) for f in findings] if own else seen.see(findings).items()
        )
        found = {label for label, status in said if status in positive} & {*seen.labels}
        for kind, of in (
            ("hit", found & labels),
            ("extra", found - labels),
            ("missed", labels - found),
        ):
            for label in of:
                counts[label][kind] += 1
    return counts


def f_score(count: Mapping[str, int]) -> float:
    """Harmonic mean of precision and recall; 0 where there is nothing to find."""
    wrong = count.get("extra", 0) + count.get("missed", 0)
    return 2 * count.get("hit", 0) / max(2 * count.get("hit", 0) + wrong, 1)


def averages(counts: Counts, least: int) -> tuple[str, str]:
    """Macro F of labels with enough cases, and micro F of all."""
    often = [c for c in counts.values() if c["hit"] + c["missed"] >= least]
    macro = sum(map(f_score, often)) / len(often)
    return f"{macro:.3f}", f"{f_score(sum(counts.values(), Counter())):.3f}"


def labels_table(title: str, truth: Truth, least: int, rows: Iterable[tuple]) -> None:
    """Averages of each labeller, and each label's F below."""
    print(f"\n## {title}: {len(truth)} reports\n")
    results = {
        name: scored(ProfileChoice(profile).build(), truth, view, own, uncertain)
        for name, profile, view, own, uncertain in rows
    }
    table(
        ("labeller", "macro F", "micro F"),
        [(name, *averages(counts, least)) for name, counts in results.items()],
    )
    print()
    cases = Counter(label for _, labels in truth.values() for label in labels)
    table(
        ("label", "cases", *results),
        [
            (label, n, *(f"{f_score(counts[label]):.3f}" for counts in results.values()))
            for label, n in cases.most_common()
            if n >= least
        ],
    )


def negex() -> Iterator[tuple[str, int, int, bool]]:
    """Sentences, where their concept stands, and whether it is negated."""
    with (REPORTS / "negex" / "Annotations-1-120.txt").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            sentence = row["Sentence"].strip('"')
            words = map(re.escape, row["Concept"].upper().split())
            place = re.search(r"\s+".join(words), sentence)
            if place:
                yield sentence.lower(), *place.span(), row["Negation"] == "Negated"


def published_negation() -> Callable[[str, int, int], bool]:
    """Negated, by the published rules, is a concept of which they leave nothing."""
    rules = read_vocabulary("ct").rules
    return lambda sentence, start, end: (
        cleaned(sentence[start:end]).strip()
        not in (apply_rules(whole(f" {cleaned(sentence)} "), rules).text)
    )


def negation_table() -> None:
    """Share of concepts whose negation is told right."""
    cases = list(negex())
    ours = build().reader.effects
    tellers = {
        "published rules": published_negation(),
        "default": lambda sentence, start, end: "absent" in ours(sentence, start, end),
    }
    rows = []
    for name, negated in tellers.items():
        said = Counter(
            (truth, negated(sentence, start, end)) for sentence, start, end, truth in cases
        )
        counts = {"hit": said[True, True], "extra": said[False, True]}
        counts["missed"] = said[True, False]
        right = (said[True, True] + said[False, False]) / len(cases)
        rows.append((name, f"{right:.3f}", f"{f_score(counts):.3f}"))
    print(f"\n## NegEx: {len(cases)} concepts\n")
    table(("labeller", "accuracy", "F of negated"), rows)


def places_table() -> None:
    """Exact triples of status, abnormality and location."""
    sentences = tomllib.loads(
        (REPO / "tests" / "reports" / "data" / "ct_locations.toml").read_text(encoding="utf-8")
    )["sentence"]
    within = build().vocabulary.within
    truth = [set(triples(one["expected"], within)) for one in sentences]
    names = {name for of in truth for _, name, _ in of}
    rows = []
    for label, profile in (("published rules", "sarle-2020"), ("default", "default")):
        ready, all_, present = ProfileChoice(profile).build(), Counter[str](), Counter[str]()
        for one, want in zip(sentences, truth, strict=True):
            got = {
                (f.status.value, f.abnormality, f.location)
                for f in ready.label("sentence", one["text"])
                if f.abnormality in names
            }
            want, got = plain(want), plain(got)
            all_.update(hit=len(want & got), extra=len(got - want), missed=len(want - got))
            want, got = ({t for t in of if t[0] == "present"} for of in (want, got))
            present.update(hit=len(want & got), extra=len(got - want), missed=len(want - got))
        rows.append((label, f"{f_score(all_):.3f}", f"{f_score(present):.3f}"))
    print(f"\n## Places: {len(sentences)} sentences\n")
    table(("labeller", "F of triples", "F of triples said present"), rows)


def triples(rows: Iterable[str], within: Mapping[str, Iterable[str]]) -> Iterator[tuple]:
    """Every place of each finding, with those that contain it."""
    for row in rows:
        said, _, at = row.partition(" @ ")
        places = at.split()
        for place in places:
            places += [outer for outer in within.get(place, ()) if outer not in places]
        for place in places or [""]:
            yield (*said.split(), place)


def plain(of: set[tuple]) -> set[tuple]:
    """Without directions of what lies in a lung: its side is in the lung's name."""
    in_lung = {triple[:2] for triple in of if triple[2] == "lung"}
    return {t for t in of if not (t[2] in DIRECTIONS and t[:2] in in_lung)}


if __name__ == "__main__":
    places_table()
    if not REPORTS.is_dir():
        sys.exit(f"no reports at {REPORTS}: put them there, or set HIRESCAM_DATA")
    labels_table(
        "Open-i",
        open_i(),
        10,
        [
            ("published rules", "sarle-2020-cxr", "openi", True, True),
            ("default", "default", "openi", False, False),
            ("default, uncertain present", "default", "openi", False, True),
        ],
    )
    labels_table(
        "CT-RATE",
        ct_rate(),
        1,
        [
            ("published rules", "sarle-2020", "ct_rate_from_published", False, True),
            ("default", "default", "ct_rate", False, True),
            ("default, uncertain absent", "default", "ct_rate", False, False),
        ],
    )
    negation_table()
