"""What a reader expects of a viewer: each tool does what it says, by mouse and by keyboard."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from make_shown import Shown
from make_viewed import LABELS, viewing, write_case

SIZES = [(1440, 900), (1024, 768), (390, 844)]


@pytest.fixture(scope="module")
def shown(browser, address):
    page = Shown(browser, address)
    page.page.set_viewport_size({"width": 1440, "height": 900})
    yield page
    assert page.complaints == []
    page.page.close()


@pytest.fixture(autouse=True)
def _as_at_first(request):
    if "shown" in request.fixturenames:
        shown = request.getfixturevalue("shown")
        shown.page.select_option("#tool", "navigate")
        shown.page.click("#reset")


def tile(shown, plane=0, view="first"):
    """A plane's box in pixels of the page, its size in mm, and a function from mm to pixels."""
    return shown.page.evaluate(
        """([view, plane]) => {
          const { planes } = document.getElementById("viewer").page[view];
          const { nv } = planes;
          const rect = nv.canvas.getBoundingClientRect();
          const tile = planes.tiles().find((each) => each.plane === plane);
          const ratio = rect.width / nv.canvas.width;
          return { x: rect.left + tile.box.left * ratio, y: rect.top + tile.box.top * ratio,
            width: tile.box.width * ratio, height: tile.box.height * ratio,
            mm: tile.pixelMm / ratio, edges: tile.edges };
        }""",
        [view, plane],
    )


def drag(shown, start, end, plane=0):
    box = tile(shown, plane)
    at = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in (start, end)]
    mouse = shown.page.mouse
    mouse.move(*at[0])
    mouse.down()
    mouse.move(*at[1], steps=4)
    mouse.up()
    return math.dist(*at) * box["mm"]


def measures(shown):
    return shown.page.evaluate(
        "document.getElementById('viewer').page.annotations.list.map(({ text }) => text)"
    )


def test_a_ruler_measures_millimetres(shown):
    shown.page.select_option("#tool", "ruler")
    length = drag(shown, (0.3, 0.3), (0.7, 0.6))
    assert float(measures(shown)[-1].removesuffix(" mm")) == pytest.approx(length, abs=0.5)


def test_an_angle_takes_three_points(shown):
    shown.page.select_option("#tool", "angle")
    drag(shown, (0.2, 0.5), (0.5, 0.5))
    box = tile(shown)
    shown.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    assert measures(shown)[-1] == "90°"


def test_a_region_tells_mean_and_spread_of_the_scan_within(shown):
    shown.page.select_option("#tool", "region")
    drag(shown, (0.1, 0.1), (0.9, 0.9))
    mean, spread = shown.page.evaluate(
        """() => {
          const { page } = document.getElementById("viewer");
          const { planes } = page.first;
          const [x, y, z] = planes.position();
          const { box, toMm } = planes.tiles()[0];
          const values = [];
          const inv = page.scan.fromMm;
          for (let v = 0.1; v < 0.9; v += 0.01) for (let u = 0.1; u < 0.9; u += 0.01) {
            if (((u - .5) / .4) ** 2 + ((v - .5) / .4) ** 2 > 1) continue;
            const mm = toMm(box.left + u * box.width, box.top + v * box.height);
            const index = inv.slice(0, 3).map((row) => Math.round(
              row[0] * mm[0] + row[1] * mm[1] + row[2] * mm[2] + row[3]));
            const [, rows, columns] = page.scan.shape;
            values.push(page.scan.values[(index[0] * rows + index[1]) * columns + index[2]]);
          }
          const mean = values.reduce((a, b) => a + b) / values.length;
          const spread = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
          return [mean, Math.sqrt(spread)];
        }"""
    )
    told = measures(shown)[-1].replace("−", "-").split()
    assert float(told[0]) == pytest.approx(mean, abs=25)
    assert float(told[2]) == pytest.approx(spread, abs=25)


def test_measures_are_set_by_keyboard_and_taken_back(shown):
    before = len(measures(shown))
    shown.page.locator("#view-first canvas").first.focus()
    shown.page.keyboard.press("m")
    shown.page.keyboard.press("Enter")
    for _ in range(5):
        shown.page.keyboard.press("ArrowLeft")
    shown.page.keyboard.press("Enter")
    assert measures(shown)[-1] == "10.0 mm"
    shown.page.keyboard.press("u")
    shown.wait(lambda: len(measures(shown)) == before)


def test_a_drag_changes_the_window_and_undo_brings_it_back(shown):
    was = shown.page.input_value("#window")
    shown.page.select_option("#tool", "window")
    drag(shown, (0.3, 0.5), (0.6, 0.3))
    now = shown.page.input_value("#window")
    low, high = map(float, now.split(","))
    assert now != was
    assert high > low
    shown.page.keyboard.press("Control+z")
    shown.wait(lambda: shown.page.input_value("#window") == was)


def test_zoom_is_shared_with_the_map_beside(shown):
    shown.page.select_option("#beside", "gradcam")
    shown.wait(
        lambda: shown.page.evaluate(
            "Boolean(document.getElementById('viewer').page.second?.solid)"
        )
    )
    box = tile(shown)
    shown.page.mouse.move(box["x"] + 40, box["y"] + 40)
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -300)
    shown.page.keyboard.up("Control")
    pans = (
        "which => [...document.getElementById('viewer').page[which].planes.nv.scene.pan2Dxyzmm]"
    )
    shown.wait(lambda: shown.page.evaluate(pans, "first")[3] != 1)
    assert shown.page.evaluate(pans, "second") == shown.page.evaluate(pans, "first")
    shown.page.click("#reset")
    assert shown.page.evaluate(pans, "second")[3] == 1
    shown.page.select_option("#beside", "")


def test_a_double_click_shows_one_plane_alone_and_again_all(shown):
    box = tile(shown, 1)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.page.mouse.dblclick(*middle)
    planes = (
        "document.getElementById('viewer').page.first.planes.tiles().map(each => each.plane)"
    )
    assert shown.page.evaluate(planes) == [1]
    assert shown.page.get_attribute("#maximise", "aria-pressed") == "true"
    shown.page.mouse.dblclick(*middle)
    assert shown.page.evaluate(planes) == [0, 1, 2]


def test_every_plane_names_its_four_sides(shown):
    assert [tile(shown, plane)["edges"] for plane in range(3)] == [
        ["R", "L", "A", "P"],
        ["R", "L", "S", "I"],
        ["A", "P", "S", "I"],
    ]


def test_the_value_under_the_pointer_is_told_without_a_click(shown):
    box, before = tile(shown), shown.position
    shown.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    shown.wait(lambda: " HU" in shown.page.inner_text("#pointer"))
    assert shown.position == before


def test_cine_pages_through_the_slices_until_it_is_stopped(shown):
    shown.page.click("#cine")
    seen = set()
    shown.wait(lambda: seen.add(tuple(shown.position)) or len(seen) > 3)
    shown.page.click("#cine")
    stopped = shown.position
    shown.page.wait_for_timeout(400)
    assert shown.position == stopped


def test_a_picture_is_saved_with_its_scale_and_caption(shown):
    with shown.page.expect_download() as waiting:
        shown.page.click("#save-picture")
    path = waiting.value.path()
    picture = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))
    screen = shown.page.locator("#view-first canvas").first.bounding_box()
    assert picture.shape[1] >= screen["width"] - 2
    assert picture.shape[0] > screen["height"] + 40
    assert picture[: int(screen["height"] / 2)].std() > 10, "the planes are in it"
    assert picture[int(screen["height"]) :].std() > 5, "and a caption"
    assert waiting.value.suggested_filename.endswith(".png")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("GGO", set()),
        ("nodule", {"lung_nodule"}),
        ("bypass", {"heart_cabg"}),
        ("coronary artery bypass", {"heart_cabg"}),
        ("cystic", {"lung_cyst"}),
    ],
)
def test_findings_are_found_by_the_labellers_words(shown, asked, found):
    shown.page.fill("#findings-search", asked)
    listed = shown.page.locator("#findings-list [data-label]:visible").evaluate_all(
        "rows => rows.map(row => row.dataset.label)"
    )
    shown.page.fill("#findings-search", "")
    assert found <= set(listed)
    assert found or not listed


def test_findings_are_grouped_and_filtered(shown):
    shown.page.select_option("#findings-order", "by organ")
    heads = shown.page.locator("#findings-list .head:visible").all_inner_texts()
    assert {head.lower() for head in heads} == {"lung", "heart"}
    shown.page.select_option("#findings-order", "by score")
    said = {}
    for name in ("report", "differ", "likely", "doubted", "all"):
        shown.page.select_option("#findings-filter", name)
        said[name] = shown.page.locator("#findings-list [data-label]:visible").count()
    assert said["all"] == len(LABELS)
    assert said["report"] == len(LABELS)  # the report speaks of all three
    ticks = shown.page.locator("#findings-list .agrees, #findings-list .differs").count()
    assert ticks == len(LABELS)
    assert said["differ"] == shown.page.locator("#findings-list .differs").count()


def test_warnings_are_seen_before_anything_else(shown):
    assert shown.page.is_visible("#warnings")
    assert "simulated chests" in shown.page.inner_text("#warnings")
    assert "Map exact." in shown.page.inner_text("#details")


@pytest.mark.parametrize("size", SIZES)
def test_scale_and_text_stay_within_the_window(browser, address, size):
    shown = Shown(browser, address)
    width, height = size
    shown.page.set_viewport_size({"width": width, "height": height})
    shown.page.wait_for_timeout(300)
    bar = shown.page.locator(".ramp").bounding_box()
    assert bar["width"] >= 60
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= width
    wide = shown.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    for part in ("#details", "#place", "#ramp-ticks"):
        box = shown.page.locator(part).bounding_box()
        assert box["x"] + box["width"] <= width + 1, part
    for tool in ("#tool", "#cine", "#maximise", "#undo", "#reset", "#save-picture", "#window"):
        assert shown.page.is_visible(tool), tool
    shown.page.close()


def test_two_scans_of_a_patient_stand_side_by_side(browser, tmp_path):
    import dataclasses

    from hirescam.summary.folder import write_summary
    from make import volume
    from make_viewed import found_case

    write_case(tmp_path / "one" / "a")
    case = found_case()
    scan = volume(origin=(30.0, 20.0, 10.0), spacing=(8.0, 6.0, 6.0), seed=5)
    made_by = dataclasses.replace(case.provenance, scan_sha256="ef" * 32)
    other = dataclasses.replace(case, scan=scan, input_volume=scan, provenance=made_by)
    write_summary(other, tmp_path / "two" / "a")
    with viewing(tmp_path / "one", "--beside", str(tmp_path / "two")) as address:
        shown = Shown(browser, f"{address}#beside=model")
        assert "other scan" in shown.page.inner_text("#view-second figcaption")
        shown.slide("opacity", 0)
        assert (shown.plane(0, "first")[0] != shown.plane(0, "second")[0]).any()
        view = "which => document.getElementById('viewer').page[which].planes.position()"
        first, second = (shown.page.evaluate(view, name) for name in ("first", "second"))
        assert first == pytest.approx(second, abs=0.1)
        shown.page.close()


def test_outside_masks_are_outlined(browser, tmp_path):
    import nibabel as nib

    write_case(tmp_path / "case")
    scan = nib.load(tmp_path / "case" / "scan.nii.gz")
    inside = np.zeros(scan.shape, np.uint8)
    inside[4:9, 4:9, 3:8] = 1
    (tmp_path / "case" / "masks").mkdir()
    nib.save(nib.Nifti1Image(inside, scan.affine), tmp_path / "case" / "masks" / "truth.nii.gz")
    with viewing(tmp_path / "case") as address:
        shown = Shown(browser, address)
        masks = shown.page.evaluate(
            "document.getElementById('viewer').page.masks.map(mask =>"
            " mask.values.reduce((sum, value) => sum + value, 0))"
        )
        assert masks == [125]
        assert shown.complaints == []
        shown.page.close()
