"""The label sets that are views of our concepts name concepts that exist."""

import pytest

from hirescam.reports.views import read_view


@pytest.mark.parametrize(("view", "labels"), [("ct_rate", 18), ("chexpert", 13), ("openi", 95)])
def test_every_label_of_a_set_can_be_reached(view, labels, profile):
    names = {row.name for row in profile.vocabulary.abnormalities}
    names |= {row.when_large for row in profile.vocabulary.abnormalities}
    reached = {m.label for m in read_view(view).meanings if names.intersection(m.findings)}
    assert len(reached) == len(read_view(view).labels) == labels
    unknown = {name for m in read_view(view).meanings for name in m.findings} - names
    assert not unknown


def test_conventions_belong_to_the_set(profile):
    small_node = profile.label("report", "Millimetric lymph node in the mediastinum.")
    assert "lymphadenopathy" in read_view("ct_rate").see(small_node)
    assert "present lymphadenopathy" not in {f"{f.status} {f.abnormality}" for f in small_node}
