"""Reading: how scans are read, and refused where they are no CT of a person."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hirescam.ct.reading import read_volume
from hirescam.ct.sandbox import read_volume_sandboxed
from hirescam.ct.validation import as_read_error, check_hounsfield
from hirescam.ct.volume import Volume


@dataclass(frozen=True)
class Reading:
    """Options of `read_volume`, and whether values that no person has are taken too."""

    on_bad_geometry: Literal["error", "repair"] = "error"
    assume_hu: bool = False
    sandbox: bool = False
    any_values: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the voxels that come of a scan."""
        return {name: it for name, it in vars(self).items() if name != "sandbox"}

    def read(self, path: Path, series: str | None = None) -> Volume:
        """The scan at a path. Raises `ReadError` if it cannot be read without a guess."""
        reader = read_volume_sandboxed if self.sandbox else read_volume
        volume = reader(
            path,
            series=series,
            on_bad_geometry=self.on_bad_geometry,
            assume_hu=self.assume_hu,
        )
        if not self.any_values:
            with as_read_error(path):
                check_hounsfield(volume)
        return volume


STRICT = Reading()
"""Nothing repaired, nothing assumed."""
