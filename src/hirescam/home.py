"""Where hirescam keeps what it made for itself on this machine."""

import os
from pathlib import Path


def demo_model_path() -> Path:
    """The model that `hirescam demo` trained, under $HIRESCAM_HOME or else the user's cache."""
    home = os.environ.get("HIRESCAM_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "hirescam") / "demo.model"


def packaged_model_path() -> Path:
    """The small model of simulated chests that comes with the package; it may be missing."""
    return Path(__file__).with_name("assets") / "default.model"


def usual_model_path() -> Path:
    """The model for whoever names none: the demo's if trained here, else the packaged one."""
    demo, packaged = demo_model_path(), packaged_model_path()
    return demo if demo.is_file() or not packaged.is_file() else packaged
