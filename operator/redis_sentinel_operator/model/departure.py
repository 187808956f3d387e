"""What is done on a host only when its resource is deleted (deletionPolicy Stop, Uninstall)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SaveData:
    """Let a redis write its data to disk, and prove it: by what it says, and by the file.

    Where it would not save again as it ends, it is told to: what is written in between is on the disk as well.
    """

    port: int


@dataclass(frozen=True, slots=True)
class RemovePackage:
    """Remove the data files `data`, then the package `name` ("": it stays); neither where others use the package."""

    name: str
    data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveTraces:
    """Remove these files of ours, then all that the operator keeps on the host, the claim last.

    `saved` are files that the package kept as it went: the passwords in them go.
    """

    paths: tuple[str, ...]
    saved: tuple[str, ...] = ()
