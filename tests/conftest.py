"""One thread for each process, set before torch is loaded, for the children too.

The tests' networks are tiny: more threads only wait for each other, and with torch 2.13 the
backward pass of convolutions of four channels on two threads corrupts the heap.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
