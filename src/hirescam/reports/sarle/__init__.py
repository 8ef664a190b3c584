"""sarle-2020: the published rules and term search for CT and chest X-ray reports, exactly.

Draelos et al., Medical Image Analysis 2021 (arXiv:2002.04752), and their MIT-licensed
sarle-labeler. Reproduced so that results compare; the profile "default" labels better.
"""

from functools import partial

from hirescam.reports.sarle.profile import build as build
from hirescam.reports.sarle.profile import missing_sides as missing_sides

ct = partial(build, "ct")
cxr = partial(build, "cxr")
