"""The page for those who cannot see it, cannot use a mouse, or see little."""

import itertools
import re

import numpy as np
import pytest

from make_shown import Shown

CONTROLS = {
    *("application", "button", "checkbox", "combobox", "listbox", "option", "searchbox"),
    *("slider", "textbox"),
}
LEAST_TEXT, LEAST_PARTS = 4.5, 3.0  # contrast; WCAG 2.2, 1.4.3 and 1.4.11

# Each piece of text that is seen, its colour and what lies behind it.
TEXTS = """
() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    const apart = element.closest(".unseen, script, style, option");
    if (!text || apart || !element.checkVisibility()) continue;
    const clear = /rgba\\(.*, 0\\)/;
    let behind = element;
    while (behind && clear.test(getComputedStyle(behind).backgroundColor))
      behind = behind.parentElement;
    texts.push([
      text, getComputedStyle(element).color,
      behind ? getComputedStyle(behind).backgroundColor : "rgb(255, 255, 255)",
    ]);
  }
  return texts;
}
"""
FOCUSED = """
() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return {
    name: element.id || element.className || element.tagName,
    box: element.getBoundingClientRect().toJSON(),
    outlined: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
  };
}
"""


@pytest.fixture(scope="module", params=["served", "offline"])
def shown(request, browser, folder, address):
    offline = (folder / "case-1" / "report.html").as_uri()
    page = Shown(browser, address if request.param == "served" else offline)
    yield page
    page.page.close()


class Node:
    """One object of the tree that the browser hands to a screen reader."""

    def __init__(self, told):
        self.role = told["role"]["value"]
        self.name = told.get("name", {}).get("value", "").strip()
        self.description = told.get("description", {}).get("value", "")
        self.value = told.get("value", {}).get("value")
        self.has = {each["name"]: each["value"].get("value") for each in told["properties"]}


def tree(shown):
    """Every object that a screen reader meets, in its order."""
    session = shown.page.context.new_cdp_session(shown.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}

    def walk(node):
        if not node["ignored"]:
            yield Node({"properties": []} | node)
        for child in node.get("childIds", ()):
            if child in by_id:
                yield from walk(by_id[child])

    return list(walk(nodes[0]))


def of(nodes, role):
    return [node for node in nodes if node.role == role]


def contrast(one, other):
    """Of two colours as CSS computes them; WCAG 2.2, relative luminance."""

    def luminance(colour):
        shares = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
        linear = [
            each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
            for each in shares
        ]
        return np.dot((0.2126, 0.7152, 0.0722), linear)

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_control_has_a_name_of_its_own(shown):
    controls = [node for node in tree(shown) if node.role in CONTROLS]
    assert {"application", "button", "combobox", "listbox", "slider"} <= {
        node.role for node in controls
    }
    named = [(node.role, node.name) for node in controls]
    assert [each for each in named if not each[1]] == []
    assert sorted(set(named)) == sorted(named)


def test_nothing_that_takes_the_focus_is_without_a_role(shown):
    focusable = [node for node in tree(shown) if node.has.get("focusable")]
    assert {node.role for node in focusable} <= CONTROLS | {"RootWebArea", "dialog"}


def test_the_page_has_a_language_a_title_headings_and_landmarks(shown):
    label = next(iter(shown.findings))
    shown.choose(label)
    nodes = tree(shown)
    assert shown.page.get_attribute("html", "lang") == "en"
    assert shown.page.title().startswith(label.replace("_", " "))
    levels = [node.has["level"] for node in of(nodes, "heading")]
    assert levels[:2] == [1, 2]
    assert all(level <= before + 1 for before, level in itertools.pairwise(levels))
    for landmark in ("banner", "navigation", "main", "complementary"):
        assert len(of(nodes, landmark)) == 1, landmark


def test_findings_are_a_list_of_which_one_is_selected(shown):
    for label, finding in shown.findings.items():
        shown.choose(label)
        named = [node for node in of(tree(shown), "option") if "%" in node.name]
        options = [node for node in named if re.search(r" \d+\.\d%$", node.name)]  # no filter
        assert len(options) == len(shown.findings)
        (selected,) = (node for node in options if node.has.get("selected"))
        name = (
            f"{label.replace('_', ' ')}( the report (says|agrees:) [a-z]+)? {percent(finding)}"
        )
        assert re.fullmatch(name, selected.name)


def percent(finding):
    return f"{100 * finding['probability']:.1f}%"


def test_the_choice_of_a_finding_is_said_with_probability_and_verdict(shown):
    for label, finding in shown.findings.items():
        shown.choose(label)
        (said,) = (
            node for node in of(tree(shown), "status") if node.has.get("live") == "polite"
        )
        told = shown.page.inner_text("#said")
        assert said.has["atomic"]
        assert told.startswith(f"{label.replace('_', ' ')}, {percent(finding)}: ")
        assert finding["guarantee"]["sentence"] in told


def test_what_the_search_leaves_is_said_and_a_hidden_row_is_not_pointed_to(shown):
    first, last = next(iter(shown.findings)), list(shown.findings)[-1]
    shown.choose(first)
    shown.page.fill("#findings-search", last)
    assert shown.page.inner_text("#said") == f"1 of {len(shown.findings)} findings"
    assert shown.page.get_attribute("#findings-list", "aria-activedescendant") is None
    shown.page.fill("#findings-search", "")
    row = shown.page.get_attribute("#findings-list", "aria-activedescendant")
    assert shown.page.get_attribute(f"#{row}", "data-label") == first


def test_sliders_say_their_value_in_words(shown):
    shown.slide("opacity", 0.35)
    shown.choose(next(iter(shown.findings)))
    assert {node.name for node in of(tree(shown), "slider")} == {
        *("Opacity", "Threshold", "Slice group")
    }
    assert shown.page.get_attribute("#opacity", "aria-valuetext") == "35.0%"
    told = shown.page.get_attribute("#strip .curve", "aria-valuetext")
    assert re.match(r"slice group \d+ of \d+, score [+−]", told)
    shown.slide("opacity", 0.75)


def test_the_pictures_have_a_name_and_the_planes_tell_where_they_are(shown):
    shown.choose(next(iter(shown.findings)))
    planes, bones = of(tree(shown), "application")
    assert "coronal" in planes.name
    assert "3-D" in bones.name
    assert re.fullmatch(
        r"[RL] \d+ · [AP] \d+ · [SI] \d+ mm · −?\d+ HU · map [+−].*", planes.description
    )


def test_a_step_by_key_is_said_in_words(shown):
    shown.choose(next(iter(shown.findings)))
    shown.page.locator("#view-first canvas").first.focus()
    shown.page.keyboard.press("ArrowUp")
    assert re.match(
        r"(right|left) \d+, (front|back) \d+, (head|feet) \d+ millimetres, .* HU, map ",
        shown.page.inner_text("#said"),
    )


def test_the_bones_turn_by_keys_and_the_planes_stay(shown):
    shown.page.wait_for_function("document.getElementById('viewer').page.first.solid")
    turned = "document.getElementById('viewer').page.first.solid.nv.scene.renderAzimuth"
    before, place = shown.page.evaluate(turned), shown.position
    shown.page.locator("#view-first canvas.solid").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.page.evaluate(turned) == before + 15
    assert shown.position == place


def test_keys_of_niivue_change_nothing_behind_our_back(shown):
    shown.choose(next(iter(shown.findings)))
    ways = (
        "(({ opts, scene }) => [opts.sliceType, opts.dragMode, [...scene.crosshairPos]])"
        "(document.getElementById('viewer').page.first.planes.nv)"
    )
    before = shown.page.evaluate(ways)
    shown.page.locator("#view-first canvas").first.focus()
    for key in "mhlv":  # its C, for clip planes, is ours for cine
        shown.page.keyboard.press(key)
    assert shown.page.evaluate(ways) == before


def test_the_focus_goes_through_the_page_as_it_is_read_and_is_seen_everywhere(shown):
    shown.page.locator("#window").focus()
    seen = []
    while len(seen) < 30:
        seen.append(shown.page.evaluate(FOCUSED))
        shown.page.keyboard.press("Tab")
        if seen[-1]["name"] == "curve":
            break
    names = [each["name"] for each in seen]
    wanted = [
        *("window", "opacity", "threshold", "outlines", "beside", "copy-link", "show-keys"),
        *("findings-search", "findings-list", "solid", "curve"),
    ]
    assert [name for name in names if name in wanted] == wanted
    assert all(each["outlined"] for each in seen), names
    assert all(each["box"]["width"] and each["box"]["height"] for each in seen)


def test_the_focus_stays_on_the_curve_when_a_key_chooses_another_finding(shown):
    shown.choose(next(iter(shown.findings)))
    shown.page.locator("#strip .curve").focus()
    shown.page.keyboard.press("j")
    shown.wait(lambda: shown.chosen == list(shown.findings)[1])
    assert shown.page.evaluate(FOCUSED)["name"] == "curve"
    shown.page.keyboard.press("End")
    last = shown.page.get_attribute("#strip .curve", "aria-valuemax")
    assert shown.page.get_attribute("#strip .curve", "aria-valuenow") == last


def test_single_keys_can_be_turned_off_and_the_link_keeps_that(shown):
    first = next(iter(shown.findings))
    shown.choose(first)
    shown.page.click("#show-keys")
    shown.page.uncheck("#single-keys")
    shown.page.keyboard.press("Escape")
    shown.page.locator("#copy-link").focus()
    shown.page.keyboard.press("j")
    shown.page.keyboard.press("PageUp")
    assert shown.chosen == first
    shown.wait(lambda: "keys=off" in shown.page.url)
    shown.page.click("#show-keys")
    shown.page.check("#single-keys")
    shown.page.keyboard.press("Escape")
    shown.page.keyboard.press("j")
    shown.wait(lambda: shown.chosen == list(shown.findings)[1])


def test_all_text_stands_out_from_what_lies_behind_it(shown):
    shown.page.click("#show-keys")
    texts = shown.page.evaluate(TEXTS)
    shown.page.keyboard.press("Escape")
    assert len(texts) > 40
    assert [each for each in texts if contrast(*each[1:]) < LEAST_TEXT] == []


def test_the_edges_of_fields_and_the_mark_of_the_selected_row_stand_out(shown):
    style = "([name, part]) => getComputedStyle(document.querySelector(name))[part]"
    edge = shown.page.evaluate(style, ["#findings-search", "borderTopColor"])
    mark = shown.page.evaluate(style, ["[aria-selected=true]", "boxShadow"])
    behind = shown.page.evaluate(style, ["#findings-search", "backgroundColor"])
    row = shown.page.evaluate(style, ["[aria-selected=true]", "backgroundColor"])
    assert contrast(edge, behind) >= LEAST_PARTS
    assert contrast(mark, row) >= LEAST_PARTS


@pytest.mark.parametrize("wide", [1000, 700, 320])
def test_an_enlarged_page_is_read_without_scrolling_sideways(shown, wide):
    """320 pixels are a window of 1280, enlarged fourfold; WCAG 2.2, 1.4.10."""
    before = shown.page.viewport_size
    shown.page.set_viewport_size({"width": wide, "height": 800})
    boxes = shown.page.locator("#viewer button:visible, #viewer canvas:visible, #place")
    shown.wait(lambda: shown.page.evaluate("document.body.clientWidth") == wide)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= wide
    for box in [each.bounding_box() for each in boxes.all()]:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= wide
    shown.page.set_viewport_size(before)


def test_nothing_moves_by_itself(shown):
    """So there is nothing to still for those who ask for reduced motion."""
    shown.page.emulate_media(reduced_motion="reduce")
    shown.choose(list(shown.findings)[-1])
    assert shown.page.evaluate("document.getAnimations().length") == 0
    shown.page.emulate_media(reduced_motion="no-preference")
    shown.choose(next(iter(shown.findings)))
    assert shown.page.evaluate("document.getAnimations().length") == 0
