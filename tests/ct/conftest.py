"""What the tests of every reader need: a writer, and what every refusal must keep."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from hirescam.ct.reading import read_volume
from make_dicom import PLANTED

NPZ_PLACE = '{"spacing_mm": [1, 1, 1], "orientation": "SAR"}'


@pytest.fixture
def refused():
    """Reading `path` raises just `error`, in one line with `phrases`, that betrays nothing."""

    def check(path, error, *phrases, **options):
        with pytest.raises(error) as caught:
            read_volume(path, **options)
        message = str(caught.value)
        assert type(caught.value) is error
        assert message.startswith(f"{path.name}: ")
        assert [phrase for phrase in phrases if phrase not in message] == []
        assert PLANTED not in message
        assert str(path.parent) not in message
        assert "\n" not in message

    return check


@pytest.fixture
def write():
    """Write voxels (slice, row, column) to a path, in the format that its suffix names."""

    def save(path, voxels):
        if path.name.endswith((".nii", ".nii.gz")):
            nib.save(nib.Nifti1Image(voxels.T, np.eye(4), dtype=voxels.dtype), path)
        elif path.suffix == ".npz":
            np.savez_compressed(path, ct=voxels)
            path.with_suffix(".json").write_text(NPZ_PLACE)
        else:
            sitk.WriteImage(sitk.GetImageFromArray(voxels), path)
        return path

    return save


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices on one thread: on busy cores, more of them wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
