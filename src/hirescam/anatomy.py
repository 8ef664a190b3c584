"""Organs and the 80 labels of the paper: tables, no code.

Draelos and Carin, arXiv:2011.08891, table 5. The order of `LABELS` is that of the published
networks' outputs: 29 labels that lie in the mediastinum mask, then 51 that lie in the lungs.
"""

ORGANS = ("right_lung", "left_lung", "mediastinum")

_GREAT_VESSEL = """
    aneurysm atherosclerosis calcification catheter_or_port dilation_or_ectasia postsurgical
    scattered_calc
"""
_MEDIASTINUM = "calcification cancer lymphadenopathy mass nodule opacity"
_HEART = """
    atherosclerosis cabg calcification cardiomegaly catheter_or_port coronary_artery_disease
    heart_failure heart_valve_replacement pacemaker_or_defib pericardial_effusion
    pericardial_thickening postsurgical scattered_calc stent sternotomy transplant
"""
_LUNG = """
    air_trapping airspace_disease aspiration atelectasis bandlike_or_linear
    bronchial_wall_thickening bronchiectasis bronchiolectasis calcification cancer
    catheter_or_port cavitation chest_tube clip consolidation cyst density emphysema fibrosis
    granuloma groundglass honeycombing infection inflammation interstitial_lung_disease lesion
    lucency lung_resection lymphadenopathy mass mucous_plugging nodule nodulegr1cm opacity
    plaque pleural_effusion pleural_thickening pneumonia pneumothorax postsurgical
    pulmonary_edema reticulation scarring scattered_calc scattered_nod septal_thickening
    soft_tissue staple suture transplant tree_in_bud
"""

ABNORMALITIES = {
    "great_vessel": tuple(_GREAT_VESSEL.split()),
    "mediastinum": tuple(_MEDIASTINUM.split()),
    "heart": tuple(_HEART.split()),
    "lung": tuple(_LUNG.split()),
}

LABELS = tuple(
    f"{place}_{abnormality}"
    for place, abnormalities in ABNORMALITIES.items()
    for abnormality in abnormalities
)

LIES_IN = {
    "great_vessel": ("mediastinum",),
    "mediastinum": ("mediastinum",),
    "heart": ("mediastinum",),
    "lung": ("right_lung", "left_lung"),
}
"""The organs in which the labels of each place can lie."""

_INTERVENTIONS = """
    great_vessel_catheter_or_port great_vessel_postsurgical heart_cabg heart_catheter_or_port
    heart_heart_valve_replacement heart_pacemaker_or_defib heart_postsurgical heart_stent
    heart_sternotomy heart_transplant lung_catheter_or_port lung_chest_tube lung_clip
    lung_lung_resection lung_postsurgical lung_staple lung_suture lung_transplant
"""
_DIFFUSE = """
    great_vessel_postsurgical heart_cabg heart_cardiomegaly heart_heart_failure
    heart_pericardial_effusion heart_pericardial_thickening heart_postsurgical
    heart_sternotomy heart_transplant lung_air_trapping lung_airspace_disease lung_aspiration
    lung_atelectasis lung_bronchial_wall_thickening lung_bronchiectasis lung_bronchiolectasis
    lung_consolidation lung_emphysema lung_fibrosis lung_groundglass lung_infection
    lung_inflammation lung_interstitial_lung_disease lung_lung_resection lung_mucous_plugging
    lung_plaque lung_pleural_effusion lung_pleural_thickening lung_pneumonia lung_pneumothorax
    lung_postsurgical lung_pulmonary_edema lung_reticulation lung_scarring lung_scattered_nod
    lung_septal_thickening lung_transplant lung_tree_in_bud
"""

CONCEPTS = {
    "intervention": frozenset(_INTERVENTIONS.split()),
    "biological": frozenset(LABELS) - frozenset(_INTERVENTIONS.split()),
    "diffuse": frozenset(_DIFFUSE.split()),
    "focal": frozenset(LABELS) - frozenset(_DIFFUSE.split()),
    **{
        place: frozenset(f"{place}_{abnormality}" for abnormality in abnormalities)
        for place, abnormalities in ABNORMALITIES.items()
    },
}
"""Groups of labels over which the paper sums OrganIoU up."""
