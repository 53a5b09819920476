"""One form for clamp, complement and mixed networks: every hidden unit fires when nobody owns it.

Hidden unit u reads z_u = b_u + sum_j alpha_j A_ju, A = W_E W_in, and writes R_ut, R = W_out W_U,
into the logits. A clamp unit is on when an active token owns it, a complement unit when none does.
Because ReLU(z) = z + ReLU(-z), a clamp unit is a complement unit plus a linear path, so with
f_u = ReLU(s_u z_u), s_u = -1 for clamp units and +1 for the others,

    logit_t = constant_t + sum_j alpha_j direct_jt - sum_u cost_ut f_u          exactly,

    direct = W_E W_U + A_clamp R_clamp, cost = -R, constant = b_clamp R_clamp + b_out W_U + b_U.

In a Bloom filter f_u is 0 once an active token owns unit u, cost_ut is large for the owners t of
the unit and small for the others, and direct is small: logit_t falls by cost_ut f_u for each
missing bit u of t. On the exact constructions f is the indicator of the bits outside the union,
cost = beta H^T and direct = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulate.network import ReluNetwork
from theory.domain import DomainError, check_real, check_task
from train.reading.balls import Balls

# direct paths to so many tokens suffice for their medians
_SAMPLE = 256
# below this no product of all the tables overflows
LARGEST = 2.0**150


@dataclass(frozen=True)
class NormalForm:
    """A network, its inputs, and which tokens are said to own which units.

    k active tokens with coefficients anywhere in [1, c]. owners: bool [n, h]; sign: int [h], -1 for
    the units that are on when owned. Both are proposals: what is proved holds whatever they are,
    and is worth more the truer they are. Raises DomainError for shapes that do not fit, for weights
    or c not below 2^150, and outside 1 <= k <= n and c >= 1.
    """

    network: ReluNetwork
    k: int
    c: float
    owners: np.ndarray
    sign: np.ndarray

    def __post_init__(self) -> None:
        check_task(self.network.n, self.k)
        check_real("c", self.c, 1.0, closed=True)
        n, h = self.network.n, self.network.h
        if self.owners.shape != (n, h) or self.owners.dtype != np.bool_:
            raise DomainError(f"owners must be bool [{n}, {h}]")
        if self.sign.shape != (h,) or not np.isin(self.sign, (-1, 1)).all():
            raise DomainError(f"sign must be -1 or 1 for each of {h} units")
        w = self.network
        every = [w.W_E, w.W_in, w.b_in, w.W_out, w.W_U, w.b_out, w.b_U, np.float64(self.c)]
        # what overflows or is no number would be lost in sorted sums
        if not all((np.abs(x, dtype=np.float64) < LARGEST).all() for x in every if x is not None):
            raise DomainError("weights and c must be below 2^150 in absolute value")

    @property
    def n(self) -> int:
        """Vocabulary size."""
        return self.network.n

    @property
    def h(self) -> int:
        """Hidden width."""
        return self.network.h

    @cached_property
    def read(self) -> Balls:
        """s_u A_ju, [n, h]: what token j at coefficient 1 adds to s_u z_u."""
        weights = Balls.exact(self.network.W_E) @ Balls.exact(self.network.W_in)
        return weights * Balls.exact(self.sign)

    @cached_property
    def bias(self) -> Balls:
        """s_u b_u, [h]."""
        return Balls.exact(self.network.b_in * self.sign)

    @cached_property
    def cost(self) -> Balls:
        """-R, [h, n]: what f_u = 1 takes off token t's logit."""
        return -(Balls.exact(self.network.W_out) @ Balls.exact(self.network.W_U))

    @cached_property
    def constant(self) -> Balls:
        """What every input adds to token t's logit, [n]."""
        flipped = np.flatnonzero(self.sign < 0)
        # s_u b_u times cost_ut = b_u R_ut, as s_u = -1
        total = self.bias[flipped] @ self.cost[flipped]
        if self.network.b_out is not None:
            total = total + Balls.exact(self.network.b_out) @ Balls.exact(self.network.W_U)
        if self.network.b_U is not None:
            total = total + Balls.exact(self.network.b_U)
        return total

    def direct(self, tokens: slice = slice(None)) -> Balls:
        """What token j at coefficient 1 adds to token t's logit past the units, [n, tokens]."""
        flipped = np.flatnonzero(self.sign < 0)
        past = Balls.exact(self.network.W_E) @ Balls.exact(self.network.W_U[:, tokens])
        return past + self.read[:, flipped] @ self.cost[flipped][:, tokens]

    @cached_property
    def reference(self) -> dict[str, np.ndarray]:
        """Medians that make what is left small: q [h] of each unit's costs and typical [h] of its
        reads, over the tokens that do not own it; g [n] of each token's direct paths.

        Bounds hold with any other values.
        """
        return {
            "q": medians(self.cost.mid.T, ~self.owners),
            "g": np.median(self.direct(slice(0, _SAMPLE)).mid, axis=1),
            "typical": medians(self.read.mid, ~self.owners),
        }

    def times_alpha(self, x: Balls, largest: bool) -> np.ndarray:
        """Bounds on alpha x over alpha in [1, c]: from above where `largest`, else from below."""
        stretched = x * Balls.exact(np.float64(self.c))
        if largest:
            return np.maximum(x.high, stretched.high)
        return np.minimum(x.low, stretched.low)


def medians(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Median of the kept entries of each column, of all entries where none is kept."""
    columns = zip(values.T, kept.T, strict=True)
    return np.array([np.median(x[keep] if keep.any() else x) for x, keep in columns])
