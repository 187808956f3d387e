"""The kinds of fields that the resource is made of, each with its bounds.

The API server checks the bounds from the schema that is generated from here; the models check them once more, because a
stored object can be older than the schema.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

T = TypeVar("T")


def list_map(key: str) -> dict[str, object]:
    """Schema of a list whose items are told apart by the field `key`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class ApiModel(BaseModel):
    """A part of the resource: camelCase outside, snake_case inside; unknown fields (a later version's) are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
        frozen=True,
        strict=True,
    )


# A tuple in the models is a list in JSON, which strict mode would refuse.
Items: TypeAlias = Annotated[tuple[T, ...], Field(strict=False)]

HostName: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
]
MasterName: TypeAlias = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
Address: TypeAlias = Annotated[str, Field(min_length=2, max_length=45)]
SshAddress: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9:]([A-Za-z0-9._:-]*[A-Za-z0-9:])?$")
]
UserName: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$")]
SecretName: TypeAlias = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
SecretKey: TypeAlias = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
PackageName: TypeAlias = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+:-]*$")]
PackageVersion: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~^:-]*$")
]
Network: TypeAlias = Annotated[str, Field(min_length=2, max_length=49, pattern=r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$")]
Label: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
Milliseconds: TypeAlias = Annotated[int, Field(ge=100, le=86_400_000)]
ConfigValue: TypeAlias = Annotated[str | int, WithJsonSchema({"x-kubernetes-int-or-string": True, "maxLength": 1024})]


def _clipped(limit: int) -> BeforeValidator:
    """What is longer is cut, with an ellipsis: one long message must not make the API server refuse a whole status."""

    def clip(value: object) -> object:
        if isinstance(value, str):  # a file name of a host may hold what is no UTF-8, and JSON could not carry it
            value = value.encode("utf-8", "replace").decode()
        return value[: limit - 1] + "…" if isinstance(value, str) and len(value) > limit else value

    return BeforeValidator(clip)


def first(limit: int) -> BeforeValidator:
    """Of a longer list the first items are kept."""
    return BeforeValidator(lambda items: items[:limit] if isinstance(items, list | tuple) else items)


def last(limit: int) -> BeforeValidator:
    """Of a longer list the last items are kept."""
    return BeforeValidator(lambda items: items[-limit:] if isinstance(items, list | tuple) else items)


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Word: TypeAlias = Annotated[str, Field(max_length=128), _clipped(128)]
Text: TypeAlias = Annotated[str, Field(max_length=1024), _clipped(1024)]
LongText: TypeAlias = Annotated[str, Field(max_length=4096), _clipped(4096)]
Count: TypeAlias = Annotated[str, Field(max_length=16, pattern=r"^[0-9]+/[0-9]+$")]
Time: TypeAlias = Annotated[
    Annotated[str, Field(max_length=40)] | None,
    BeforeValidator(_empty_is_none),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40}),
]
