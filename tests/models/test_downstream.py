"""Every network is trained with a mask loss, evaluated and explained, as AxialNet is."""

import pytest

import hirescam
from hirescam.evaluation.outcomes import evaluate
from hirescam.figures.evaluation_page import write_evaluation
from hirescam.summary.folder import write_summary
from hirescam.training.datasets.read import read_cases
from hirescam.training.train import train
from make_cases import SHAPE, chest, small_config, write_cases

TRUNK = {"widths": (4, 8), "blocks": (1, 1)}
NETWORKS = {
    "BodyCAM": ("BodyCAM", {**TRUNK, "neck": (4,)}, {"maps": "gradcam", "save_memory": True}),
    "MaxPool": ("AxialNet", {**TRUNK, "neck": (4,), "pool": "max"}, {"mask_loss": "two-sided"}),
    "padded": ("AxialNet", {**TRUNK, "neck": (4,), "padding": 1}, {}),
    "CTNet": ("CTNet", {"widths": (4, 32), "blocks": (1, 1), "neck": (6, 5, 4)}, {}),
    "BodyConv": (
        "BodyConv",
        {**TRUNK, "neck": (4,), "strides": (1,)},
        {"start": "few-scans", "save_memory": True},
    ),
    "3DConv": (
        "3DConv",
        {"widths": (4, 6), "neck": (4,)},
        {"maps": "gradcam", "start": "few-scans"},
    ),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"), train=2, valid=2)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_trained_evaluated_and_explained(name, table, tmp_path):
    architecture, arguments, changes = NETWORKS[name]
    config = small_config(
        table, architecture=architecture, arguments=arguments, epochs=1, **changes
    )
    model = train(config, tmp_path / "run")
    outcomes = evaluate(
        model, read_cases(config).splits["valid"], table.parent / "cache", jobs=1
    )
    page = write_evaluation(outcomes, tmp_path / "evaluation", draws=20)
    assert page.exists()
    assert outcomes.slice_scores.shape[2] == (0 if model.card.arguments.get("slices") else 3)
    found = hirescam.explain(model, chest(1, (1, 0)), any_values=True)
    assert found.raw_maps.shape[1:] == model.network.map_shape(SHAPE[0] // 3)
    write_summary(found, tmp_path / "explained")
    assert (tmp_path / "explained" / "summary.json").exists()
