"""Where hirescam keeps what it made for itself on this machine."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def home_path() -> Path:
    """The folder that $HIRESCAM_HOME names, or else the one in the user's cache."""
    named = os.environ.get("HIRESCAM_HOME")
    return Path(named) if named else user_cache_path("hirescam", appauthor=False)


def demo_model_path() -> Path:
    """The model that `hirescam demo --train` made."""
    return home_path() / "demo.model"


def packaged_model_path() -> Path:
    """The small model of simulated chests that comes with the package; it may be missing."""
    return Path(__file__).with_name("assets") / "default.model"


def usual_model_path() -> Path:
    """The model for whoever names none: the demo's if trained here, else the packaged one."""
    demo, packaged = demo_model_path(), packaged_model_path()
    return demo if demo.is_file() or not packaged.is_file() else packaged
