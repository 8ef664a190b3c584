"""What a scan is, and how it becomes a network's input and back."""
