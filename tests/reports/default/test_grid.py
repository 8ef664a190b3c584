"""Every frame that radiologists put a finding into gives the finding the frame's own status.

Frames times findings, generated; `{}` is the finding. Nothing said of the scan expects no row.
"""

from collections import defaultdict

import pytest

FINDINGS = {
    "consolidation": "consolidation",
    "pleural effusion": "pleural_effusion",
    "pneumothorax": "pneumothorax",
    "atelectasis": "atelectasis",
    "pulmonary nodule": "nodule",
    "mass": "mass",
    "emphysema": "emphysema",
    "bronchiectasis": "bronchiectasis",
    "pneumonia": "pneumonia",
    "pulmonary edema": "pulmonary_edema",
    "pericardial effusion": "pericardial_effusion",
    "cardiomegaly": "cardiomegaly",
    "lymphadenopathy": "lymphadenopathy",
    "honeycombing": "honeycombing",
    "interlobular septal thickening": "septal_thickening",
    "ground-glass opacity": "groundglass",
    "cavitation": "cavitation",
    "pulmonary fibrosis": "fibrosis",
    "bronchial wall thickening": "bronchial_wall_thickening",
    "air trapping": "air_trapping",
    "rib fracture": "fracture",
    "hiatal hernia": "hernia",
}

PRESENT = """
{}.
There is {}.
There is evidence of {}.
Evidence of {}.
Signs of {}.
{} is seen.
{} is present.
{} is again noted.
{} is noted on the current study.
Mild {}.
Small {}.
Extensive {}.
New {}.
Worsening {}.
Unchanged {}.
Stable {}.
Persistent {}.
Known {} is unchanged.
{} is unchanged.
{} is unchanged and not enlarging.
{} has not changed.
{} has not resolved.
{} has not significantly improved.
No change in the {}.
No significant interval change in {}.
{} has increased.
{} has improved but not resolved.
{} persists.
{}, not seen on the previous study.
{} which was not present previously.
{} that was not seen on the prior CT.
{}, not previously seen.
Interval development of {}.
{} has developed.
Findings consistent with {}.
Findings compatible with {}.
Findings are consistent with {}.
Appearances in keeping with {}.
Findings indicative of {}.
Findings due to {}.
Changes secondary to {}.
Findings representing {}.
Consistent with {}.
The scan shows {}.
The scan demonstrates {}.
CT confirms {}.
Diagnostic of {}.
Incidental {}.
Likely {}.
Probable {}.
Findings most likely represent {}.
No doubt about {}.
Not only {} but also a calcified granuloma.
{} without calcification.
{}: Yes.
{}: present.
{}: Present, unchanged.
{}: mild.
{} (+)
{}: positive
[x] {}
- {}
• {}
1. {}
* {}
Impression: {}.
FINDINGS: {}.
Normal thyroid. {}.
The thyroid is unremarkable, but there is {}.
No gallstones. There is {}.
No gallstones, but {}.
The thyroid is normal except for {}.
Apart from {}, the scan is normal.
Other than {}, no abnormality.
With the exception of {}, the chest is normal.
"""

ABSENT = """
No {}.
No {} is seen.
No evidence of {}.
No CT evidence of {}.
No evidence for {}.
No definite evidence of {}.
No radiographic evidence of acute {}.
There is no {}.
There is no evidence of {}.
There are no findings of {}.
No sign of {}.
No signs to suggest {}.
No convincing {}.
No significant {}.
No new {}.
No focal {}.
No definite {} identified.
No features of {}.
No features consistent with {}.
No finding compatible with {}.
No findings consistent with {}.
No findings suggestive of {}.
No findings to suggest {}.
No finding suspicious for {}.
No abnormality representing {}.
No abnormality due to {}.
No changes secondary to {}.
No abnormality indicating {}.
No appearances in keeping with {}.
No changes attributable to {}.
No indication of {}.
No suggestion of {}.
No suspicion of {}.
No concern for {}.
No residual {}.
No recurrence of {}.
No visible {}.
No obvious {}.
Nothing to suggest {}.
Nothing suggestive of {}.
Nothing secondary to {}.
Nothing compatible with {}.
Nothing to indicate {}.
Without {}.
Without evidence of {}.
w/o {}.
The chest is without {}.
The chest is free of {}.
The chest is clear of {}.
Negative for {}.
The study is negative for {}.
Absence of {}.
Absent {}.
Lack of {}.
Nil {}.
Zero {}.
{} is absent.
{} is not seen.
{} is not identified.
{} is not present.
{} is not evident.
{} is not demonstrated.
{} was not detected.
{} was not observed.
{} not seen.
{} not identified.
{} has resolved.
{} has completely resolved.
{} is no longer seen.
{} is no longer present.
{} is not confirmed.
{} could not be demonstrated.
{} cannot be identified.
{} is excluded.
{} has been excluded.
{} is ruled out.
{} has been ruled out.
{} is unlikely.
{} is considered unlikely.
{} is very unlikely.
{} seems unlikely.
Unlikely to represent {}.
Findings are unlikely to represent {}.
Unlikely {}.
Not consistent with {}.
Findings are not consistent with {}.
Not compatible with {}.
Not suggestive of {}.
Not typical of {}.
Does not represent {}.
Does not show {}.
The scan does not demonstrate {}.
The scan shows no {}.
The scan fails to reveal {}.
CT shows no evidence of {}.
Low suspicion for {}.
Low likelihood of {}.
Resolved {}.
Resolution of {}.
Complete resolution of the {}.
Interval clearing of {}.
{}, seen on the prior study, is not confirmed.
{} seen previously is no longer visible.
{}: None.
{}: none
{}: No.
{}: no
{}: Absent.
{}: absent
{}: negative
{}: Negative.
{}: nil
{}: not seen
{}: Not identified.
{}: Not present.
{}: 0
{}: neg
{}: None significant.
{}: none seen
{} - none
{} – none
{} = none
{} (-)
{} (none)
{} (absent)
{} [none]
{} [no]
{}\tnone
| {} | none |
| {} | No |
[ ] {}
☐ {}
- {}: none
• {}: No
1. {}: Absent
Presence of {}: no
Evidence of {}: none
Any {}? No.
{}? None.
{} (no)
{}: N
- No {}
• No {}
1. No {}.
Impression: No {}.
No pneumomediastinum or {}.
No pneumomediastinum, gallstones, or {}.
No pneumomediastinum nor {}.
Neither pneumomediastinum nor {}.
No {} or pneumomediastinum.
No {}, likely goiter.
Rather than {}, there is a goiter.
A goiter instead of {}.
There is a goiter but no {}.
There is a goiter without {}.
There is a goiter; no {}.
There is a goiter and no {}.
Although there is a goiter, no {} is seen.
Not {}.
"""

UNCERTAIN = """
Possible {}.
Possibly {}.
Questionable {}.
Suspected {}.
Suspicious for {}.
Findings suspicious for {}.
Concern for {}.
Findings concerning for {}.
May represent {}.
This may be {}.
Findings may represent {}.
Could represent {}.
Might be {}.
{} is possible.
{} is suspected.
{} is a possibility.
{} is not excluded.
{} not excluded.
{} cannot be excluded.
{} can not be excluded.
{} cannot be ruled out.
{} is not ruled out.
{} has not been excluded.
{} could not be excluded.
{} cannot be entirely excluded.
{} can't be excluded.
{} is difficult to exclude.
{} would be difficult to exclude.
Difficult to exclude {}.
Cannot exclude {}.
Cannot rule out {}.
Unable to exclude {}.
Does not exclude {}.
? {}
? {}.
?{}
{}?
Query {}.
Query early {}.
Equivocal {}.
Suggestion of {}.
Suggestive of {}.
Raises the possibility of {}.
Raising concern for {}.
Differential includes {}.
{} versus goiter.
{} vs goiter.
Goiter versus {}.
{} should be considered.
{}: possible
{}: questionable
{}: cannot be excluded
"""

NOTHING = """
Evaluate for {}.
Evaluation for {}.
Please evaluate for {}.
Rule out {}.
r/o {}.
To rule out {}.
Assess for {}.
Referred for {}.
Patient referred for {}.
In search of {}.
Follow-up of {}.
Follow up of known {}.
Follow-up for {}.
Looking for {}.
History of {}.
h/o {}.
Patient with a history of {}.
Past history of {}.
Hx of {}.
Family history of {}.
Mother had {}.
If {} develops, repeat the scan.
Indication: {}.
Clinical history: {}.
Reason for exam: {}.
Indication: evaluate for {}.
Comparison: CT that showed {}.
Recommend follow-up of {}.
Recommend CT to exclude {}.
Risk of {}.
Screening for {}.
Clinical question: {}.
Previous CT showed {}.
Treated for {}.
"""

EXPECTED = {
    frame: status
    for status, frames in {
        "present": PRESENT,
        "absent": ABSENT,
        "uncertain": UNCERTAIN,
        "": NOTHING,
    }.items()
    for frame in frames.strip().split("\n")
}


def said(profile, frame, words, name):
    """The statuses of a finding in a frame; a sentence that opens with it has a capital."""
    text = frame.format(words)
    text = text[0].upper() + text[1:]
    return {f.status.value for f in profile.label("grid", text) if f.abnormality == name}


def test_the_grid_is_large():
    assert len(EXPECTED) >= 150
    assert len(FINDINGS) == 22


@pytest.mark.parametrize("status", ["present", "absent", "uncertain", ""])
def test_a_finding_has_the_status_of_its_frame(profile, status):
    wrong = defaultdict(list)
    frames = [frame for frame, of in EXPECTED.items() if of == status]
    for frame in frames:
        for words, name in FINDINGS.items():
            if said(profile, frame, words, name) != ({status} if status else set()):
                wrong[frame].append(words)
    assert sum(map(len, wrong.values())) <= 0.01 * len(frames) * len(FINDINGS), dict(wrong)


def test_no_negated_finding_is_read_as_present(profile):
    poison = [
        frame.format(words)
        for frame, status in EXPECTED.items()
        if status == "absent"
        for words, name in FINDINGS.items()
        if "present" in said(profile, frame, words, name)
    ]
    assert not poison
