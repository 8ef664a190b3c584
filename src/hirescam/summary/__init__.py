"""An explanation as pictures, pages and numbers in a folder."""
