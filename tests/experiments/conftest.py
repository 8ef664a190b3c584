"""A folder of simulated chests that the tests of experiments share; the first makes them."""

import pytest


@pytest.fixture(scope="session")
def chests(tmp_path_factory):
    return tmp_path_factory.mktemp("chests")
