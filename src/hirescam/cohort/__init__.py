"""Many scans: a manifest in, a folder of results and a ledger out."""
