"""One file per experiment that anyone can repeat."""
