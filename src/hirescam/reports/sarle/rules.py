"""Rules: what of a sentence is abnormal, by the rewriting rules of SARLE.

Draelos et al., "Machine-learning-based multiple abnormality prediction with large-scale chest
computed tomography volumes", Medical Image Analysis 2021. A rule does nothing unless its
trigger is a substring of what the rules before it have left.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

NOWHERE = -1
"""Where a space stood that no text had."""
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Text that may be cut; `at[i]` is where `text[i]` stood before anything was cut."""

    text: str
    at: Sequence[int]

    def __getitem__(self, part: slice) -> "Phrase":
        return Phrase(self.text[part], self.at[part])

    def split(self, separator: str) -> list["Phrase"]:
        """Parts between the occurrences of `separator`, as `str.split` gives them."""
        parts, start = list[Phrase](), 0
        for text in self.text.split(separator):
            parts.append(self[start : start + len(text)])
            start += len(text) + len(separator)
        return parts

    def words(self) -> list["Phrase"]:
        """Its words, as `str.split` without a separator gives them."""
        return [self[word.start() : word.end()] for word in _WORD.finditer(self.text)]


def whole(text: str) -> Phrase:
    """A text of which nothing has been cut."""
    return Phrase(text, range(len(text)))


def joined(parts: Iterable[Phrase]) -> Phrase:
    """Parts put one behind the other."""
    parts = list(parts)
    return Phrase("".join(p.text for p in parts), [at for p in parts for at in p.at])


def tidied(phrase: Phrase) -> Phrase:
    """The phrase with one space around each of its words."""
    text = phrase.text
    tidy = "  " not in text and text.startswith(" ") and text.endswith(" ")
    return phrase if tidy else spaced(phrase.words())


def spaced(words: Iterable[Phrase]) -> Phrase:
    """Words with a space before each and one behind the last, so that terms may ask for one."""
    text, at = [""], list[int]()
    for word in words:
        text.append(word.text)
        at += [NOWHERE, *word.at]
    return Phrase(" ".join(text) + " ", [*at, NOWHERE])


Effect = Literal[
    "drop token",
    "cut after",
    "cut before",
    "cut after until",
    "delete",
    "delete unless",
    "delete if first",
    "drop previous and rest",
    "non",
    "patent",
    "clear",
    "subcentimeter",
]


class Rule(BaseModel):
    """What `trigger` does to a sentence that holds it; spaces of a trigger count."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    trigger: str
    effect: Effect
    until: tuple[str, ...] = ()
    saved_by: tuple[str, ...] = ()
    words: int = 0
    side: Literal["before", "after"] = "after"
    ambiguity: bool = False  # only applied where ambiguous findings count as absent
    example: str
    expected: str  # what all rules together leave of the example


def apply_rules(phrase: Phrase, rules: Sequence[Rule]) -> Phrase:
    """What the rules leave of a padded sentence, in order; nothing but spaces means normal."""
    for rule in rules:
        if rule.trigger in phrase.text:
            phrase = EFFECTS[rule.effect](phrase, rule)
    return phrase


def removals(phrase: Phrase, rules: Sequence[Rule]) -> Iterator[tuple[Rule, set[int]]]:
    """Each rule that took something away, and where the characters stood that it took."""
    for rule in rules:
        left = apply_rules(phrase, (rule,))
        letters = {
            at for at, letter in zip(phrase.at, phrase.text, strict=True) if letter != " "
        }
        if taken := letters - set(left.at):
            yield rule, taken
        phrase = left


def _drop(phrase: Phrase, rule: Rule) -> Phrase:
    return joined(phrase.split(rule.trigger))


def _cut_after(phrase: Phrase, rule: Rule) -> Phrase:
    return phrase.split(rule.trigger)[0]


def _cut_before(phrase: Phrase, rule: Rule) -> Phrase:
    return phrase.split(rule.trigger)[-1]


def _cut_after_until(phrase: Phrase, rule: Rule) -> Phrase:
    """Keep what follows from the first stop on, but only up to a second trigger."""
    kept, lost, *_ = phrase.split(rule.trigger)
    stops = [at for stop in rule.until if (at := lost.text.find(stop)) >= 0]
    space = Phrase(" ", [NOWHERE])
    return joined((kept, space, lost[min(stops, default=len(lost.text)) :]))


def _delete(phrase: Phrase, rule: Rule) -> Phrase:
    return phrase[:0]


def _delete_unless(phrase: Phrase, rule: Rule) -> Phrase:
    """Delete unless one of the nearest words on one side of the first trigger saves it."""
    before, after, *_ = phrase.text.split(rule.trigger)
    near = {
        "after": after.split()[: rule.words],
        "before": before.split()[-rule.words :],
    }[rule.side]
    saved = any(saver in " ".join(near) for saver in rule.saved_by)
    return phrase if saved else phrase[:0]


def _delete_if_first(phrase: Phrase, rule: Rule) -> Phrase:
    return phrase[:0] if phrase.text.split()[0] == rule.trigger else phrase


def _drop_previous_and_rest(phrase: Phrase, rule: Rule) -> Phrase:
    """Drop the trigger, the word before it and what follows: "scar vs mass" says neither."""
    words = phrase.split(rule.trigger)[0].words()[:-1]
    return spaced(words)[1:-1]


def _non(phrase: Phrase, rule: Rule) -> Phrase:
    """Drop "non" with the word that follows, or else every word that contains "non"."""
    words = phrase.words()
    texts = [word.text for word in words]
    if rule.trigger in texts:
        at = texts.index(rule.trigger)
        return spaced(words[:at] + words[at + 2 :])
    return spaced(word for word in words if rule.trigger not in word.text)


def _patent(phrase: Phrase, rule: Rule) -> Phrase:
    """A leading "patent" speaks for what follows, any other one for what went before."""
    bare = rule.model_copy(update={"trigger": rule.trigger.strip()})
    first = phrase.text.split()[0] == bare.trigger
    return (_cut_after_until if first else _cut_before)(phrase, bare)


def _clear(phrase: Phrase, rule: Rule) -> Phrase:
    """Keep only what follows the last " clear" from the first stop on."""
    last = phrase.split(rule.trigger)[-1]
    stops = [at for stop in rule.until if (at := last.text.find(stop)) >= 0]
    return spaced(last[min(stops, default=len(last.text)) :].words())


def _subcentimeter(phrase: Phrase, rule: Rule) -> Phrase:
    """Drop from the last trigger through the last "node", if a node follows a trigger."""
    if "node" not in phrase.text[phrase.text.find(rule.trigger) :]:
        return phrase
    start, end = phrase.text.rfind(rule.trigger), phrase.text.rfind("node") + len("node")
    return joined((phrase[:start], phrase[end:]))


EFFECTS: dict[Effect, Callable[[Phrase, Rule], Phrase]] = {
    "drop token": _drop,
    "cut after": _cut_after,
    "cut before": _cut_before,
    "cut after until": _cut_after_until,
    "delete": _delete,
    "delete unless": _delete_unless,
    "delete if first": _delete_if_first,
    "drop previous and rest": _drop_previous_and_rest,
    "non": _non,
    "patent": _patent,
    "clear": _clear,
    "subcentimeter": _subcentimeter,
}
