"""What is known of an organism: kind and owners of each hidden unit, and how often it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

import msgspec
import numpy as np
from jaxtyping import Bool, Int

from simulate.jobs.intervals import Estimate
from theory.domain import DomainError
from train.analysis.mechanism import LEAST_OF_BOTH, LEAST_SHARE, Verdict
from train.analysis.prediction import MaskRates
from train.reading.masks import CLAMP, COMPLEMENT, NEITHER
from train.training.recipe import Recipe

SCHEMA = 2
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


@dataclass(frozen=True)
class Flip:
    """A mask entry that was turned over on one side only; unit: in the network's order."""

    token: int
    unit: int
    side: Literal["read", "write"]


@dataclass(frozen=True)
class Failures:
    """How often an organism fails. of_masks: exact rates of its masks, None where they are not one
    code; of_masks_written: of those it writes, where they may differ. behaviour: the share of
    inputs that fail; how: how that is known.
    """

    of_masks: MaskRates | None
    behaviour: Estimate
    how: str
    of_masks_written: MaskRates | None = None


@dataclass(frozen=True)
class Kept:
    """Share of the mask entries that are as they were before training."""

    read: float
    write: float


@dataclass(frozen=True)
class Facts:
    """How an organism was made; what does not apply is None.

    beta, eta: of the construction. m: bits per token. noise: its level, see `family.noisy`.
    unit_before_disguise: for each unit its place in the construction. training: the recipe.
    """

    m: int | None = None
    beta: float | None = None
    eta: float | None = None
    noise: float | None = None
    unit_before_disguise: list[int] | None = None
    training: Recipe | None = None
    kept: Kept | None = None


class InOrder(TypedDict):
    """The fields of a Truth that depend on the order of the units."""

    orientation: Int[np.ndarray, " h"]
    live: Bool[np.ndarray, " h"]
    read: Bool[np.ndarray, "n h"]
    write: Bool[np.ndarray, "n h"]
    flips: list[Flip]
    start: Bool[np.ndarray, "n h"] | None


@dataclass(frozen=True)
class Truth:
    """The hidden truth about a network, in the order of its own units.

    orientation: +1 clamp, -1 complement, 0 neither or dead. live: False for a dead unit, which
    owns nothing. read, write: whether a token owns a unit as the network reads and writes it.
    basis: what makes it the truth, a key of MEANING. flips: planted differences of the two masks.
    start: the mask that training started from, where there was training.
    """

    orientation: Int[np.ndarray, " h"]
    live: Bool[np.ndarray, " h"]
    read: Bool[np.ndarray, "n h"]
    write: Bool[np.ndarray, "n h"]
    failures: Failures | None = None
    basis: Basis = "planted"
    flips: Sequence[Flip] = ()
    start: Bool[np.ndarray, "n h"] | None = None
    facts: Facts = field(default_factory=Facts)

    def in_order(self, order: Int[np.ndarray, " h"]) -> InOrder:
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
    def verdict(self) -> Verdict:
        """By the shares of live units that the analysis uses."""
        live = max(int(self.live.sum()), 1)
        shares = {
            verdict: float((self.orientation[self.live] == side).sum() / live)
            for verdict, side in ((Verdict.CLAMP, CLAMP), (Verdict.COMPLEMENT, COMPLEMENT))
        }
        main = max(shares, key=lambda kind: shares[kind])
        if shares[main] >= LEAST_SHARE:
            return main
        return Verdict.MIXED if min(shares.values()) >= LEAST_OF_BOTH else Verdict.NONE


@dataclass(frozen=True)
class TruthFile:
    """What NAME.truth.json holds; read, write, start: see `as_digits`."""

    organism: str
    grade: int
    description: str
    n: int
    residual_width: int
    h: int
    k: int
    c: float
    seed: int
    basis: Basis
    meaning: str
    verdict: Verdict
    kinds: list[str]
    dead: list[int]
    flips: list[Flip]
    failures: Failures | None
    facts: Facts
    read: list[str]
    write: list[str]
    start: list[str] | None
    schema: int = SCHEMA

    @classmethod
    def of(
        cls,
        truth: Truth,
        organism: tuple[str, int, str],
        width: int,
        task: tuple[int, float],
        seed: int,
    ) -> TruthFile:
        """organism: its name, grade and description. width: of the residual. task: k and c."""
        name, grade, description = organism
        kinds = [
            KINDS[int(side)] if live else DEAD
            for side, live in zip(truth.orientation, truth.live, strict=True)
        ]
        n, h = truth.read.shape
        return cls(
            organism=name,
            grade=grade,
            description=description,
            n=n,
            residual_width=width,
            h=h,
            k=task[0],
            c=task[1],
            seed=seed,
            basis=truth.basis,
            meaning=MEANING[truth.basis],
            verdict=truth.verdict,
            kinds=kinds,
            dead=np.flatnonzero(~truth.live).tolist(),
            flips=list(truth.flips),
            failures=truth.failures,
            facts=truth.facts,
            read=as_digits(truth.read),
            write=as_digits(truth.write),
            start=None if truth.start is None else as_digits(truth.start),
        )

    def truth(self) -> Truth:
        """The truth that it is of. Raises ValueError or KeyError for masks that do not fit."""
        numbers = {name: side for side, name in KINDS.items()} | {DEAD: NEITHER}
        read, write = _from_digits(self.read), _from_digits(self.write)
        start = None if self.start is None else _from_digits(self.start)
        shape = len(self.read), len(self.kinds)
        if any(mask is not None and mask.shape != shape for mask in (read, write, start)):
            raise ValueError(shape)
        return Truth(
            orientation=np.array([numbers[kind] for kind in self.kinds], dtype=np.int64),
            live=np.array([kind != DEAD for kind in self.kinds], dtype=bool),
            read=read,
            write=write,
            failures=self.failures,
            basis=self.basis,
            flips=self.flips,
            start=start,
            facts=self.facts,
        )


def as_digits(mask: Bool[np.ndarray, "n h"]) -> list[str]:
    """For each token a string in which digit j is 1 where it owns unit j."""
    return ["".join("01"[owns] for owns in row.tolist()) for row in mask]


@dataclass(frozen=True)
class _Versioned:
    schema: int


def load_truth(path: Path | str) -> Truth:
    """Read a truth file. Raises DomainError, naming the file, for what is none."""
    try:
        content = Path(path).read_bytes()
        schema = msgspec.json.decode(content, type=_Versioned).schema
        if schema != SCHEMA:
            raise DomainError(
                f"{path}: schema must be {SCHEMA}; got {schema}; train.organisms writes such files"
            )
        return msgspec.json.decode(content, type=TruthFile).truth()
    except DomainError:
        raise
    except (msgspec.MsgspecError, ValueError, KeyError):
        raise DomainError(
            f"{path}: must be the truth of an organism, as train.organisms writes it"
        ) from None


def _from_digits(rows: Sequence[str]) -> Bool[np.ndarray, "n h"]:
    return np.array([[digit == "1" for digit in row] for row in rows], dtype=bool)
