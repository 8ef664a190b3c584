"""Where the lungs and the mediastinum lie in a scan, without learned weights."""
