"""Which model is taken where none is named."""

import pytest

from hirescam import home
from hirescam.errors import ModelError
from hirescam.models.files import default_model_path


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder for the demo's model, and one for the packaged model; both empty."""
    packaged = tmp_path / "assets" / "default.model"
    packaged.parent.mkdir()
    monkeypatch.setenv("HIRESCAM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(home, "packaged_model_path", lambda: packaged)
    monkeypatch.setattr("hirescam.models.files.packaged_model_path", lambda: packaged)
    (tmp_path / "home").mkdir()
    return home.demo_model_path(), packaged


def test_the_demo_s_own_model_goes_before_the_packaged_one(places):
    demo, packaged = places
    assert home.usual_model_path() == demo, "so that a refusal names what can be made"
    packaged.write_bytes(b"x")
    assert home.usual_model_path() == packaged
    demo.write_bytes(b"x")
    assert home.usual_model_path() == demo


def test_a_package_without_a_model_says_how_to_get_one(places):
    _, packaged = places
    with pytest.raises(ModelError, match="hirescam experiments default-model"):
        default_model_path()
    packaged.write_bytes(b"x")
    assert default_model_path() == packaged
