"""Chests, lesions and their reports with known ground truth."""
