"""ImageNet weights: what is refused, and that nothing in a file can run."""

import pickle

import pytest
import torch

from hirescam.errors import ModelError
from hirescam.models import backbone
from hirescam.models.backbone import ResNetTrunk, load_imagenet


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no weights could be read from absent\.pth"):
        load_imagenet(ResNetTrunk(), tmp_path / "absent.pth")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth does not fit.*Missing key"):
        load_imagenet(ResNetTrunk(), tmp_path / "other.pth")


class Bomb:
    def __reduce__(self):
        return print, ("a file ran code",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    (tmp_path / "bomb.pth").write_bytes(pickle.dumps({"conv1.weight": Bomb()}, protocol=2))
    with pytest.raises(ModelError, match=r"no weights could be read from bomb\.pth"):
        load_imagenet(ResNetTrunk(), tmp_path / "bomb.pth")
    assert "ran code" not in capsys.readouterr().out


def test_a_download_whose_hash_differs_is_refused(tmp_path, monkeypatch):
    served = tmp_path / "resnet18-f37072fd.pth"
    torch.save({}, served)
    monkeypatch.setattr(backbone, "IMAGENET_RESNET18_URL", served.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="invalid hash value"):
        load_imagenet(ResNetTrunk())
