"""What is known of an organism: kind and owners of each hidden unit, and how often it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from theory.domain import DomainError
from train.analysis.mechanism import LEAST_OF_BOTH, LEAST_SHARE
from train.reading.masks import CLAMP, COMPLEMENT, NEITHER

SCHEMA = 1
DEAD = "dead"
KINDS = {CLAMP: "clamp", COMPLEMENT: "complement", NEITHER: "neither"}
MEANING = {
    "planted": "Put into the weights by construction.",
    "planted, under noise": "Put into the weights by construction, before the noise. From some "
    "level of noise on the network no longer computes it, and nothing in the weights tells it.",
    "causal": "Nobody planted the masks of a trained network. These are its own by what it does: "
    "a token owns a unit where adding the token to an input switches the unit, and where switching "
    "the unit moves the token's logit by more than half of the range over tokens. The masks it "
    "started from stand beside them in `start`.",
}
Basis = Literal["planted", "planted, under noise", "causal"]
_FIELDS = {
    *("schema", "basis", "meaning", "verdict", "kinds", "dead", "flips", "failures"),
    *("read", "write", "start"),
}


@dataclass(frozen=True)
class Flip:
    """A mask entry that was turned over on one side only; unit: in the network's order."""

    token: int
    unit: int
    side: Literal["read", "write"]


@dataclass(frozen=True)
class Truth:
    """The hidden truth about a network, in the order of its own units.

    orientation: +1 clamp, -1 complement, 0 neither or dead. live: False for a dead unit, which
    owns nothing. read, write: whether a token owns a unit as the network reads and writes it.
    basis: what makes it the truth, a key of MEANING. flips: planted differences of the two masks.
    start: the mask that training started from, where there was training. failures: plain data:
    of_masks, the exact P_fail and E#FP of the masks, and behaviour, the share of inputs that fail.
    more: further plain data.
    """

    orientation: Int[np.ndarray, " h"]
    live: Bool[np.ndarray, " h"]
    read: Bool[np.ndarray, "n h"]
    write: Bool[np.ndarray, "n h"]
    basis: Basis = "planted"
    flips: Sequence[Flip] = ()
    start: Bool[np.ndarray, "n h"] | None = None
    failures: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def in_order(self, order: Int[np.ndarray, " h"]) -> dict[str, Any]:
        """The fields in another order of units: unit j becomes what unit order[j] is."""
        place = np.argsort(order)
        return {
            "orientation": self.orientation[order],
            "live": self.live[order],
            "read": self.read[:, order],
            "write": self.write[:, order],
            "flips": [Flip(flip.token, int(place[flip.unit]), flip.side) for flip in self.flips],
            "start": None if self.start is None else self.start[:, order],
        }

    @property
    def verdict(self) -> str:
        """clamp, complement, mixed or none, by the shares of live units that the analysis uses."""
        live = max(int(self.live.sum()), 1)
        shares = {
            KINDS[side]: float((self.orientation[self.live] == side).sum() / live)
            for side in (CLAMP, COMPLEMENT)
        }
        main = max(shares, key=lambda kind: shares[kind])
        if shares[main] >= LEAST_SHARE:
            return main
        return "mixed" if min(shares.values()) >= LEAST_OF_BOTH else "none"

    def record(self) -> dict[str, Any]:
        """Plain data for JSON; one string of 0 and 1, a digit for each unit, for each token."""
        kinds = [
            KINDS[int(side)] if live else DEAD
            for side, live in zip(self.orientation, self.live, strict=True)
        ]
        start = None if self.start is None else as_digits(self.start)
        return {
            "schema": SCHEMA,
            "basis": self.basis,
            "meaning": MEANING[self.basis],
            "verdict": self.verdict,
            "kinds": kinds,
            "dead": np.flatnonzero(~self.live).tolist(),
            "flips": [vars(flip) for flip in self.flips],
            "failures": dict(self.failures),
            **self.more,
            "read": as_digits(self.read),
            "write": as_digits(self.write),
            "start": start,
        }


def as_digits(mask: Bool[np.ndarray, "n h"]) -> list[str]:
    """For each token a string in which digit j is 1 where it owns unit j."""
    return ["".join("01"[owns] for owns in row.tolist()) for row in mask]


def load_truth(path: Path | str) -> Truth:
    """Read a truth file. Raises DomainError, naming the file, for what is none."""
    try:
        record = json.loads(Path(path).read_text())
        if record["schema"] != SCHEMA:
            raise DomainError(f"{path}: schema must be {SCHEMA}; got {record['schema']!r}")
        numbers = {name: side for side, name in KINDS.items()} | {DEAD: NEITHER}
        masks = {name: _from_digits(record[name]) for name in ("read", "write", "start")}
        kinds = record["kinds"]
        shape = len(record["read"]), len(kinds)
        if any(mask is not None and mask.shape != shape for mask in masks.values()):
            raise ValueError(shape)
        return Truth(
            orientation=np.array([numbers[kind] for kind in kinds], dtype=np.int64),
            live=np.array([kind != DEAD for kind in kinds], dtype=bool),
            basis=record["basis"],
            flips=[Flip(**flip) for flip in record["flips"]],
            failures=record["failures"],
            more={name: value for name, value in record.items() if name not in _FIELDS},
            **masks,
        )
    except DomainError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DomainError(f"{path}: not a truth file of an organism") from None


def _from_digits(rows: Sequence[str] | None) -> Any:
    if rows is None:
        return None
    return np.array([[digit == "1" for digit in row] for row in rows], dtype=bool)
