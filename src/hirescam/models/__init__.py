"""Networks that classify volumes, and the files that hold them."""
