"""One labeller for all tests, and its findings in short form."""

from collections import defaultdict

import pytest

from hirescam.reports.default import build


@pytest.fixture(scope="session")
def profile():
    return build()


@pytest.fixture(scope="session")
def statuses(profile):
    """A function: {abnormality: statuses} of a text."""

    def of(text):
        found = defaultdict(set)
        for finding in profile.label("report", text):
            found[finding.abnormality].add(finding.status.value)
        return dict(found)

    return of


@pytest.fixture(scope="session")
def places(profile):
    """A function: the locations at which a text says that an abnormality is present."""

    def of(text, abnormality):
        return {
            finding.location
            for finding in profile.label("report", text)
            if finding.abnormality == abnormality and finding.status.value == "present"
        }

    return of
