"""Real reports, where they are at hand: a part of each set; benchmarks/labels.py has all."""

import csv
from collections import Counter, defaultdict
from itertools import islice

from hirescam.reports.views import read_view
from make import shared_data


def f_scores(profile, truth, view, counting):
    """Macro F over labels with ten cases, and micro F; `truth` is {report: (text, labels)}."""
    see, counts = read_view(view), defaultdict(Counter)
    for report, (text, labels) in truth.items():
        said = see.see(profile.label(report, text))
        found = {label for label, status in said.items() if status in counting}
        for label in see.labels:
            counts[label][label in labels, label in found] += 1

    def f(count):
        return 2 * count[True, True] / (2 * count[True, True] + sum_wrong(count))

    def sum_wrong(count):
        return count[True, False] + count[False, True]

    often = [c for c in counts.values() if c[True, True] + c[True, False] >= 10]
    return sum(map(f, often)) / len(often), f(sum(counts.values(), Counter()))


def test_open_i_is_labelled_well(profile):
    texts = defaultdict(list)
    with shared_data("reports", "openi", "openi_filename_section_sent.csv").open() as file:
        for row in csv.DictReader(file):
            texts[row["Filename"]].append(row["Sentence"] + ".")
    with shared_data("reports", "openi", "openi_dev_ground_truth.csv").open() as file:
        truth = {
            (name := row.pop("")): (
                "\n".join(texts[name]),
                {label.removesuffix("_Label") for label, value in row.items() if float(value)},
            )
            for row in islice(csv.DictReader(file), None, None, 3)
        }
    macro, micro = f_scores(profile, truth, "openi", {"present"})
    assert macro >= 0.90
    assert micro >= 0.90


def test_ct_rate_is_labelled_well(profile):
    with shared_data("reports", "ct_rate", "labelled_800.csv").open() as file:
        truth = {
            row["AccessionNo"]: (
                row["report_text"],
                {name.lower().replace(" ", "_") for name, value in row.items() if value == "1"},
            )
            for row in islice(csv.DictReader(file), None, None, 8)
        }
    macro, micro = f_scores(profile, truth, "ct_rate", {"present", "uncertain"})
    assert macro >= 0.90
    assert micro >= 0.92
