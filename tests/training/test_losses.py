"""Losses equal the published formulas, cell by cell."""

from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from hirescam.training.losses import (
    ABSENT_MAY_LOOK,
    MASK_LOSSES,
    cell_loss,
    classification_loss,
    positive_weights,
)


@pytest.fixture
def attention():
    return torch.randn(1, 4, 2, 3, 3, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture
def allowed():
    random = torch.Generator().manual_seed(2)
    allowed = torch.rand(1, 4, 2, 3, 3, generator=random) > 0.5
    allowed[:, 2] = False  # an absent label
    return allowed


def forbidden_values(attention, allowed):
    pairs = zip(attention.flatten().tolist(), allowed.flatten().tolist(), strict=True)
    return [value for value, fine in pairs if not fine]


def test_published_is_the_mean_of_minus_log_one_minus_sigmoid(attention, allowed):
    each = [-log(1 - 1 / (1 + exp(-a))) for a in forbidden_values(attention, allowed)]
    found = MASK_LOSSES["published"](attention, allowed)
    assert found.item() == pytest.approx(sum(each) / len(each))


def test_paper_is_the_sum_of_the_same(attention, allowed):
    each = [-log(1 - 1 / (1 + exp(-a))) for a in forbidden_values(attention, allowed)]
    assert MASK_LOSSES["paper"](attention, allowed).item() == pytest.approx(sum(each))


def test_present_leaves_out_labels_that_may_look_nowhere(attention, allowed):
    kept = [0, 1, 3]
    expected = MASK_LOSSES["published"](attention[:, kept], allowed[:, kept])
    torch.testing.assert_close(MASK_LOSSES["present"](attention, allowed), expected)


def test_two_sided_punishes_negative_evidence_as_much_as_positive(attention, allowed):
    each = [abs(a) for a in forbidden_values(attention, allowed)]
    found = MASK_LOSSES["two-sided"](attention, allowed)
    assert found.item() == pytest.approx(sum(each) / len(each))
    torch.testing.assert_close(found, MASK_LOSSES["two-sided"](-attention, allowed))


def test_published_rewards_negative_evidence_without_end(allowed):
    far = torch.full(allowed.shape, -5.0)
    farther = torch.full(allowed.shape, -9.0)
    loss = MASK_LOSSES["published"]
    assert loss(farther, allowed) < loss(far, allowed) < loss(0 * far, allowed)


def test_l2_is_the_norm_over_forbidden_cells(attention, allowed):
    squares = [a * a for a in forbidden_values(attention, allowed)]
    assert MASK_LOSSES["l2"](attention, allowed).item() == pytest.approx(sum(squares) ** 0.5)


@pytest.mark.parametrize("name", [name for name in MASK_LOSSES if name != "fraction"])
def test_what_is_allowed_costs_nothing_and_gets_no_gradient(name, attention, allowed):
    attention.requires_grad_()
    loss = MASK_LOSSES[name](attention, allowed)
    (gradient,) = torch.autograd.grad(loss, attention)
    assert (gradient[allowed] == 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_where_everything_is_allowed_the_loss_is_zero_and_not_nan(name, attention):
    everywhere = torch.ones_like(attention, dtype=torch.bool)
    assert MASK_LOSSES[name](attention, everywhere) == 0


def test_only_anatomy_and_fraction_let_absent_labels_look():
    assert {name for name, where in ABSENT_MAY_LOOK.items() if where == "anatomy"} == {
        "anatomy",
        "fraction",
    }


def test_fraction_is_the_share_of_evidence_of_either_sign_outside(attention, allowed):
    each = []
    for maps, regions in zip(attention.flatten(0, 1), allowed.flatten(0, 1), strict=True):
        if regions.any():
            each.append(float(maps[~regions].abs().sum() / maps.abs().sum()))
    found = MASK_LOSSES["fraction"](attention, allowed)
    assert found.item() == pytest.approx(sum(each) / len(each))
    scaled = MASK_LOSSES["fraction"](3 * attention, allowed)
    torch.testing.assert_close(scaled, found)


def test_a_cell_loss_weighs_a_small_lesion_as_a_large_one():
    lesions = torch.zeros(1, 2, 4, 8, 8, dtype=torch.int8)
    lesions[0, 0, 0, 0, 0], lesions[0, 1, :2] = 1, 1
    logits = torch.randn(lesions.shape, generator=torch.Generator().manual_seed(0))
    expected = []
    for label in range(2):
        lesion = logits[0, label][lesions[0, label] == 1].sigmoid()
        ground = logits[0, label][lesions[0, label] == 0].sigmoid()
        wrong = -(1 - ground).log()
        hardest = wrong.sort(descending=True).values[:48].mean()
        expected.append(-lesion.log().mean() + 4 * wrong.mean() + hardest)
    torch.testing.assert_close(cell_loss(logits, lesions), sum(expected) / 2)


def test_cells_that_do_not_count_get_no_gradient():
    lesions = torch.randint(-1, 2, (1, 3, 4, 5, 5), generator=torch.Generator().manual_seed(1))
    logits = torch.randn(lesions.shape, requires_grad=True)
    loss = cell_loss(logits, lesions.to(torch.int8))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient[lesions == -1] == 0).all()
    assert (gradient[lesions == 1] < 0).all()
    assert (gradient[lesions == 0] > 0).all()
    nothing = cell_loss(logits, torch.full_like(lesions, -1, dtype=torch.int8))
    assert nothing == 0


def test_unknown_labels_count_for_nothing():
    logits = torch.tensor([[0.3, -1.0, 2.0]], requires_grad=True)
    labels = torch.tensor([[1.0, float("nan"), 0.0]])
    loss = classification_loss(logits, labels)
    known = F.binary_cross_entropy_with_logits(logits[:, [0, 2]], labels[:, [0, 2]])
    torch.testing.assert_close(loss, known)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 1] == 0


def test_a_scan_without_known_labels_costs_nothing():
    logits = torch.zeros(1, 2)
    assert classification_loss(logits, torch.full((1, 2), float("nan"))) == 0


def test_positive_weights_are_negatives_per_positive_between_1_and_10():
    labels = torch.zeros(100, 4)
    labels[:25, 0], labels[:80, 1], labels[:1, 2] = 1, 1, 1
    assert positive_weights(labels).tolist() == [3, 1, 10, 10]
