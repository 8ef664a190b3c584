"""The labeller of 2020 once more: slow, in plain loops, from its description alone.

Nothing is shared with `hirescam.reports.sarle` but the TOML tables. Cells are (abnormality,
location) pairs; "" stands for a location that is not named.
"""

import re
import string

RIGHT = ("right_upper", "right_mid", "right_lower")
LEFT = ("left_upper", "left_mid", "left_lower")


def clean(sentence):
    kept = (
        " " if mark in string.punctuation and mark != "." else mark for mark in sentence.lower()
    )
    return " ".join("".join(kept).split()).strip(". ")


def rewrite(text, rule):
    """One rule on one padded sentence."""
    trigger, stops = rule.trigger, rule.until
    if trigger not in text:
        return text
    first, last = text.index(trigger), text.rindex(trigger)
    before, after = text[:first], text[first + len(trigger) :]
    words = text.split()
    match rule.effect:
        case "delete":
            return ""
        case "drop token":
            return text.replace(trigger, "")
        case "cut after":
            return before
        case "cut before":
            return text[last + len(trigger) :]
        case "cut after until":
            return before + " " + from_earliest(after.split(trigger)[0], stops)
        case "delete unless":
            near = after.split()[: rule.words]
            if rule.side == "before":
                near = before.split()[-rule.words :]
            return text if any(saver in " ".join(near) for saver in rule.saved_by) else ""
        case "delete if first":
            return "" if words[0] == trigger else text
        case "drop previous and rest":
            return " ".join(before.split()[:-1])
        case "non":
            if "non" in words:
                at = words.index("non")
                return f" {' '.join(words[:at] + words[at + 2 :])} "
            return f" {' '.join(word for word in words if 'non' not in word)} "
        case "patent":
            if words[0] != "patent":
                return text[text.rindex("patent") + len("patent") :]
            before, _, after = text.partition("patent")
            return before + " " + from_earliest(after.split("patent")[0], stops)
        case "clear":
            return " " + from_earliest(text[last + len(trigger) :], stops)
        case "subcentimeter":
            if "node" not in after:
                return text
            return text[:last] + text[text.rindex("node") + len("node") :]
    raise AssertionError(rule.effect)


def from_earliest(text, stops):
    places = [text.find(stop) for stop in stops if stop in text]
    return text[min(places) :] if places else ""


def mentions(entry, text):
    hit = any(term in text for term in entry.any) or (
        any(term in text for term in entry.first) and any(term in text for term in entry.second)
    )
    return hit and not any(term in text for term in entry.unless)


def above_1_cm(text, key):
    before, after = [*text.split(key), ""][:2]
    for part, asked in ((before, True), (after, "measur" in after)):
        for unit, factor in (("cm", 1), ("mm", 10)):
            if asked and unit in part:
                number = re.search(r"(\S+)\s*$", part[: part.index(unit)])
                try:
                    return number is not None and float(number[1]) / factor > 1
                except ValueError:
                    return False
    return False


def cells(sentences, vocabulary, *, ambiguous=True, location_checks=True):
    """All cells of the report that these sentences make."""
    matrix = set()
    for sentence in sentences:
        text = f" {clean(sentence)} "
        for rule in vocabulary.rules:
            if not (ambiguous and rule.ambiguity):
                text = rewrite(text, rule)
        text = f" {' '.join(text.split())} "
        if text.isspace():
            continue
        diseases = [row for row in vocabulary.abnormalities if mentions(row, text)]
        names = {row.name for row in diseases}
        known = {row.name for row in vocabulary.abnormalities}
        nodes = " node" in text or " nodal" in text
        if nodes and ("large" in text or above_1_cm(text, "node")):
            names |= known & {"lymphadenopathy"}
        if "nodul" in text and above_1_cm(text, "nodul"):
            names |= known & {"nodulegr1cm"}
        places = {row.name for row in vocabulary.locations if mentions(row, text)}
        if any(row.system == "lung" for row in diseases):
            places |= {"lung"}
            places |= {"right_lung"} if "right" in text else set()
            places |= {"left_lung"} if "left" in text or "lingula" in text else set()
        places |= {"right_lung", "lung"} if places & set(RIGHT) else set()
        places |= {"left_lung", "lung"} if places & set(LEFT) else set()
        if any(row.system == "heart" for row in diseases):
            places |= {"heart"}
        for place in places:
            for name in names or {"other_disease"}:
                matrix.add((name, place))
        for name in names:
            if not any(disease == name for disease, _ in matrix):
                matrix.add((name, ""))
    return matrix - impossible(vocabulary) if location_checks else matrix


def impossible(vocabulary):
    out = set()
    for disease in vocabulary.abnormalities:
        for place in vocabulary.locations:
            match disease.system, place.system:
                case ("lung", "heart" | "generic") | ("heart", "lung" | "generic"):
                    out.add((disease.name, place.name))
                case ("generic", "lung" | "heart" | "great_vessel" as system):
                    if system not in disease.allowed_at:
                        out.add((disease.name, place.name))
    return out
