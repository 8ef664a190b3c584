"""Shard: every n-th scan of a cohort, for one of n machines that share a folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hirescam.cohort.manifest import Entry
from hirescam.errors import HirescamError


@dataclass(frozen=True)
class Shard:
    """Part `number` of `of`, counted from 1."""

    number: int = 1
    of: int = 1

    @property
    def suffix(self) -> str:
        """What tells its files from those of other shards: nothing if it is the whole."""
        return f"-{self.number}-of-{self.of}" if self.of > 1 else ""

    def pick(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Its scans, spread over the whole cohort."""
        return entries[self.number - 1 :: self.of]


WHOLE = Shard()


def parse_shard(text: str) -> Shard:
    """A shard from i/n, as on the command line."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    shard = Shard(*map(int, found.groups())) if found else Shard(0)
    if not 1 <= shard.number <= shard.of:
        raise HirescamError(
            f"cannot read the shard {text!r}: write i/n with i from 1 to n, such as 3/64"
        )
    return shard
