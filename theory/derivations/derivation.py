"""A derivation: numbered steps, each a SymPy claim that is checked when the derivation is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import sympy as sp

DIGITS = 30

Method = Literal["symbolic", "30 digits"]


class Check(Protocol):
    """A way of testing a step; `method` says which kind of evidence it gives."""

    method: Method

    def holds(self) -> bool: ...


@dataclass(frozen=True)
class Step:
    """One step: a sentence, the relation it claims (printed as it stands), and its check."""

    text: str
    claim: sp.Basic
    check: Check


@dataclass(frozen=True)
class Derivation:
    """A named chain of steps towards one formula of the catalogue."""

    name: str
    title: str
    steps: tuple[Step, ...]
