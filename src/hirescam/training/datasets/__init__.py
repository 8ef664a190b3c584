"""Data sets on disk: scans, labels and where the labels lie, one file for each layout."""
