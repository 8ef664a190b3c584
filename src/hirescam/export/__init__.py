"""An explanation as files that other programs read."""
