"""Phrases: a sentence cut into words, and the phrases of a vocabulary found in one pass.

A phrase is words, matched whole and in the singular or plural. `nodul*` stands for every word
that begins so, `*ectomy` for every one that ends so, `(heart|cardiac) size` for either word,
`(mildly|) enlarged` for one that may be missing, `@heart` for any of a list of words. Phrases
are cut into words as sentences are: hyphens and capital letters make no difference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from hirescam.errors import HirescamError

# A number keeps its decimals; a hyphen of any kind, or an underscore, only joins words.
HYPHENS = "-\u2010\u2011\u00ad"
_WORD = re.compile(
    rf"\d+(?:[.,]\d+)?|[^\W\d_][^\W_]*(?:['’][^\W\d_]+)?|[^\w\s{re.escape(HYPHENS)}]"
)
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


# "scarringatelectasis": de-identified reports have lost slashes between words
_SHORTEST_FIRST, _SHORTEST_SECOND, _LONGEST_ENDING, _LONGEST_WORD = 5, 4, 6, 40
_PART = re.compile(r"\(([^()]*)\)|([^\s()-]+)")


class Match(NamedTuple):
    """A phrase found: words `first` up to, but not including, `stop`, and what they mean."""

    first: int
    stop: int
    meaning: Any


def spell_out(
    phrase: str, lists: Mapping[str, Sequence[str]] | None = None
) -> list[tuple[str, ...]]:
    """Every sequence of words that a phrase stands for; `@name` is any of a list of words."""
    choices = []
    for group, word in _PART.findall(phrase.lower()):
        options = (group or word).split("|")
        choices.append([o for option in options for o in _listed(option, lists or {})])
    return [sum(parts, ()) for parts in product(*choices)]


def _listed(option: str, lists: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    if option.startswith("@") and option[1:] not in lists:
        raise HirescamError(
            f"no list of words is named {option!r}: add it to [words], or write its words out"
        )
    named = lists[option[1:]] if option.startswith("@") else [option]
    return [_cut(words) for words in named]


def _cut(literal: str) -> tuple[str, ...]:
    """A literal, cut as the words of a sentence are; stars stay on their word."""
    cut: list[str] = []
    for piece in literal.split():
        words = list(split_words(piece.strip("*")).texts)
        if words and piece.endswith("*"):
            words[-1] += "*"
        if words and piece.startswith("*"):
            words[0] = "*" + words[0]
        cut += words
    return tuple(cut)


_SHORTEST_CORRECTED, _SHORTEST_PREFIX = 7, 7
_SHORTEST_SPELT = 5
_SPELLINGS = (
    ("oe", "e"), ("ae", "e"), ("isation", "ization"), ("ising", "izing"), ("ised", "ized"),
    ("ise", "ize"), ("our", "or"), ("tre", "ter"), ("ll", "l"), ("e", "oe"), ("e", "ae"),
    ("z", "s"), ("or", "our"), ("ter", "tre"), ("l", "ll"),
)  # fmt: skip


def _variants(word: str) -> set[str]:
    """The word, and it without each one of its letters."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter is wrong, missing, too many, or two neighbours are swapped."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])


class Speller:
    """Words that a vocabulary knows, for those that are spelt otherwise or by mistake."""

    def __init__(
        self, book: "Phrasebook", words: Iterable[str], ordinary: Iterable[str]
    ) -> None:
        self._book = book
        self._ordinary = frozenset(ordinary)
        self._words: dict[str, list[str]] = {}
        self._prefixes: dict[str, list[str]] = {}
        for word in {*words, *book.words}:
            if len(word) >= _SHORTEST_CORRECTED and word.isalpha() and book.knows(word):
                for variant in _variants(word):
                    self._words.setdefault(variant, []).append(word)
        lengths = set()
        for prefix in book.prefixes:
            if len(prefix) >= _SHORTEST_PREFIX:
                lengths |= {len(prefix) - 1, len(prefix), len(prefix) + 1}
                for variant in _variants(prefix):
                    self._prefixes.setdefault(variant, []).append(prefix)
        self._lengths = sorted(lengths)
        self.correct = lru_cache(maxsize=65536)(self._correct)

    def _correct(self, word: str) -> str:
        """The known word that this one is; itself if there is none, or more than one."""
        read_as_is = word in self._ordinary or not word.isalpha() or self._book.knows(word)
        if read_as_is or not _SHORTEST_SPELT <= len(word) <= _LONGEST_WORD:
            return word
        for here, there in _SPELLINGS:
            if here in word and self._book.knows(other := word.replace(here, there, 1)):
                return other
        if len(word) < _SHORTEST_CORRECTED or singular(word) in self._ordinary:
            return word
        near = {
            known
            for variant in _variants(word)
            for known in self._words.get(variant, ())
            if _one_slip(word, known) and word[0] == known[0]
        }
        if not near:
            near = {
                known + word[length:]
                for length in self._lengths
                if length < len(word)
                for variant in _variants(word[:length])
                for known in self._prefixes.get(variant, ())
                if _one_slip(word[:length], known) and word[0] == known[0]
            }
        singles = {singular(known) for known in near}
        return min(near, key=len) if len(singles) == 1 else word


class Phrasebook:
    """Phrases with meanings, as a tree with one word on each branch."""

    def __init__(
        self,
        entries: Iterable[tuple[str, Any]],
        lists: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._tree: _Branch = _Branch()
        self._prefixes: set[str] = set()
        self._suffixes: set[str] = set()
        self._known: set[str] = set()
        for phrase, meaning in entries:
            for words in spell_out(phrase, lists):
                self._add(words, meaning)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes})
        self._endings = sorted({len(suffix) for suffix in self._suffixes})
        self._steps = lru_cache(maxsize=65536)(self._steps_of)

    @property
    def words(self) -> set[str]:
        """Every whole word of a phrase."""
        return {word for word in self._known if "*" not in word}

    @property
    def prefixes(self) -> set[str]:
        """Every beginning that stands for all words that begin so."""
        return self._prefixes

    def knows(self, word: str) -> bool:
        """Whether some phrase has the word."""
        return any(self._branches(word))

    def find(self, words: Sequence[str]) -> list[Match]:
        """All matches, longest first at each place, overlapping ones too."""
        steps = [self._steps(w) if len(w) <= _LONGEST_WORD else _NO_STEPS for w in words]
        found, end = list[Match](), len(words)
        for first, (_, branches) in enumerate(steps):
            if not branches:
                continue
            stop, matches = first, list[Match]()
            while branches:
                stop += 1
                for branch in branches:
                    for meaning in branch.meanings:
                        matches.append(Match(first, stop, meaning))
                if stop == end:
                    break
                names = steps[stop][0]
                branches = [b.next[n] for b in branches for n in names if n in b.next]
            if matches:
                found += reversed(matches)
        return found

    def _add(self, words: tuple[str, ...], meaning: Any) -> None:
        branch = self._tree
        self._known.update(words)
        for word in words:
            if word.endswith("*"):
                self._prefixes.add(word[:-1])
            elif word.startswith("*"):
                self._suffixes.add(word[1:])
            branch = branch.next.setdefault(word, _Branch())
        if meaning not in branch.meanings:
            branch.meanings.append(meaning)

    def _steps_of(self, word: str) -> tuple[tuple[str, ...], list["_Branch"]]:
        """The names of the branches that a word may take, and those that start a phrase."""
        names, top = self._names(word), self._tree.next
        return names, [top[name] for name in names if name in top]

    def _names(self, word: str) -> tuple[str, ...]:
        """The branches that a word may take; for two words that stand as one, those of both."""
        whole, prefixes = self._branches(word)
        left_over = len(word) - len(prefixes[-1]) if prefixes else len(word)
        if not whole and left_over >= _LONGEST_ENDING:
            for at in range(_SHORTEST_FIRST, len(word) - _SHORTEST_SECOND + 1):
                if word[:at] in self._known and any(second := self._branches(word[at:])):
                    return tuple(dict.fromkeys((*prefixes, word[:at], *second[0], *second[1])))
        return (*whole, *prefixes)

    def _branches(self, word: str) -> tuple[list[str], list[str]]:
        """The word or its singular, and its beginnings, as far as any phrase has them."""
        starts = (word[:length] for length in self._lengths if length <= len(word))
        prefixes = [start + "*" for start in starts if start in self._prefixes]
        one = singular(word)
        whole = dict.fromkeys(each for each in (word, one) if each in self._known)
        ends = (one[-length:] for length in self._endings if length < len(one))
        suffixes = ["*" + end for end in ends if end in self._suffixes]
        return [*whole, *suffixes], prefixes


class _Branch:
    __slots__ = ("meanings", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Branch] = {}
        self.meanings: list[Any] = []


_NO_STEPS: tuple[tuple[str, ...], list[_Branch]] = ((), [])
