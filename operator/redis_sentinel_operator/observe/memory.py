"""What a host said before over the same connection: its next answer leaves out what is still so.

It is the host that compares: it is sent the stamp of each content that it told (which file it was, when it was modified
and when it was changed in any way) and the mark of each part, and says which of them still hold.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Rows: TypeAlias = tuple[tuple[str, str], ...]  # a word, and the rest of the line
_KNOWN = (("known", ""),)


class Damaged(Exception):
    """A section does not have the shape that the probe writes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Texts of files by their stamp; by section its mark, and the rows behind the mark."""

    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    marked: Mapping[str, tuple[str, Rows]] = field(default_factory=dict)

    def mark(self, section: str) -> str:
        """Return the mark of a section, "" for none."""
        return self.marked.get(section, ("", ()))[0]

    def lines(self, section: str) -> tuple[str, ...]:
        """Return what stood behind the mark, without the first words."""
        return tuple(rest for _, rest in self.marked.get(section, ("", ()))[1])


class Recall:
    """Completes one answer from the memory of the one before, and makes the memory for the next."""

    def __init__(self, before: Memory) -> None:
        self._before = before
        self._texts: dict[str, str] = {}  # by stamp
        self._read: dict[str, str] = {}  # by path: what came whole
        self._stamps: set[str] = set()
        self._marked: dict[str, tuple[str, Rows]] = {}
        self._pending: dict[str, tuple[str, Rows]] = {}  # what follows from files: it waits for their stamps

    def memory(self) -> Memory:
        """Return what may be left out the next time: what the host vouches for."""
        sure = {name: kept for name, kept in self._pending.items() if self._stamps.issuperset(kept[0].split(","))}
        return Memory(self._texts, self._marked | sure)

    def rows(self, section: str, rows: Rows) -> Rows:
        """Return the rows of a section without its mark, with those that were left out behind it.

        Raises:
            Damaged: nobody knows what was left out.
        """
        at = next((at for at, (word, _) in enumerate(rows) if word in ("mark", "follows")), None)
        if at is None:
            return rows
        (word, mark), behind = rows[at], rows[at + 1 :]
        kept = self._marked if word == "mark" else self._pending
        if behind == _KNOWN:
            if section not in self._before.marked:
                raise Damaged("it leaves out what was never told")
            kept, behind = self._marked, self._before.marked[section][1]
        kept[section] = (mark, behind)
        return rows[:at] + behind

    def forget(self, section: str) -> None:
        """Let a section that could not be understood be told whole the next time."""
        self._marked.pop(section, None)
        self._pending.pop(section, None)

    def text(self, content: str, path: str) -> str:
        """Return the content of a file: `=` and base64, or `~` and the stamp of a known one; every byte is kept.

        Raises:
            Damaged: it is neither.
        """
        if content[:1] == "~":
            if content[1:] not in self._before.texts:
                raise Damaged(f"the content of {path} is left out and was never told")
            text = self._texts[content[1:]] = self._before.texts[content[1:]]
            return text
        try:
            data = base64.b64decode(content.removeprefix("=").encode(), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise Damaged(f"the content of {path} is damaged") from error
        text = self._read[path] = data.decode("utf-8", "surrogateescape")
        return text

    def keep(self, rows: Rows) -> None:
        """Keep what was read under the stamps that the files had before and after."""
        for _, rest in rows:
            stamp, _, path = rest.partition(" ")
            self._stamps.add(stamp)
            if path in self._read:
                self._texts[stamp] = self._read[path]
