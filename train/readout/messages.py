"""Words of a file in a message: short, on one line, and without what a terminal would act on."""

from __future__ import annotations

_LONGEST_NAME, _LONGEST_LIST, _LONGEST_REASON = 80, 160, 160


def quoted(name: str) -> str:
    """A name out of a file, in quotes; whatever is not printable is escaped."""
    text = repr(name[:_LONGEST_NAME])
    # the escapes count as well
    shown = text if len(text) <= _LONGEST_NAME + 2 else text[: _LONGEST_NAME + 1] + text[0]
    return shown if shown == text and len(name) <= _LONGEST_NAME else f"{shown}..."


def listed(names: list[str], most: int = 8) -> str:
    """The first few names in quotes; "none" for none of them."""
    shown: list[str] = []
    for name in map(quoted, names[:most]):
        if shown and len(", ".join([*shown, name])) > _LONGEST_LIST:
            break
        shown.append(name)
    text, left = ", ".join(shown) or "none", len(names) - len(shown)
    return f"{text} and {left} more" if left else text


def printable(name: str) -> str:
    """The name as it is, or in quotes where a terminal might act on it."""
    return name if name.isprintable() and len(name) <= _LONGEST_NAME else quoted(name)


def reason(error: BaseException) -> str:
    """What a library says about a file: its first line, without what is not printable."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return "".join(c if c.isprintable() else " " for c in lines[0][:_LONGEST_REASON])
