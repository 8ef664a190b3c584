"""Phrase: what is left of a sentence, and where each of its characters stood before."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
