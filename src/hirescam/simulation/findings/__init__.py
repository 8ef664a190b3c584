"""What can be wrong in a simulated chest: one small function each, and the table of all."""
