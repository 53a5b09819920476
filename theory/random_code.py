"""The random code of a network's own weights (annealed): what its density alone would do.

The learned masks differ in weight, so theory's m becomes a law: each token's weight is drawn
independently from the weights that the network's tokens have, and its mask uniformly from the
subsets of d bits of that size. Given the union's size W = w the N = n - k non-members are again
independent, each covered with probability f(w) = E C(w, m) / C(d, m). With one weight everything
here is theory's constant-weight law.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.domain import check_integer
from theory.logarithms import log_some
from theory.union_size import missing_bits_of

Hashes = Bool[np.ndarray, "n bits"]


@dataclass(frozen=True)
class RandomCode:
    """Exact laws of the random code whose tokens' weights are distributed as `weights`.

    d: bits. weights: int [n], each in 0..d, e.g. the row sums of a network's masks.
    """

    d: int
    weights: Int[np.ndarray, " n"]

    def __post_init__(self) -> None:
        check_integer("d", self.d, 1)
        check_integer("weights", self.weights.min(), 0)
        check_integer("weights", self.weights.max(), 0, self.d, "d")

    @classmethod
    def of(cls, hashes: Hashes) -> RandomCode:
        """The random code of as many bits, and as many for each token, as the given masks."""
        return cls(hashes.shape[1], hashes.sum(axis=1))

    def missing_bits_given_union(self) -> Float[np.ndarray, "w s"]:
        """P(M = s | W = w) of one more token: hypergeometric, averaged over the weights.

        Rows w = 0..d, columns s = 0..max weight; each row sums to 1.
        """
        share = np.bincount(self.weights) / len(self.weights)
        law = np.zeros((self.d + 1, len(share)))
        for m in np.flatnonzero(share).tolist():
            law[:, : m + 1] += share[m] * missing_bits_of(self.d, m)
        return law

    def union_size_law(self, k: int) -> Float[np.ndarray, " w"]:
        """P(W = w), w = 0..d, of the union of k independent tokens.

        The bits a token misses are those it adds.
        """
        check_integer("k", k, 0)
        missing = self.missing_bits_given_union()
        law = np.zeros(self.d + 1)
        law[0] = 1.0
        for _ in range(k):
            grown = np.zeros_like(law)
            for s in range(missing.shape[1]):
                grown[s:] += (law * missing[:, s])[: self.d + 1 - s]
            law = grown
        return law

    def failure_given_union(self, n: int, k: int) -> Float[np.ndarray, " w"]:
        """P(some false positive | W = w) = 1 - (1 - f(w))^(n - k), w = 0..d."""
        with np.errstate(divide="ignore"):
            log_f = np.log(np.minimum(self.missing_bits_given_union()[:, 0], 1.0))
        return np.exp(log_some(n - k, log_f))

    def failure_probability(self, n: int, k: int) -> float:
        """P_fail, over random inputs and random codes; 1 <= k < n."""
        check_integer("k", k, 1, n - 1, "n - 1")
        return float(self.union_size_law(k) @ self.failure_given_union(n, k))

    def expected_false_positives(self, n: int, k: int) -> float:
        """E#FP = (n - k) E f(W)."""
        check_integer("k", k, 1, n - 1, "n - 1")
        return float((n - k) * self.union_size_law(k) @ self.missing_bits_given_union()[:, 0])

    def union_size_given_false_positive(self, k: int) -> Float[np.ndarray, " w"]:
        """P(W = w | a given non-member is covered), as P(w) f(w); NaN where none can be."""
        weight = self.union_size_law(k) * self.missing_bits_given_union()[:, 0]
        with np.errstate(invalid="ignore"):
            found: Float[np.ndarray, " w"] = weight / weight.sum()
            return found

    def missing_bits_law(self, k: int) -> Float[np.ndarray, " s"]:
        """P(M = s) of a non-member."""
        found: Float[np.ndarray, " s"] = self.union_size_law(k) @ self.missing_bits_given_union()
        return found

    def missing_bits_given_false_positive(self, k: int) -> Float[np.ndarray, " s"]:
        """P(M = s) of a non-member when another given one is covered."""
        found: Float[np.ndarray, " s"] = (
            self.union_size_given_false_positive(k) @ self.missing_bits_given_union()
        )
        return found

    def sample(self, rng: np.random.Generator) -> Hashes:
        """Random masks of exactly these weights, in this order: bool [n, d]."""
        order = rng.random((len(self.weights), self.d)).argsort(axis=1)
        rank = order.argsort(axis=1)
        return rank < self.weights[:, None]
