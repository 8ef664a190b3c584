"""Where hirescam keeps what it made for itself on this machine."""

import os
from pathlib import Path


def demo_model_path() -> Path:
    """The model that `hirescam demo` trained, under $HIRESCAM_HOME or else the user's cache."""
    home = os.environ.get("HIRESCAM_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "hirescam") / "demo.model"
