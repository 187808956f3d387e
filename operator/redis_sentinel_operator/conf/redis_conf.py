"""redis.conf: read it, and change it directive by directive while all else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.directives import Line, canonical, join, parse_lines
from redis_sentinel_operator.conf.table import Kind, directive
from redis_sentinel_operator.conf.values import folded, lines

_PASSWORD = "requirepass"  # noqa: S105 - a directive


@dataclass(frozen=True, slots=True)
class RedisConf:
    """A parsed redis.conf. Names may be given in any case and either vocabulary (`slaveof`, `replicaof`)."""

    raws: tuple[str, ...] = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)

    def get(self, name: str) -> str | None:
        """Return the value Redis uses, as CONFIG GET shows it; None when there is no line.

        Of several lines the last one counts, but for `save` and `client-output-buffer-limit`: theirs add up.
        """
        return folded(name, [line.arguments for line in self._lines_of(name)])

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all lines of a directive, in order."""
        return tuple(" ".join(line.arguments) for line in self._lines_of(name))

    def overridden(self, name: str) -> bool:
        """Whether another file is included after a line of the directive: what that file says counts, unseen."""
        return any(line.at < self._last_include for line in self._lines_of(name))

    def lets_in(self, password: str) -> bool:
        """Whether its line of the default user, which counts before requirepass, takes this password and no other.

        From Redis 6 CONFIG REWRITE writes `user default on #<sha256> ...`; after that an edit of requirepass alone is
        without effect at the next start.
        """
        return all(users.takes_only(line.arguments, password) for line in self._default_user())

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
        directive without a line is added at the end, and so is one that an `include` after it may override. Values
        that take several lines get them; of `client-output-buffer-limit` the lines of other classes stay.

        Raises:
            ValueError: a directive that repeats without a single value (`include`).
        """
        raws: list[str | None] = list(self.raws)
        for name in remove:
            for line in self._lines_of(name):
                raws[line.at] = None
        added = [new for name, value in directives.items() for new in self._set(raws, name, value)]
        kept = [raw for raw in raws if raw is not None]
        if added:
            kept = [*(kept[:-1] if kept and not kept[-1] else kept), *added, ""]
        return "\n".join(kept)

    def _lines_of(self, name: str) -> list[Line]:
        wanted = canonical(name)
        return [line for line in self.lines if line.name == wanted]

    def _default_user(self) -> list[Line]:
        return [line for line in self._lines_of("user") if line.arguments[:1] == ("default",)]

    @property
    def _last_include(self) -> int:
        return max((line.at for line in self._lines_of("include")), default=-1)

    def _set(self, raws: list[str | None], name: str, value: str) -> list[str]:
        """Set a directive in place; return the lines to add at the end."""
        row = directive(name)
        kind = row.kind if row else Kind.TEXT
        if kind is Kind.LINES:
            raise ValueError(f"{canonical(name)} may stand in several lines: it cannot be set as one value")
        wanted, mine = lines(name, value), self._lines_of(name)
        if canonical(name) == _PASSWORD:
            self._let_in(raws, value)
        if kind is Kind.BUFFERS:
            groups = [([line for line in mine if _same_class(line, new)], (new,)) for new in wanted]
            return [line for have, new in groups for line in self._put(raws, name, have, new)]
        if kind is not Kind.SAVE and mine and mine[-1].arguments == wanted[0] and mine[-1].at > self._last_include:
            return []  # lines before the last one do no harm
        return self._put(raws, name, mine, wanted)

    def _put(
        self, raws: list[str | None], name: str, have: Sequence[Line], wanted: Sequence[tuple[str, ...]]
    ) -> list[str]:
        """Put lines in the place of others; return those to add at the end."""
        if not have:
            return [join((name, *arguments)) for arguments in wanted]
        hidden = have[-1].at < self._last_include
        if not hidden and [line.arguments for line in have] == list(wanted):
            return []
        last = have[-1]
        end = "\r" if last.raw.endswith("\r") else ""
        new = [join((last.words[0], *arguments)) + end for arguments in wanted]
        for line in have:
            raws[line.at] = None
        if hidden:
            return new
        raws[last.at] = "\n".join(new)
        return []

    def _let_in(self, raws: list[str | None], password: str) -> None:
        for line in self._default_user():
            if not users.takes_only(line.arguments, password):
                raws[line.at] = join((line.words[0], *users.with_password(line.arguments, password)))


def _same_class(line: Line, arguments: tuple[str, ...]) -> bool:
    one, other = (
        words[0].lower().replace("replica", "slave") if words else "" for words in (line.arguments, arguments)
    )
    return one == other


def parse(text: str) -> RedisConf:
    """Read a redis.conf; never fails: a line that Redis could not read is kept and told by `.broken`."""
    raws = tuple(text.split("\n"))
    return RedisConf(raws, parse_lines(raws))
