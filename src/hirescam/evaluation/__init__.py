"""What a model is worth on scans whose truth is known: its scores, and where it looks."""
