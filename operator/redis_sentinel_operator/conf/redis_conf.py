"""redis.conf: read it, and change it directive by directive while all else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis_sentinel_operator.conf.directives import Line, canonical, join, parse_line, parse_lines

# One line each counts: an edit of "the" value has no meaning.
REPEATING = frozenset({"save", "client-output-buffer-limit", "rename-command", "user", "include", "loadmodule"})
# The value is several words: `bind 10.0.0.1 127.0.0.1`, `slaveof 10.0.0.1 6379`.
SEVERAL_WORDS = frozenset({"bind", "slaveof"})


@dataclass(frozen=True, slots=True)
class RedisConf:
    """A parsed redis.conf. Names may be given in any case and either vocabulary (`slaveof`, `replicaof`)."""

    lines: tuple[Line, ...] = field(repr=False)

    def get(self, name: str) -> str | None:
        """Return the value Redis uses, the last one; several words with a space between; None when there is no line."""
        values = self.get_all(name)
        return values[-1] if values else None

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all lines of a directive, in order."""
        wanted = canonical(name)
        return tuple(" ".join(line.arguments) for line in self.lines if line.name == wanted)

    @property
    def broken(self) -> tuple[int, ...]:
        """The numbers of the lines whose quotes do not balance; Redis refuses to start with them."""
        return tuple(number for number, line in enumerate(self.lines, 1) if line.broken)

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join(line.raw for line in self.lines)

    def edit(self, directives: Mapping[str, str], remove: Sequence[str] = ()) -> str:
        """Return the file with the directives set and those of `remove` gone; equal to the file when nothing differs.

        The last line of a directive is changed in place and keeps its spelling of the name; others of it go; a
        directive without a line is added at the end.

        Raises:
            ValueError: a directive repeats (`save`), so that it has no single value.
        """
        lines = [line for line in self.lines if line.name not in {canonical(name) for name in remove}]
        for name, value in directives.items():
            _set(lines, name, value)
        return "\n".join(line.raw for line in lines)


def parse(text: str) -> RedisConf:
    """Read a redis.conf; never fails: a line that Redis could not read is kept and told by `.broken`."""
    return RedisConf(parse_lines(text))


def _set(lines: list[Line], name: str, value: str) -> None:
    directive = canonical(name)
    if directive in REPEATING:
        raise ValueError(f"{directive} may stand in several lines: it cannot be set as one value")
    arguments = tuple(value.split()) if directive in SEVERAL_WORDS and value.split() else (value,)
    places = [place for place, line in enumerate(lines) if line.name == directive]
    if not places:
        _append(lines, join((name, *arguments)))
        return
    last = lines[places[-1]]
    if last.arguments == arguments:
        return
    ending = "\r" if last.raw.endswith("\r") else ""
    lines[places[-1]] = parse_line(join((last.words[0], *arguments)) + ending)
    for place in reversed(places[:-1]):
        del lines[place]


def _append(lines: list[Line], raw: str) -> None:
    """Add a line at the end; the file ends with a line feed afterwards."""
    if lines and not lines[-1].raw:
        lines.pop()
    lines += [parse_line(raw), Line("")]
