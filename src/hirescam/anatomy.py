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
