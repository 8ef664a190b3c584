"""An open page of the viewer in a real browser: what it shows, asks for and complains of."""

import time
from base64 import b64decode

import numpy as np

# Pixels of one plane of one view (rows from the bottom), and where they lie in mm.
READ_PLANE = """
([view, plane]) => {
  const { planes } = document.getElementById("viewer").page[view];
  planes.draw();
  const { gl, screenSlices } = planes.nv;
  const { leftTopWidthHeight, leftTopMM, fovMM } = screenSlices[plane];
  const [left, top, width, height] = leftTopWidthHeight.map(Math.round);
  const pixels = new Uint8Array(4 * width * height);
  gl.readPixels(
    left, gl.canvas.height - top - height, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  let text = "";
  for (let start = 0; start < pixels.length; start += 1 << 14)
    text += String.fromCharCode(...pixels.subarray(start, start + (1 << 14)));
  return {
    pixels: btoa(text), width, height, leftTopMM: [...leftTopMM], fovMM: [...fovMM],
  };
}
"""
SUMMARY = "async () => document.getElementById('viewer').page.case.summary"


class Shown:
    """An open page, every address that it asked for, and everything that it complained of."""

    def __init__(self, browser, address):
        self.page = browser.new_page(viewport={"width": 1100, "height": 700})
        self.asked, self.complaints = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = address
        self.page.goto(address)
        self.ready()
        self.findings = {row["label"]: row for row in self.page.evaluate(SUMMARY)["findings"]}

    def _note(self, message):
        if message.type in ("error", "warning") and "GPU stall" not in message.text:
            self.complaints.append(message.text)

    def ready(self):
        self.page.wait_for_selector("#viewer[data-ready]", timeout=60_000)

    def choose(self, label):
        self.page.click(f'[data-label="{label}"]')
        self.wait(lambda: self.chosen == label)

    def wait(self, held):
        end = time.monotonic() + 20
        while not held():
            assert time.monotonic() < end, "the page did not change in 20 s"
            self.page.wait_for_timeout(20)

    @property
    def chosen(self):
        return self.page.get_attribute("#findings-list", "data-chosen")

    @property
    def position(self):
        return self.page.evaluate(
            "document.getElementById('viewer').page.first.planes.position()"
        )

    def plane(self, plane=0, view="first"):
        """RGB, rows from the bottom; and the mm of a pixel's row and column."""
        told = self.page.evaluate(READ_PLANE, [view, plane])
        shape = (told["height"], told["width"], 4)
        pixels = np.frombuffer(b64decode(told["pixels"]), np.uint8).reshape(shape)
        pixels = pixels[..., :3].astype(int)
        return pixels, told

    def slide(self, name, value):
        self.page.evaluate(
            "([name, value]) => { const slider = document.getElementById(name);"
            "slider.value = value; slider.dispatchEvent(new Event('input')); }",
            [name, value],
        )
