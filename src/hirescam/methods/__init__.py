"""Explanation methods for any torch CNN, 2D or 3D. Nothing here knows about CT."""

from hirescam.methods.gradcam import gradcam
from hirescam.methods.guarantee import Guarantee, Kind, audit
from hirescam.methods.hirescam import hirescam

METHODS = {"hirescam": hirescam, "gradcam": gradcam}

__all__ = ["METHODS", "Guarantee", "Kind", "audit", "gradcam", "hirescam"]
