"""Photographs instead of scans: read them, train on them, explain them, measure the maps."""
