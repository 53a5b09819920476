"""What the commands about filters share: schemes of hashing, one query, both proved ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from theory.codes import HashScheme
from theory.command_line import Whole
from theory.domain import DomainError, check_integer
from theory.fixed_weight import FIXED_WEIGHT
from theory.occupancy import Enclosure

SchemeName = Literal[
    "fixed-weight", "with-replacement", "independent", "partitioned", "blocked", "double-hashing"
]
Inside = Literal["fixed-weight", "with-replacement"]


@dataclass(frozen=True)
class Hashing:
    """How the tokens' bits are chosen."""

    scheme: SchemeName = "fixed-weight"
    (
        "m different bits (the construction), m draws with replacement (ordinary filters), "
        "independent bits, one bit in each of m partitions, m bits in one block, or enhanced "
        "double hashing (simulated, d <= 2048)."
    )
    block: Whole | None = None
    """Bits in a block of the blocked scheme, 512 if left out; the width is a multiple of it."""
    inside: Inside | None = None
    """How the blocked scheme hashes inside its blocks; fixed-weight if left out."""

    def chosen(self) -> HashScheme[Any]:
        for name, given in (("block", self.block), ("inside", self.inside)):
            if given is not None and self.scheme != "blocked":
                raise DomainError(f"{name} must come with --scheme blocked")
        if self.scheme == FIXED_WEIGHT.name:
            return FIXED_WEIGHT
        from theory.schemes import scheme_named

        return scheme_named(self.scheme, self._bits(), self.inside == "with-replacement")

    def _bits(self) -> int:
        return 512 if self.block is None else self.block

    def sizes(self) -> dict[str, object]:
        """What the record says of it: nothing for the construction's own scheme."""
        if self.scheme == FIXED_WEIGHT.name:
            return {}
        if self.scheme != "blocked":
            return {"scheme": self.scheme}
        inside = self.inside or FIXED_WEIGHT.name
        return {"scheme": self.scheme, "block": self._bits(), "inside": inside}


CONSTRUCTION = Hashing()
RATES = ("false_positive_rate", "expected_false_positives")


def kind_of(found: Enclosure, log_shown: float) -> str:
    """What a probability is that is shown of an enclosure, for people."""
    at_end = found.computed is None and log_shown == found.upper
    return "its proved upper end" if at_end else found.kind


RATE_NOTES = {
    "lower": "proved lower end of the false-positive rate",
    "upper": "proved upper end of the false-positive rate",
    "relative_width": "(upper - lower) / lower",
    "failure_lower": "proved lower end of the failure probability",
    "failure_upper": "proved upper end of the failure probability",
    "failure_relative_width": "(upper - lower) / lower",
    "joint_lower": "proved lower end of the joint rate",
    "joint_upper": "proved upper end of the joint rate",
    "joint_relative_width": "(upper - lower) / lower",
    "lower_bound": "lower bound on the false-positive rate",
    "upper_bound": "upper bound on the false-positive rate",
    "classic": "textbook approximation of the false-positive rate",
    "ideal_hashing": "the rate of as many independent hashes, exact",
    "log_false_positive_rate": "nats",
    "log_failure_probability": "nats",
    "rate_given_fill": "of a filter with that many bits set",
    "joint_rate": "that all the queries are false positives",
    "kl": "exact, KL(target || output), nats",
    "squared_error": "exact, summed over the vocabulary",
}


def ends(prefix: str, found: Enclosure) -> dict[str, float | None]:
    """Both proved ends and their relative width, of a value that was not simply computed."""
    if found.computed is not None:
        return {}
    relative = found.relative_width
    return {
        f"{prefix}lower": math.exp(found.lower),
        f"{prefix}upper": math.exp(found.upper),
        f"{prefix}relative_width": relative if math.isfinite(relative) else None,
    }


def vocabulary(n: int | None, query: bool, k: int) -> int:
    """n, or k + 1 for one query."""
    if (n is None) != query:
        raise DomainError("n must be given with --n, or one query asked for with --query, not both")
    return check_integer("k", k, 1) + 1 if n is None else n
