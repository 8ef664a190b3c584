"""The page in a real browser: what is chosen is seen, and nothing leaves the machine."""

import numpy as np
import pytest

import hirescam
from hirescam.summary.folder import write_summary
from make import shared_data
from make_models import small_model
from make_shown import SUMMARY, Shown
from make_viewed import LABELS, viewing

SHOWN = ["made", "real", "offline"]


def explained_scan(folder):
    """A real chest as a small network with random weights explains it."""
    scan = hirescam.read_volume(shared_data("ct", "cip64", "ct.nrrd"))
    return write_summary(hirescam.explain(small_model(), scan), folder)


@pytest.fixture(scope="module", params=SHOWN)
def shown(request, browser, folder, address, tmp_path_factory):
    if request.param == "made":
        yield Shown(browser, address)
    elif request.param == "offline":
        yield Shown(browser, (folder / "case-1" / "report.html").as_uri())
    else:
        with viewing(explained_scan(tmp_path_factory.mktemp("real") / "scan")) as printed:
            yield Shown(browser, printed)


def evidence(shown, plane=0, view="first"):
    """How far the map turned each pixel to orange, less to blue, whatever lies under it."""
    shown.slide("opacity", 1)
    with_map, told = shown.plane(plane, view)
    shown.slide("opacity", 0)
    without, _ = shown.plane(plane, view)
    change = with_map - without
    return change[..., 0] - change[..., 2], told


def place(told, row, column):
    """Right-left and front-back mm of a pixel of the axial plane."""
    return [
        low + (pixel + 0.5) / size * wide
        for low, wide, pixel, size in zip(
            told["leftTopMM"],
            told["fovMM"],
            (column, row),
            (told["width"], told["height"]),
            strict=True,
        )
    ]


def test_findings_are_listed_the_most_probable_first(shown):
    listed = shown.page.locator("#findings-list li").evaluate_all(
        "rows => rows.map(row => row.dataset.label)"
    )
    assert listed == list(shown.findings)
    assert shown.page.locator("#findings-list [aria-selected=true]").count() == 1


def test_choosing_a_finding_moves_the_planes_to_its_peak_and_tells_of_it(shown):
    for label, finding in shown.findings.items():
        shown.choose(label)
        assert shown.position == pytest.approx(finding["peak"]["patient_mm"], abs=0.1)
        told = shown.page.inner_text("#details")
        assert label.replace("_", " ") in told
        assert finding["guarantee"]["sentence"] in told


def test_the_brightest_pixel_of_the_map_lies_at_its_peak(shown):
    affine = np.array(shown.page.evaluate(SUMMARY)["map_grid"]["affine"])
    half_cell = np.abs(affine[:2, :3]).sum(axis=1) / 2
    for label, finding in shown.findings.items():
        shown.choose(label)
        change, told = evidence(shown)
        sign = np.sign(finding["peak"]["value"])
        top = np.argwhere(sign * change >= 0.995 * (sign * change).max())
        right, front = place(told, *top.mean(axis=0))
        off = np.abs(np.array([right, front]) - finding["peak"]["patient_mm"][:2])
        assert (off <= half_cell + 1).all(), label


def test_the_brightest_pixel_is_exact_where_a_cell_has_neighbours_all_around(shown):
    if LABELS[0] not in shown.findings or len(shown.findings) != len(LABELS):
        pytest.skip("only for a map whose one strong cell is known")
    if shown.findings[LABELS[0]]["peak"]["cell"] != [0, 1, 1]:
        pytest.skip("a real map's peak may lie at its border")
    shown.choose(LABELS[0])
    change, told = evidence(shown)
    top = np.argwhere(change >= 0.995 * change.max()).mean(axis=0)
    assert place(told, *top) == pytest.approx(
        shown.findings[LABELS[0]]["peak"]["patient_mm"][:2], abs=1.0
    )


def test_opacity_threshold_and_window_change_what_is_seen(shown):
    shown.choose(next(iter(shown.findings)))
    shown.slide("opacity", 0)
    without, _ = shown.plane()
    shown.slide("opacity", 0.75)
    with_map, _ = shown.plane()
    assert (with_map != without).any()
    shown.slide("threshold", 0.95)
    above, _ = shown.plane()
    assert (above != without).sum() < (with_map != without).sum()
    shown.slide("threshold", 0)
    shown.page.select_option("#window", "bone")
    bone, _ = shown.plane()
    shown.page.select_option("#window", "lung")
    lung, _ = shown.plane()
    assert (bone != lung).any()


def test_two_linked_views_move_together_and_show_two_methods(shown):
    shown.page.select_option("#beside", "gradcam")
    shown.wait(
        lambda: shown.page.evaluate(
            "Boolean(document.getElementById('viewer').page.second?.solid)"
        )
    )
    first, last = next(iter(shown.findings)), list(shown.findings)[-1]
    shown.choose(first)
    shown.choose(last)
    views = "which => document.getElementById('viewer').page[which].planes.position()"
    peak = shown.findings[last]["peak"]["patient_mm"]
    assert shown.page.evaluate(views, "second") == pytest.approx(peak, abs=0.1)
    box = shown.page.locator("#view-second canvas").first.bounding_box()
    shown.page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.25)
    moved = shown.page.evaluate(views, "second")
    assert moved != pytest.approx(peak, abs=0.1)
    assert shown.position == pytest.approx(moved, abs=0.1)
    hirescam_map, _ = evidence(shown, view="first")
    gradcam_map, _ = evidence(shown, view="second")
    assert (hirescam_map != gradcam_map).any()
    shown.page.select_option("#beside", "")


def test_a_click_on_the_curve_goes_to_its_slice(shown):
    shown.choose(next(iter(shown.findings)))
    box = shown.page.locator("#strip .curve").bounding_box()
    middle = box["y"] + box["height"] / 2
    shown.page.mouse.click(box["x"] + 2, middle)
    first = shown.position
    shown.page.mouse.click(box["x"] + box["width"] - 2, middle)
    affine = np.array(shown.page.evaluate(SUMMARY)["map_grid"]["affine"])
    count = shown.page.evaluate(SUMMARY)["map_grid"]["shape"][0]
    assert np.subtract(shown.position, first) == pytest.approx(
        affine[:3, 0] * (count - 1), abs=1
    )


def test_keys_alone_reach_findings_windows_and_planes(shown):
    shown.page.locator("#findings-list").focus()
    shown.page.keyboard.press("Home")
    shown.wait(lambda: shown.chosen == next(iter(shown.findings)))
    shown.page.keyboard.press("ArrowDown")
    shown.wait(lambda: shown.chosen == list(shown.findings)[1])
    shown.page.locator("#view-first canvas").first.focus()
    before = shown.position
    shown.page.keyboard.press("PageUp")
    shown.page.keyboard.press("ArrowLeft")
    assert np.subtract(shown.position, before) == pytest.approx([2, 0, 2], abs=0.1)
    shown.page.keyboard.press("3")
    assert shown.page.input_value("#window") == "bone"
    shown.page.keyboard.press("/")
    shown.page.keyboard.type(list(shown.findings)[-1].replace("_", " "))
    shown.page.keyboard.press("Enter")
    shown.wait(lambda: shown.chosen == list(shown.findings)[-1])
    assert shown.page.locator("#findings-list li:visible").count() == 1
    shown.page.keyboard.press("Escape")


def test_a_link_reopens_the_same_view(shown, browser):
    label = list(shown.findings)[-1]
    shown.choose(label)
    shown.slide("opacity", 0.35)
    shown.page.keyboard.press("PageDown")
    shown.page.click("#copy-link")
    again = Shown(browser, shown.page.url)
    try:
        assert again.chosen == label
        assert again.position == pytest.approx(shown.position, abs=0.1)
        assert again.page.input_value("#opacity") == "0.35"
    finally:
        again.page.close()
        shown.slide("opacity", 0.75)


def test_the_wheel_pages_through_the_plane_under_it(shown):
    box = shown.page.locator("#view-first canvas").first.bounding_box()
    shown.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    before = shown.position
    shown.page.mouse.wheel(0, -100)
    shown.wait(lambda: shown.position[2] > before[2])
    assert shown.position[:2] == pytest.approx(before[:2], abs=1e-3)


def test_no_request_leaves_the_machine_and_nothing_is_complained_of(shown):
    """Last of those on one page: it looks back on all that happened there."""
    base = shown.address.partition("#")[0]
    inner = ("data:", "blob:", base if base.startswith("http") else "file:")
    assert [url for url in shown.asked if not url.startswith(inner)] == []
    assert shown.complaints == []


def test_cases_follow_one_another(browser, address):
    shown = Shown(browser, address)
    assert "case-1 (1 of 2)" in shown.page.inner_text("#cases")
    shown.page.click("#case-after")
    shown.wait(lambda: "case-2 (2 of 2)" in shown.page.inner_text("#cases"))
    shown.ready()
    assert "case=case-2" in shown.page.url
    shown.page.close()


def test_two_models_are_compared_on_one_scan(browser, folder):
    with viewing(folder / "case-1", "--beside", str(folder / "case-2")) as address:
        shown = Shown(browser, f"{address}#beside=model")
        shown.choose(LABELS[0])
        strong, _ = evidence(shown, view="first")
        weak, _ = evidence(shown, view="second")
        assert strong.max() == pytest.approx(weak.max(), abs=8), "each on its own scale"
        assert "tiny" in shown.page.inner_text("#view-second figcaption")
        shown.page.close()


def test_without_scripts_the_report_is_all_there(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "case-1" / "report.html").as_uri())
    assert page.locator("article:visible").count() == len(LABELS)
    assert not page.locator("#viewer").is_visible()
    context.close()


def test_a_name_with_markup_stays_text(browser, tmp_path):
    from make_explanation import explanation

    odd = '<img src=x onerror="document.title=1">'
    write_summary(explanation((odd, "</script><b>")), tmp_path / "case")
    shown = Shown(browser, (tmp_path / "case" / "report.html").as_uri())
    assert set(shown.findings) == {odd, "</script><b>"}
    assert shown.page.title() != "1"
    assert shown.complaints == []
    shown.page.close()
