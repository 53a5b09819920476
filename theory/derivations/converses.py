"""How many k-sets a linear readout of d real numbers can separate, whatever computes them."""

from __future__ import annotations

import numpy as np
import sympy as sp

from theory.derivations.checks import Rationals, Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal, points
from theory.formulas.converses import DICHOTOMIES, THRESHOLD_SHARE, i
from theory.separable_sets import all_separable_sets
from theory.symbols import d, k, n

p = sp.Symbol("p", positive=True)
r = sp.Symbol("r", integer=True, positive=True)
half = sp.Symbol("h", integer=True, positive=True)
rest = sp.Symbol("l", integer=True, positive=True)

LOWER_HALF = sp.floor(d / 2)
# at p = 1/2
J_FACETS = (
    2 * sp.binomial(d, LOWER_HALF) * sp.binomial(n, LOWER_HALF) * 2 ** (sp.ceiling(d / 2) + k)
)
SIZES = ((4, 1), (6, 2), (8, 2), (8, 3), (9, 4))


def curve(n: int, d: int) -> np.ndarray:
    """n integer points of the moment curve in R^d, in general position."""
    nodes = np.arange(n) - n // 2
    return np.stack([nodes**power for power in range(1, d + 1)], axis=1)


class CountedSplits(sp.Function):
    """At (n, d): splits of n points of the moment curve in R^d, counted in integers."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        return sp.Integer(len(all_separable_sets(curve(*map(int, sizes)))))


class CountedSets(sp.Function):
    """At (n, k, d): separable k-sets of n points of the moment curve in R^d, counted."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        n, k, d = map(int, sizes)
        return sp.Integer(sum(own.bit_count() == k for own in all_separable_sets(curve(n, d))))


SOME_SETS = points((n, k, d), ((n_, k_, d_) for n_, d_ in SIZES for k_ in (1, 2, n_ - 2)))

DERIVATION = Derivation(
    "converses",
    "A converse for any residual of d real numbers: 2k is a threshold",
    (
        Step(
            "A k-set is read off when some $h$ and $t$ put its logits above $t$, the others below. "
            "The pairs $(h, t)$ fill $R^{d+1}$, which $n$ hyperplanes through 0 cut into cells; "
            "one more hyperplane adds the cells that the others cut it into, a space of one "
            "dimension less. The count of cells, a sum of binomials, obeys that by Pascal's rule",
            equal(sp.binomial(n, i), sp.binomial(n - 1, i) + sp.binomial(n - 1, i - 1)),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "So there are at most that many splits (Cover 1965); integer points in general "
            "position meet it",
            equal(DICHOTOMIES.expression, CountedSplits(n, d)),
            Rationals(points((n, d), SIZES)),
        ),
        Step(
            "A cell and its opposite separate a set and its complement, so k-sets are at most half "
            "of the splits, unless $n = 2k$",
            at_most(2 * CountedSets(n, k, d), DICHOTOMIES.expression),
            Rationals(SOME_SETS),
        ),
        Step(
            "That is weak where $n$ is large. An extreme ray of a cell is a hyperplane through $d$ "
            "points with $j ≤ k$ on its positive side, a $j$-facet, to which at most $C(d, h)$ "
            "k-sets belong, $h$ being $d/2$ rounded down. Keep every point with probability $p$: "
            "the $j$-facet becomes a facet of the sample's hull with probability $p^d (1-p)^j$, "
            "and a hull of $r$ points has, by the upper bound theorem (McMullen 1970), at most $2 "
            "C(r, h)$ facets: for odd $d$ it has $2 C(r - h - 1, h)$, and for even $d$",
            at_most(
                r / (r - half) * sp.binomial(r - half, half),
                2 * sp.binomial(r, half),
            ),
            Rationals(
                points((r, half), ((r_, h_) for h_ in (1, 2, 3) for r_ in range(2 * h_ + 1, 14)))
            ),
        ),
        Step(
            "The mean of $C(r, h)$ over the sample is",
            equal(
                sp.Sum(
                    sp.binomial(n, r) * p**r * (1 - p) ** (n - r) * sp.binomial(r, half), (r, 0, n)
                ),
                p**half * sp.binomial(n, half),
            ),
            Symbolic(
                (sp.expand,),
                cases=points((n, half), ((n_, h_) for n_ in range(1, 6) for h_ in (1, 2))),
            ),
        ),
        Step(
            "With $l = d - h$ the number of k-sets is at most $2 C(d, h) C(n, h) p^{-l} "
            "(1-p)^{-k}$ (Clarkson & Shor 1989), least where its logarithm has the slope",
            equal(sp.Derivative(-rest * sp.log(p) - k * sp.log(1 - p), p), 0),
            Symbolic(),
            where={p: rest / (rest + k)},
        ),
        Step(
            "Counted, at $p = 1/2$,",
            at_most(CountedSets(n, k, d), J_FACETS),
            Rationals(SOME_SETS),
        ),
        Step(
            "At $d = 2k - 1$ that is a share of all k-sets of the order of $1/n$: with any "
            "residual narrower than $2k$ almost every input fails once $n$ is large, while the "
            "moment curve of width $2k$ reads every one",
            equal(
                J_FACETS.subs(d, 2 * k - 1) / sp.binomial(n, k),
                THRESHOLD_SHARE.expression,
            ),
            Symbolic((sp.combsimp, sp.simplify), cases=points((k,), ((k_,) for k_ in range(1, 9)))),
        ),
    ),
)
