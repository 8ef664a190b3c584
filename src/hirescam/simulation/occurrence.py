"""Occurrence: how often findings are there, and which go together.

A probit factor model: every person has a few hidden burdens (age, smoking …); a finding is
there where its burden exceeds what its prevalence leaves. Prevalences are exact, and two rows
that share a burden correlate (tetrachorically) by the product of their loadings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.special import ndtr

from hirescam.errors import HirescamError
from hirescam.simulation.findings.table import FINDINGS
from hirescam.simulation.shapes import Number


@dataclass(frozen=True)
class Row:
    """Findings of which a person has at most one: the prevalence of each, and loadings."""

    prevalence: Mapping[str, Number]
    loading: Mapping[str, Number]


def _row(prevalence: Mapping[str, Number], **loading: Number) -> Row:
    return Row(prevalence, loading)


OCCURRENCE = (
    _row({"heart_heart_failure": 0.03, "heart_cardiomegaly": 0.10}, heart=0.8, age=0.3),
    _row({"heart_pericardial_effusion": 0.05, "heart_pericardial_thickening": 0.03}, heart=0.5),
    _row({"heart_atherosclerosis": 0.09, "heart_coronary_artery_disease": 0.12}, age=0.8),
    _row({"heart_calcification": 0.06}, age=0.6),
    _row({"heart_scattered_calc": 0.02}, age=0.4),
    _row({"heart_stent": 0.03}, age=0.5, surgery=0.2),
    _row({"heart_heart_valve_replacement": 0.02}, surgery=0.6, heart=0.3),
    _row({"heart_pacemaker_or_defib": 0.04}, heart=0.6, age=0.3),
    _row({"heart_catheter_or_port": 0.03, "great_vessel_catheter_or_port": 0.10}, ill=0.7),
    _row({"heart_transplant": 0.01, "heart_cabg": 0.05, "heart_sternotomy": 0.04}, surgery=0.8),
    _row({"heart_postsurgical": 0.02}, surgery=0.7),
    _row({"great_vessel_aneurysm": 0.02, "great_vessel_dilation_or_ectasia": 0.05}, age=0.5),
    _row(
        {
            "great_vessel_atherosclerosis": 0.14,
            "great_vessel_calcification": 0.12,
            "great_vessel_scattered_calc": 0.03,
        },
        age=0.8,
        smoking=0.2,
    ),
    _row({"great_vessel_postsurgical": 0.02}, surgery=0.6),
    _row(
        {"mediastinum_cancer": 0.02, "mediastinum_mass": 0.03, "mediastinum_nodule": 0.02},
        tumour=0.6,
    ),
    _row({"mediastinum_lymphadenopathy": 0.14}, tumour=0.6, infection=0.3),
    _row({"mediastinum_calcification": 0.08}, age=0.2),
    _row({"mediastinum_opacity": 0.02}, surgery=0.4),
    _row({"lung_lung_resection": 0.02}, tumour=0.5, surgery=0.3),
    _row({"lung_emphysema": 0.18}, smoking=0.85),
    _row({"lung_air_trapping": 0.04}, smoking=0.3),
    _row({"lung_groundglass": 0.10}, infection=0.5, fibrosis=0.2),
    _row({"lung_inflammation": 0.04}, infection=0.5),
    _row({"lung_airspace_disease": 0.04}, infection=0.6, ill=0.3),
    _row({"lung_pulmonary_edema": 0.04}, heart=0.7, ill=0.3),
    _row({"lung_septal_thickening": 0.05}, heart=0.6, fibrosis=0.2),
    _row(
        {
            "lung_interstitial_lung_disease": 0.04,
            "lung_fibrosis": 0.05,
            "lung_reticulation": 0.04,
        },
        fibrosis=0.85,
    ),
    _row({"lung_honeycombing": 0.03}, fibrosis=0.85),
    _row({"lung_bronchiolectasis": 0.02}, fibrosis=0.6),
    _row({"lung_bronchial_wall_thickening": 0.06, "lung_bronchiectasis": 0.08}, smoking=0.3),
    _row({"lung_mucous_plugging": 0.03}, infection=0.4),
    _row({"lung_pleural_effusion": 0.16}, heart=0.6, ill=0.4),
    _row({"lung_pneumothorax": 0.02}, ill=0.4, surgery=0.3),
    _row({"lung_pleural_thickening": 0.05}, age=0.2),
    _row({"lung_plaque": 0.04}, smoking=0.3, age=0.3),
    _row({"lung_atelectasis": 0.20}, ill=0.6, heart=0.3),
    _row({"lung_scarring": 0.14}, age=0.3),
    _row({"lung_bandlike_or_linear": 0.10}, ill=0.2),
    _row({"lung_pneumonia": 0.05, "lung_consolidation": 0.09}, infection=0.8, ill=0.2),
    _row({"lung_infection": 0.05}, infection=0.6),
    _row({"lung_aspiration": 0.04}, infection=0.4, ill=0.4),
    _row({"lung_chest_tube": 0.02}, ill=0.6, surgery=0.3),
    _row({"lung_catheter_or_port": 0.02}, ill=0.5),
    _row({"lung_transplant": 0.01}, surgery=0.3, fibrosis=0.3),
    _row({"lung_clip": 0.03}, surgery=0.5),
    _row({"lung_staple": 0.02}, surgery=0.5, tumour=0.3),
    _row({"lung_suture": 0.02}, surgery=0.5, tumour=0.3),
    _row({"lung_postsurgical": 0.04}, surgery=0.5, tumour=0.3),
    _row({"lung_cancer": 0.05, "lung_mass": 0.04}, tumour=0.8, smoking=0.3),
    _row({"lung_cavitation": 0.02}, infection=0.4),
    _row({"lung_cyst": 0.04}),
    _row({"lung_lucency": 0.03}, smoking=0.5),
    _row({"lung_lesion": 0.04}, tumour=0.5),
    _row({"lung_soft_tissue": 0.03}, tumour=0.4),
    _row({"lung_lymphadenopathy": 0.03}, tumour=0.6),
    _row({"lung_opacity": 0.12}, infection=0.4),
    _row({"lung_density": 0.05}),
    _row({"lung_tree_in_bud": 0.04}, infection=0.5),
    _row({"lung_nodulegr1cm": 0.10}, tumour=0.5, smoking=0.2),
    _row({"lung_nodule": 0.22}, smoking=0.2),
    _row({"lung_scattered_nod": 0.06}, tumour=0.3),
    _row({"lung_granuloma": 0.10}, age=0.2),
    _row({"lung_calcification": 0.06}, age=0.2),
    _row({"lung_scattered_calc": 0.02}, age=0.2),
)  # fmt: skip
"""Rounded from what reports of adult chest CT name; change any row by `with_prevalence`."""


def with_prevalence(prevalence: Mapping[str, Number], *, only: bool = False) -> tuple[Row, ...]:
    """`OCCURRENCE` with some prevalences replaced; with `only`, all others are 0.

    Raises `HirescamError` for labels without a finding and for shares that do not fit.
    """
    unknown = set(prevalence) - set(FINDINGS)
    if unknown:
        raise HirescamError(
            f"no finding is named {', '.join(sorted(unknown))}: choose among "
            f"{', '.join(sorted(FINDINGS))}"
        )
    rows = []
    for row in OCCURRENCE:
        before = dict.fromkeys(row.prevalence, 0.0) if only else row.prevalence
        shares = {label: prevalence.get(label, before[label]) for label in row.prevalence}
        if min(shares.values()) < 0 or sum(shares.values()) > 1:
            raise HirescamError(
                f"prevalences {shares} cannot be: a person has at most one of these, so give "
                f"shares from 0 that add up to at most 1"
            )
        rows.append(Row(shares, row.loading))
    return tuple(rows)


def draw_findings(
    count: int,
    random: np.random.Generator,
    *,
    rows: tuple[Row, ...] = OCCURRENCE,
    co_occurrence: Number = 1.0,
) -> dict[str, Bool[np.ndarray, "person"]]:
    """Who has which finding; `co_occurrence` scales every loading, 0 makes rows independent."""
    burdens = sorted({burden for row in rows for burden in row.loading})
    heavy = dict(zip(burdens, random.standard_normal((len(burdens), count)), strict=True))
    drawn: dict[str, Bool[np.ndarray, person]] = {}
    for row in rows:
        loading = {burden: co_occurrence * part for burden, part in row.loading.items()}
        own = np.sqrt(1 - sum(part**2 for part in loading.values()))
        liability = own * random.standard_normal(count)
        for burden, part in loading.items():
            liability = liability + part * heavy[burden]
        rank = ndtr(-liability)
        upper = 0.0
        for label, share in row.prevalence.items():
            lower, upper = upper, upper + share
            drawn[label] = (lower <= rank) & (rank < upper)
    return {label: drawn[label] for label in FINDINGS if label in drawn}
