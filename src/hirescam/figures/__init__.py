"""Figures and pages of experiments, evaluations and organs, for print and for a look."""
