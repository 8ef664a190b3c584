"""Fitting networks to scans and labels."""
