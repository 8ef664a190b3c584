"""FINDINGS: every finding that can be simulated, one row for each of the 80 labels.

They are placed in this order, so that a nodule keeps clear of what would hide it. To add or
change a finding: its function in this folder, its row here, its sentences in `wordings/`.
"""

from functools import partial

from hirescam.simulation.findings import (
    airspace,
    heart,
    interstitium,
    mediastinum,
    nodules,
    pleura,
    surgery,
)
from hirescam.simulation.findings.kinds import Change, Finding, Placing, unchanged
from hirescam.simulation.painting import denser


def _row(place: Placing, *abnormalities: str, change: Change = unchanged) -> Finding:
    return Finding(place, abnormalities, change)


def _in_lung(place: Placing, *abnormalities: str) -> Finding:
    """What needs no more than lungs, so that real scans can have it."""
    return Finding(place, abnormalities, needs_only_lungs=True)


_HAZE = (-640, -520)

HEART = {
    "heart_cardiomegaly": _row(heart.cardiomegaly, "cardiomegaly", change=heart.enlarged_heart),
    "heart_heart_failure": _row(
        heart.cardiomegaly, "heart_failure", "cardiomegaly", change=heart.enlarged_heart
    ),
    "heart_pericardial_effusion": _row(
        partial(heart.sac, hu=(4, 18), up_to_mm=20),
        "pericardial_effusion",
        change=partial(heart.wide_sac, depth_mm=(6, 15)),
    ),
    "heart_pericardial_thickening": _row(
        partial(heart.sac, hu=(45, 70), up_to_mm=5),
        "pericardial_thickening",
        change=partial(heart.wide_sac, depth_mm=(4, 5)),
    ),
    "heart_coronary_artery_disease": _row(
        heart.coronary_calcification, "coronary_artery_disease", "calcification"
    ),
    "heart_atherosclerosis": _row(
        heart.coronary_calcification,
        "atherosclerosis",
        "coronary_artery_disease",
        "calcification",
    ),
    "heart_calcification": _row(heart.mitral_calcification, "calcification"),
    "heart_scattered_calc": _row(heart.scattered_in_heart, "scattered_calc", "calcification"),
    "heart_stent": _row(heart.stent, "stent", "coronary_artery_disease"),
    "heart_heart_valve_replacement": _row(heart.valve_prosthesis, "heart_valve_replacement"),
    "heart_pacemaker_or_defib": _row(surgery.pacemaker, "pacemaker_or_defib"),
    "heart_catheter_or_port": _row(surgery.atrial_catheter, "catheter_or_port"),
    "heart_sternotomy": _row(surgery.sternal_wires, "sternotomy", "postsurgical"),
    "heart_cabg": _row(surgery.bypass_clips, "cabg", "sternotomy", "postsurgical"),
    "heart_postsurgical": _row(surgery.heart_clips, "postsurgical", "clip"),
    "heart_transplant": _row(surgery.new_heart, "transplant", "sternotomy", "postsurgical"),
}

GREAT_VESSELS = {
    "great_vessel_aneurysm": _row(
        heart.wide_aorta, "aneurysm", change=partial(heart.bulging, to_mm=(51, 60))
    ),
    "great_vessel_dilation_or_ectasia": _row(
        heart.wide_aorta,
        "dilation_or_ectasia",
        change=partial(heart.bulging, to_mm=(42, 47)),
    ),
    "great_vessel_calcification": _row(heart.aortic_plaques, "calcification"),
    "great_vessel_atherosclerosis": _row(
        partial(heart.aortic_plaques, count=(10, 18)), "atherosclerosis", "calcification"
    ),
    "great_vessel_scattered_calc": _row(
        partial(heart.aortic_plaques, count=(3, 6), length_mm=(2, 4)),
        "scattered_calc",
        "calcification",
    ),
    "great_vessel_postsurgical": _row(heart.graft, "postsurgical"),
    "great_vessel_catheter_or_port": _row(surgery.caval_catheter, "catheter_or_port"),
}

MEDIASTINUM = {
    "mediastinum_mass": _row(
        mediastinum.mass, "mass", change=partial(mediastinum.room_for_mass, radius_mm=(20, 32))
    ),
    "mediastinum_cancer": _row(
        mediastinum.mass,
        "cancer",
        "mass",
        change=partial(mediastinum.room_for_mass, radius_mm=(22, 36)),
    ),
    "mediastinum_nodule": _row(
        mediastinum.mass, "nodule", change=partial(mediastinum.room_for_mass, radius_mm=(7, 11))
    ),
    "mediastinum_lymphadenopathy": _row(
        partial(mediastinum.nodes, diameter_mm=(13, 24), hu=(25, 50)), "lymphadenopathy"
    ),
    "mediastinum_calcification": _row(
        partial(mediastinum.nodes, diameter_mm=(5, 9), hu=(350, 750)), "calcification"
    ),
    "mediastinum_opacity": _row(mediastinum.haze, "opacity"),
}

LUNGS = {
    "lung_lung_resection": _row(
        surgery.empty_side, "lung_resection", "postsurgical", change=surgery.one_lung_removed
    ),
    "lung_emphysema": _in_lung(interstitium.emphysema, "emphysema"),
    "lung_air_trapping": _in_lung(interstitium.air_trapping, "air_trapping"),
    "lung_groundglass": _in_lung(
        partial(airspace.patches, hu=_HAZE, radius_mm=(24, 44)), "groundglass"
    ),
    "lung_inflammation": _in_lung(
        partial(airspace.patches, hu=(-600, -480), count=2), "inflammation", "opacity"
    ),
    "lung_airspace_disease": _in_lung(
        partial(airspace.patches, hu=(-220, -80), count=3), "airspace_disease"
    ),
    "lung_pulmonary_edema": _in_lung(
        partial(airspace.around_hila, hu=(-620, -480)), "pulmonary_edema"
    ),
    "lung_septal_thickening": _in_lung(interstitium.septal_thickening, "septal_thickening"),
    "lung_reticulation": _in_lung(interstitium.reticulation, "reticulation"),
    "lung_interstitial_lung_disease": _in_lung(
        partial(interstitium.reticulation, haze_hu=-660.0),
        "interstitial_lung_disease",
        "reticulation",
        "groundglass",
    ),
    "lung_fibrosis": _in_lung(
        partial(interstitium.reticulation, depth_mm=(12, 20), haze_hu=-500.0),
        "fibrosis",
        "interstitial_lung_disease",
        "reticulation",
    ),
    "lung_honeycombing": _in_lung(interstitium.honeycombing, "honeycombing"),
    "lung_bronchiolectasis": _in_lung(interstitium.bronchiolectasis, "bronchiolectasis"),
    "lung_bronchial_wall_thickening": _row(airspace.thick_walls, "bronchial_wall_thickening"),
    "lung_bronchiectasis": _row(
        partial(airspace.thick_walls, widened=2.2, wall_mm=1.5), "bronchiectasis"
    ),
    "lung_mucous_plugging": _row(airspace.mucous_plugging, "mucous_plugging"),
    "lung_pleural_effusion": _in_lung(pleura.effusion, "pleural_effusion"),
    "lung_pneumothorax": _in_lung(pleura.pneumothorax, "pneumothorax"),
    "lung_pleural_thickening": _in_lung(pleura.thickening, "pleural_thickening"),
    "lung_plaque": _in_lung(pleura.plaques, "plaque", "calcification"),
    "lung_atelectasis": _in_lung(airspace.atelectasis, "atelectasis"),
    "lung_scarring": _in_lung(airspace.apical_scar, "scarring"),
    "lung_bandlike_or_linear": _in_lung(airspace.band, "bandlike_or_linear", "opacity"),
    "lung_consolidation": _in_lung(airspace.filled_lobe, "consolidation"),
    "lung_pneumonia": _in_lung(airspace.filled_lobe, "pneumonia", "consolidation"),
    "lung_infection": _in_lung(
        partial(airspace.filled_lobe, hu=(-260, -120), texture_hu=110, radius_mm=(24, 40)),
        "infection",
        "opacity",
    ),
    "lung_aspiration": _in_lung(
        partial(airspace.filled_lobe, hu=(-320, -160), lobes=("lower",), mix=denser),
        "aspiration",
        "opacity",
    ),
    "lung_chest_tube": _in_lung(surgery.chest_tube, "chest_tube"),
    "lung_catheter_or_port": _in_lung(
        surgery.pleural_catheter, "catheter_or_port", "chest_tube"
    ),
    "lung_transplant": _row(surgery.new_lungs, "transplant", "clip"),
    "lung_clip": _in_lung(surgery.lung_clip, "clip"),
    "lung_staple": _in_lung(surgery.staple_line, "staple"),
    "lung_suture": _in_lung(surgery.suture_line, "suture"),
    "lung_postsurgical": _in_lung(surgery.distorted_lung, "postsurgical"),
    "lung_cancer": _in_lung(
        partial(
            nodules.nodule, diameter_mm=(31, 58), bumps=0.2, spicules=24, counts_as_nodule=False
        ),
        "cancer",
        "mass",
    ),
    "lung_mass": _in_lung(
        partial(nodules.nodule, diameter_mm=(32, 62), bumps=0.16, counts_as_nodule=False),
        "mass",
    ),
    "lung_cavitation": _in_lung(
        partial(nodules.hollow, diameter_mm=(24, 44), wall_mm=(4, 8)), "cavitation", "lesion"
    ),
    "lung_cyst": _in_lung(
        partial(nodules.hollow, diameter_mm=(12, 36), wall_mm=(1, 1.5)), "cyst"
    ),
    "lung_lucency": _in_lung(nodules.lucency, "lucency"),
    "lung_lesion": _in_lung(
        partial(nodules.nodule, diameter_mm=(14, 29), bumps=0.15, counts_as_nodule=False),
        "lesion",
    ),
    "lung_soft_tissue": _in_lung(nodules.on_pleura, "soft_tissue"),
    "lung_lymphadenopathy": _row(nodules.lung_node, "lymphadenopathy"),
    "lung_opacity": _in_lung(
        partial(nodules.hazy, diameter_mm=(28, 52), hu=(-480, -250)), "opacity"
    ),
    "lung_density": _in_lung(
        partial(nodules.hazy, diameter_mm=(12, 24), hu=(-350, -150)), "density"
    ),
    "lung_tree_in_bud": _in_lung(nodules.tree_in_bud, "tree_in_bud"),
    "lung_nodulegr1cm": _in_lung(
        partial(nodules.nodule, diameter_mm=(12, 29)), "nodulegr1cm", "nodule"
    ),
    "lung_nodule": _in_lung(partial(nodules.nodule, diameter_mm=(6, 25)), "nodule"),
    "lung_scattered_nod": _in_lung(
        partial(nodules.scattered, diameter_mm=(4, 8), hu=(10, 50)), "scattered_nod", "nodule"
    ),
    "lung_granuloma": _in_lung(
        partial(nodules.nodule, diameter_mm=(5, 9), hu=(350, 750), counts_as_nodule=False),
        "granuloma",
        "calcification",
    ),
    "lung_calcification": _in_lung(
        partial(nodules.nodule, diameter_mm=(4, 7), hu=(450, 900), counts_as_nodule=False),
        "calcification",
    ),
    "lung_scattered_calc": _in_lung(
        partial(nodules.scattered, diameter_mm=(3, 5), hu=(400, 800)),
        "scattered_calc",
        "calcification",
    ),
}

FINDINGS = HEART | GREAT_VESSELS | MEDIASTINUM | LUNGS
