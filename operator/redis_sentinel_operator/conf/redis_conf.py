"""redis.conf: read it, and change it directive by directive while all else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis_sentinel_operator.conf.directives import Line, canonical, join, parse_lines

# One line each counts: an edit of "the" value has no meaning.
REPEATING = frozenset({"save", "client-output-buffer-limit", "rename-command", "user", "include", "loadmodule"})
# The value is several words: `bind 10.0.0.1 127.0.0.1`, `slaveof 10.0.0.1 6379`.
SEVERAL_WORDS = frozenset({"bind", "slaveof"})


@dataclass(frozen=True, slots=True)
class RedisConf:
    """A parsed redis.conf. Names may be given in any case and either vocabulary (`slaveof`, `replicaof`)."""

    raws: tuple[str, ...] = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)

    def get(self, name: str) -> str | None:
        """Return the value Redis uses, the last one; several words with a space between; None when there is no line."""
        values = self.get_all(name)
        return values[-1] if values else None

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all lines of a directive, in order."""
        return tuple(" ".join(line.arguments) for line in self._lines_of(name))

    @property
    def broken(self) -> tuple[int, ...]:
        """The numbers of the lines whose quotes do not balance; Redis refuses to start with them."""
        return tuple(line.at + 1 for line in self.lines if line.broken)

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join(self.raws)

    def edit(self, directives: Mapping[str, str], remove: Sequence[str] = ()) -> str:
        """Return the file with the directives set and those of `remove` gone; equal to the file when nothing differs.

        The last line of a directive is changed in place and keeps its spelling of the name; others of it go; a
        directive without a line is added at the end.

        Raises:
            ValueError: a directive repeats (`save`), so that it has no single value.
        """
        raws: list[str | None] = list(self.raws)
        for name in remove:
            for line in self._lines_of(name):
                raws[line.at] = None
        added = [new for name, value in directives.items() if (new := self._set(raws, name, value))]
        kept = [raw for raw in raws if raw is not None]
        if added:
            kept = [*(kept[:-1] if kept and not kept[-1] else kept), *added, ""]
        return "\n".join(kept)

    def _lines_of(self, name: str) -> list[Line]:
        wanted = canonical(name)
        return [line for line in self.lines if line.name == wanted]

    def _set(self, raws: list[str | None], name: str, value: str) -> str | None:
        """Set a directive in place; return the line to add where the file has none."""
        directive = canonical(name)
        if directive in REPEATING:
            raise ValueError(f"{directive} may stand in several lines: it cannot be set as one value")
        arguments = tuple(value.split()) if directive in SEVERAL_WORDS and value.split() else (value,)
        lines = self._lines_of(name)
        if not lines:
            return join((name, *arguments))
        last = lines[-1]
        if last.arguments != arguments:
            raws[last.at] = join((last.words[0], *arguments)) + ("\r" if last.raw.endswith("\r") else "")
            for line in lines[:-1]:
                raws[line.at] = None
        return None


def parse(text: str) -> RedisConf:
    """Read a redis.conf; never fails: a line that Redis could not read is kept and told by `.broken`."""
    raws = tuple(text.split("\n"))
    return RedisConf(raws, parse_lines(raws))
