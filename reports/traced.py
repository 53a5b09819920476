"""A view of a record that remembers where each part of it stands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any, TypeVar, cast

T = TypeVar("T")
V = TypeVar("V")
Path = tuple[str | int, ...]


class Traced:
    """A value and its path from the record. Parts of it, and what its methods return, are too."""

    __slots__ = ("_path", "_value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: object, path: Path = ()) -> None:
        self._value, self._path = value, path

    def __getattr__(self, name: str) -> Any:
        member = inspect.getattr_static(type(self._value), name, None)
        if isinstance(member, property) and member.fget is not None:
            return member.fget(self)
        if isinstance(member, FunctionType):
            return MethodType(member, self)
        return Traced(getattr(self._value, name), (*self._path, name))

    def __getitem__(self, key: Any) -> Traced:
        return Traced(cast(Any, self._value)[key], (*self._path, key))

    def __iter__(self) -> Iterator[Traced]:
        for place, value in enumerate(cast(Any, self._value)):
            yield Traced(value, (*self._path, place))

    def __len__(self) -> int:
        return len(cast(Any, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return bool(self._value == plain(other))


def plain(value: object) -> object:
    """The value itself, without its path."""
    return value._value if isinstance(value, Traced) else value


def located(record: T, get: Callable[[T], V]) -> tuple[V, Path]:
    """What `get` finds in the record, and where; it may select and look up, but not compute."""
    found = get(cast(T, Traced(record)))
    if not isinstance(found, Traced):
        raise TypeError("a number of the ledger must be a part of its record")
    return cast(V, found._value), found._path


class Unmeasured(Exception):
    """There was nothing to measure of."""


def given(value: V | None) -> V:
    """A part of a record that may be None; raises Unmeasured where it is."""
    if plain(value) is None:
        raise Unmeasured
    return cast(V, value)


def only(items: Iterable[V], fits: Callable[[V], bool]) -> V:
    """The first of the items that fits; LookupError where none does."""
    for item in items:
        if fits(item):
            return item
    raise LookupError
