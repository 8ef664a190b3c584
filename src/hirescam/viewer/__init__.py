"""A page on 127.0.0.1 that shows explained scans: planes, maps, findings; no internet."""
