"""An explanation as pictures and pages."""
