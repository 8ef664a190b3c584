"""The viewer at full size: first picture and change of label, 405×420×420 voxels, 80 labels.

In Chromium with software rendering, as on a machine without a graphics card. Times are the
browser's own: the first picture counts from the start of the page load, a label from the click
until its planes are drawn.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import hardware, table
from playwright.sync_api import Page, sync_playwright

import hirescam
from hirescam.anatomy import LABELS
from hirescam.models.files import new_model

CHROMIUM = Path("/usr/bin/chromium")
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
ROUNDS = 3
SWITCH = """
async (label) => {
  const start = performance.now();
  document.querySelector(`[data-label="${label}"]`).click();
  const { first } = document.getElementById("viewer").page;
  const told = () => document.getElementById("said").textContent;
  const name = label.replaceAll("_", " ");
  while (!told().startsWith(`${name}:`)) await new Promise((done) => setTimeout(done));
  first.planes.nv.gl.finish();
  return performance.now() - start;
}
"""


def explained(folder: Path) -> Path:
    """A simulated chest, explained by a full-size network of random weights."""
    model = new_model(
        name="random", labels=LABELS, preparation=hirescam.Preparation(), trained_on="nothing"
    )
    chest = hirescam.simulate(0, spacing_mm=(0.8, 0.8, 0.8)).volume
    organs = hirescam.segment_organs(chest)
    return hirescam.write_summary(hirescam.explain(model, chest), folder, organs=organs)


def times(page: Page, address: str) -> tuple[float, list[float]]:
    """Seconds to the first picture, milliseconds of each change of label."""
    page.goto(address)
    page.wait_for_selector("#viewer[data-ready]", timeout=120_000)
    first = float(page.get_attribute("#viewer", "data-ready") or 0) / 1000
    page.wait_for_timeout(3000)  # the 3-D rendering settles
    switches = []
    for label in LABELS[1:11]:
        switches.append(page.evaluate(SWITCH, label))
        page.wait_for_timeout(1500)
    return first, switches


def main() -> None:
    """Explain, serve, look, print."""
    print(hardware(), "\n")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as started:
        folder = explained(Path(scratch) / "explained")
        size = (folder / "report.html").stat().st_size / 1e6
        command = [sys.executable, "-m", "hirescam", "view", str(folder), "--no-browser"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            served = server.stdout.readline().strip()
            pages = {"hirescam view": served, "report.html": (folder / "report.html").as_uri()}
            rows = []
            for name, address in pages.items():
                firsts, switches = [], []
                for _ in range(ROUNDS):
                    browser = started.chromium.launch(
                        executable_path=CHROMIUM, args=SOFTWARE_GL
                    )
                    first, switched = times(browser.new_page(), address)
                    browser.close()
                    firsts.append(first)
                    switches.extend(switched)
                rows.append(
                    (
                        name,
                        f"{statistics.median(firsts):.2f}",
                        f"{statistics.median(switches):.0f}",
                        f"{max(switches):.0f}",
                    )
                )
            server.terminate()
    table(("page", "first picture, s", "label, ms (median)", "label, ms (slowest)"), rows)
    print(f"\nreport.html: {size:.1f} MB")


if __name__ == "__main__":
    if not CHROMIUM.exists():
        sys.exit(f"no browser at {CHROMIUM}: apt-get install chromium")
    main()
