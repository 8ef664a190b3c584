"""Words: a sentence cut into lower-case words that remember where they stood."""

import re
from dataclasses import dataclass

# A number keeps its decimals; a hyphen or an underscore only joins words, so it is not one.
_WORD = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_][^\W_]*(?:['’][^\W\d_]+)?|[^\w\s-]")
_PLURALS = (("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("ies", "y"))


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one sentence; `starts` and `ends` index into the sentence's own text."""

    texts: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def split_words(sentence: str) -> Words:
    """Cut at spaces, hyphens and after numbers ("5mm", not "T12"); punctuation stands alone."""
    found = list(_WORD.finditer(sentence))
    return Words(
        tuple([word[0].lower() for word in found]),
        tuple([word.start() for word in found]),
        tuple([word.end() for word in found]),
    )


def word_set(words: str) -> frozenset[str]:
    """The words of a text, for asking whether a word is among them."""
    return frozenset(words.split())


def singular(word: str) -> str:
    """The word without its English plural ending; short words stay as they are."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    for ending, one in _PLURALS:
        if word.endswith(ending):
            return word.removesuffix(ending) + one
    return word[:-1]
