"""redis.conf: read it, and change it directive by directive while all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.directives import Line, canonical, join, parse_text
from redis_sentinel_operator.conf.table import Kind, directive, version_of
from redis_sentinel_operator.conf.values import folded, lines

_PASSWORD = "requirepass"  # noqa: S105 - a directive
_DEEP = 8  # levels of files that include files
_FIRST_UNDOES, _EACH_UNDOES = (6, 2), (7, 0)


@dataclass(frozen=True, slots=True)
class _Read:
    """A line as Redis comes to it: `at` is where it, or the `include` that leads to it, stands in the file itself.

    `file` tells the files apart, each time that one is included anew: () is the file itself.
    """

    line: Line
    at: int
    file: tuple[int, ...] = ()

    @property
    def own(self) -> bool:
        """Whether it stands in the file itself."""
        return not self.file


@dataclass(frozen=True, slots=True)
class RedisConf:
    """A parsed redis.conf. Names may be given in any case and either vocabulary (`slaveof`, `replicaof`).

    `included` holds the texts of other files by their path, as far as they were read: only this one is ever edited.
    `version` is the server's, "" for any before 6.2: what an `include` does to `save` lines depends on it. `reads` is
    what Redis comes to, by directive: a pass asks for some fifty of a file of a thousand lines.
    """

    raws: tuple[str, ...] = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)
    included: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: str = ""
    reads: Mapping[str, tuple[_Read, ...]] = field(default_factory=dict, repr=False, compare=False)

    def get(self, name: str) -> str | None:
        """Return the value Redis uses, as CONFIG GET shows it; None when there is no line.

        Of several lines the last one counts, but for `save` and `client-output-buffer-limit`: theirs add up.
        """
        found = self._read_of(name)
        if canonical(name) == "save":
            found = self._saves_that_count(found)
        return folded(name, [read.line.arguments for read in found])

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all lines of a directive, in order."""
        return tuple(" ".join(read.line.arguments) for read in self._read_of(name))

    def overridden(self, name: str) -> bool:
        """Whether a file that was not read is included after a line of the directive: what that says counts."""
        return any(line.at < self._unread_at for line in self._lines_of(name))

    def lets_in(self, password: str) -> bool:
        """Whether its line of the default user, which counts before requirepass, takes this password and no other.

        From Redis 6 CONFIG REWRITE writes `user default on #<sha256> ...`; after that an edit of requirepass alone is
        without effect at the next start.
        """
        users_ = [read.line for read in self._read_of("user") if _is_default_user(read.line)]
        return all(users.takes_only(line.arguments, password) for line in users_)

    @property
    def lets_all_in(self) -> bool:
        """Whether neither requirepass nor a line of the default user asks for a password."""
        users_ = [read.line for read in self._read_of("user") if _is_default_user(read.line)]
        return not self.get(_PASSWORD) and all(users.takes_all(line.arguments) for line in users_)

    @property
    def includes(self) -> tuple[str, ...]:
        """The files that it includes, also those that these include, as far as they were read."""
        return tuple(dict.fromkeys(_included_by(self.lines, self.included)))

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
        that take several lines get them; of `client-output-buffer-limit` the lines of other classes stay. Without
        requirepass the line of the default user asks for none either.

        Raises:
            ValueError: a directive that repeats without a single value (`include`).
        """
        raws: list[str | None] = list(self.raws)
        for name in remove:
            for line in self._lines_of(name):
                raws[line.at] = None
            if canonical(name) == _PASSWORD:
                self._let_all_in(raws)
        added = [new for name, value in directives.items() for new in self._set(raws, name, value)]
        kept = [raw for raw in raws if raw is not None]
        if added:
            kept = [*(kept[:-1] if kept and not kept[-1] else kept), *added, ""]
        return "\n".join(kept)

    def _lines_of(self, name: str) -> list[Line]:
        return [read.line for read in self._read_of(name) if read.own]

    def _read_of(self, name: str) -> Sequence[_Read]:
        """Return the lines of a directive as Redis comes to them, those of included files in their place."""
        return self.reads.get(canonical(name), ())

    def _saves_that_count(self, found: Sequence[_Read]) -> Sequence[_Read]:
        """Return the `save` lines that are not undone by later ones, as measured.

        Before 6.2 all add up; in 6.2 the first line of each file undoes all before it; from 7.0 on each line does that
        follows an `include` in its file.
        """
        version = version_of(self.version)
        if version < _FIRST_UNDOES:
            return found
        includes = self._read_of("include")
        counts: list[_Read] = []
        for at, read in enumerate(found):
            first = all(each.file != read.file for each in found[:at])
            after = any(each.file == read.file and each.line.at < read.line.at for each in includes)
            counts = [read] if (first if version < _EACH_UNDOES else after) else [*counts, read]
        return counts

    @property
    def _unread_at(self) -> int:
        """Where the last `include` of a file stands that was not read, -1 for nowhere."""
        unread = [read.at for read in self._read_of("include") if not _is_read(read.line, self.included)]
        return max(unread, default=-1)

    def _hides(self, name: str) -> int:
        """Where the last `include` stands that may say something else about a directive, -1 for nowhere."""
        return max([self._unread_at, *(read.at for read in self._read_of(name) if not read.own)])

    def _set(self, raws: list[str | None], name: str, value: str) -> list[str]:
        """Set a directive in place; return the lines to add at the end."""
        row = directive(name)
        kind = row.kind if row else Kind.TEXT
        if kind is Kind.LINES:
            raise ValueError(f"{canonical(name)} may stand in several lines: it cannot be set as one value")
        mine, hides = self._lines_of(name), self._hides(name)
        wanted: Sequence[tuple[str, ...]] = lines(name, value)
        if canonical(name) == _PASSWORD:
            self._let_in(raws, value)
        if kind is Kind.BUFFERS:
            groups = [([line for line in mine if _same_class(line, new)], (new,)) for new in wanted]
            return [line for have, new in groups for line in self._put(raws, name, have, new, hides)]
        if kind is Kind.SAVE and value:
            wanted = self._saves(wanted, hides)
        if kind is not Kind.SAVE and mine and mine[-1].arguments == wanted[0] and mine[-1].at > hides:
            return []  # lines before the last one do no harm
        return self._put(raws, name, mine, wanted, hides)

    def _saves(self, wanted: Sequence[tuple[str, ...]], hides: int) -> Sequence[tuple[str, ...]]:
        """Return the lines for these saves so that nothing included adds to them, and none of them undoes another."""
        if version_of(self.version) >= _EACH_UNDOES and self._lines_of("include"):
            return (tuple(word for line in wanted for word in line),)
        return (("",), *wanted) if hides >= 0 else wanted

    @staticmethod
    def _put(
        raws: list[str | None], name: str, have: Sequence[Line], wanted: Sequence[tuple[str, ...]], hides: int
    ) -> list[str]:
        """Put lines in the place of others; return those to add at the end."""
        if not have:
            return [join((name, *arguments)) for arguments in wanted]
        hidden = have[0].at < hides
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
        for line in filter(_is_default_user, self._lines_of("user")):
            if not users.takes_only(line.arguments, password):
                raws[line.at] = join((line.words[0], *users.with_password(line.arguments, password)))

    def _let_all_in(self, raws: list[str | None]) -> None:
        for line in filter(_is_default_user, self._lines_of("user")):
            if not users.takes_all(line.arguments):
                raws[line.at] = join((line.words[0], *users.without_password(line.arguments)))


def _same_class(line: Line, arguments: tuple[str, ...]) -> bool:
    one, other = (
        words[0].lower().replace("replica", "slave") if words else "" for words in (line.arguments, arguments)
    )
    return one == other


def _is_default_user(line: Line) -> bool:
    return line.arguments[:1] == ("default",)


def _is_read(line: Line, included: Mapping[str, str]) -> bool:
    return len(line.arguments) == 1 and line.arguments[0] in included


def _expanded(
    lines: Sequence[Line], included: Mapping[str, str], file: tuple[int, ...] = (), at: int | None = None
) -> Iterator[_Read]:
    for line in lines:
        here = line.at if at is None else at
        yield _Read(line, here, file)
        if line.name == "include" and len(file) < _DEEP and _is_read(line, included):
            _, inside = parse_text(included[line.arguments[0]])
            yield from _expanded(inside, included, (*file, line.at), here)


def _included_by(lines: Sequence[Line], included: Mapping[str, str]) -> Iterator[str]:
    return (
        read.line.arguments[0]
        for read in _expanded(lines, included)
        if read.line.name == "include" and len(read.line.arguments) == 1
    )


def parse(text: str, included: Mapping[str, str] | None = None, version: str = "") -> RedisConf:
    """Read a redis.conf; never fails: a line that Redis could not read is kept and told by `.broken`."""
    raws, found, reads = _parsed(text, tuple((included or {}).items()))
    return RedisConf(raws, found, included or {}, version, reads)


# A pass asks for the same few files again and again, one cluster's after the other's.
@lru_cache(maxsize=32)
def _parsed(
    text: str, included: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, ...], tuple[Line, ...], Mapping[str, tuple[_Read, ...]]]:
    raws, found = parse_text(text)
    reads: dict[str, list[_Read]] = {}
    for read in _expanded(found, dict(included)):
        reads.setdefault(read.line.name, []).append(read)
    return raws, found, MappingProxyType({name: tuple(each) for name, each in reads.items()})
