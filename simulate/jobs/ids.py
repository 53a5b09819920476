"""Ids are made of data, so that machines may compare them and people may reword the labels."""

from __future__ import annotations


def of(**parts: object) -> str:
    """Names and values in the order given, for instance n=1000,k=4; what is None is left out."""
    return ",".join(f"{name}={value}" for name, value in parts.items() if value is not None)


def number(value: float) -> str:
    """A number in full, for instance 4, 0.5 or 1e-06."""
    return repr(float(value)).removesuffix(".0")
