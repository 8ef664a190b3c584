"""Build hook: has npm make the viewer's script, which then ships in the wheel.

Without npm, or without a registry to reach, the package is built all the same: then
`hirescam view` says what is missing, and reports hold their pictures alone. A source
distribution carries the script, so a wheel that is built from one needs no npm.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SCRIPT = Path("src/hirescam/summary/browser/viewer.js")
LIMIT_S = 600


class ViewerBuild(BuildHookInterface):
    """Runs `npm ci` and `npm run build` in web/ where the script is older than its sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        web, script = Path(self.root, "web"), Path(self.root, SCRIPT)
        if not web.is_dir() or _is_newer(script, web):
            return
        npm = shutil.which("npm")
        if npm is None:
            self.app.display_warning(f"no npm here: {_left(script)}")
            return
        steps = (
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            [npm, "run", "build"],
        )
        try:
            for step in steps:
                subprocess.run(step, cwd=web, check=True, capture_output=True, timeout=LIMIT_S)
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
            last = said.splitlines()[-1] if said else type(error).__name__
            self.app.display_warning(f"npm failed ({last}): {_left(script)}")


def _is_newer(script: Path, web: Path) -> bool:
    sources = [web / "package-lock.json", web / "build.mjs", *(web / "src").glob("*.js")]
    made = script.stat().st_mtime if script.is_file() else 0.0
    return made >= max(source.stat().st_mtime for source in sources)  # alike in an archive


def _left(script: Path) -> str:
    """What the package holds where npm did not make the script anew."""
    if script.is_file():
        return "hirescam is built with the viewer that was made before"
    return "hirescam is built without its viewer"
