"""Formulas for the harder task: any target distribution over the k tokens.

ell: the target logits, a Row of k numbers counted from 0; ell_j is its j-th. eta: the largest error
of a member's logit, nats. dprime: the coordinates that carry the logits in random signs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from theory import harder_task
from theory.formula import Formula
from theory.symbols import L, beta, delta, epsilon, k, n

ell = sp.Symbol("ell")
dprime = sp.Symbol("dprime", integer=True, positive=True)
eta = sp.Symbol("eta", positive=True)
i = sp.Symbol("i", integer=True, nonnegative=True)
j = sp.Symbol("j", integer=True, nonnegative=True)


class Row(sp.Expr):
    """A row of numbers, to stand for ell: a SymPy Tuple is no expression. Sorts as a tuple does."""

    def __lt__(self, other: Row) -> bool:
        return bool(self.args < other.args)

    def __gt__(self, other: Row) -> bool:
        return bool(self.args > other.args)

    def _sympystr(self, printer: Any) -> str:
        found: str = printer.doprint(sp.Tuple(*self.args))
        return found


class Entry(sp.Function):
    """ell_j, at (ell, j)."""

    is_real = True

    @classmethod
    def eval(cls, row: sp.Basic, place: sp.Expr) -> sp.Expr | None:
        if isinstance(row, Row) and place.is_Integer:
            return row.args[int(place)]
        return None

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sp.Symbol("_".join(map(str, self.args))))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        row, place = map(printer.doprint, self.args)
        return rf"{row}_{{{place}}}" + (f"^{{{exp}}}" if exp else "")


def total(value: sp.Expr, index: sp.Symbol = j) -> sp.Expr:
    """The sum of value over the members."""
    return sp.Sum(value, (index, 0, k - 1))


def numbers(row: Row) -> np.ndarray:
    """The target logits as the evaluators take them."""
    return np.array(row.args, dtype=np.float64)


SQUARED_NORM = total(Entry(ell, j) ** 2)
ONE_NORM = total(sp.Abs(Entry(ell, j)))
PARTITION = total(sp.exp(Entry(ell, j)))
ANY_TARGET = "k finite target logits, d' >= 1"
TAIL = 2 * sp.log(2 * k / epsilon) * SQUARED_NORM

MEMBER_ERROR_VARIANCE = Formula(
    "variance of a member's error",
    (SQUARED_NORM - Entry(ell, i) ** 2) / dprime,
    "exact",
    ANY_TARGET + ", 0 <= i < k",
    "eta_i sums (k-1) d' independent signs times ell_j/d', j != i",
    lambda ell, i, k, dprime: float(
        harder_task.member_error_covariance(numbers(ell), dprime)[i, i]
    ),
)

MEMBER_ERROR_COVARIANCE = Formula(
    "covariance of two members' errors",
    Entry(ell, i) * Entry(ell, j) / dprime,
    "exact",
    ANY_TARGET + ", i and j different members",
    "the two errors share <V_i, V_j>, of mean square 1/d', and nothing else correlates",
    lambda ell, i, j, dprime: float(
        harder_task.member_error_covariance(numbers(ell), dprime)[i, j]
    ),
)

MEMBER_ERROR_PROBABILITY = Formula(
    "probability that some member's error exceeds eta",
    sp.Min(1, 2 * k * sp.exp(-dprime * eta**2 / (2 * SQUARED_NORM))),
    "upper bound",
    ANY_TARGET + ", eta > 0, some target logit not 0",
    "Hoeffding 1963 for each member, and a union over the k members and the two signs",
    lambda ell, eta, k, dprime: harder_task.member_error_probability(numbers(ell), dprime, eta),
)

MEMBER_ERROR_QUANTILE = Formula(
    "member error exceeded with probability epsilon",
    sp.sqrt(TAIL / dprime),
    "upper bound",
    ANY_TARGET + ", 0 < epsilon < 1",
    "the probability above set equal to epsilon",
    lambda ell, epsilon, k, dprime: harder_task.member_error_quantile(
        numbers(ell), dprime, epsilon
    ),
)

SUFFICIENT_DPRIME = Formula(
    "coordinates that suffice for member error eta",
    sp.Max(1, sp.ceiling(TAIL / eta**2)),
    "upper bound",
    "k finite target logits, eta > 0, 0 < epsilon < 1; any n",
    "the probability above set equal to epsilon",
    lambda ell, epsilon, eta, k: harder_task.sufficient_dprime(numbers(ell), eta, epsilon),
)

NON_MEMBER_REACH = Formula(
    "largest extra logit of any token",
    sp.Min(ONE_NORM, sp.sqrt(SQUARED_NORM + eta * ONE_NORM)),
    "upper bound",
    "k finite target logits, every member's error at most eta",
    "Cauchy-Schwarz, |V_i| = 1 and |y|^2 = sum_j ell_j (ell_j + eta_j)",
    lambda ell, eta, k: harder_task.non_member_reach(numbers(ell), eta),
)

LEAKAGE_BOUND = Formula(
    "weight of the non-members over that of the members",
    (n - k) * sp.exp(-beta + NON_MEMBER_REACH.expression + eta) / PARTITION,
    "upper bound",
    "inputs without a false positive on which every member's error is at most eta",
    "each non-member misses a bit; each member's weight is at least e^(ell_j - eta)",
    lambda ell, eta, beta, n, k: harder_task.leakage_bound(n, beta, numbers(ell), eta),
)

NON_MEMBER_FACTOR = Formula(
    "mean factor on a non-member's weight",
    sp.Product(sp.cosh(Entry(ell, j) / dprime) ** dprime, (j, 0, k - 1)),
    "exact",
    ANY_TARGET,
    "its extra logit sums k d' independent signs times ell_j/d'",
    lambda ell, k, dprime: float(np.exp(harder_task.log_non_member_factor(numbers(ell), dprime))),
)

NON_MEMBER_FACTOR_BOUND = Formula(
    "bound on the mean factor on a non-member's weight",
    sp.exp(SQUARED_NORM / (2 * dprime)),
    "upper bound",
    ANY_TARGET,
    "cosh x <= e^(x^2/2)",
    lambda ell, k, dprime: float(np.exp(numbers(ell) @ numbers(ell) / (2 * dprime))),
    of=NON_MEMBER_FACTOR,
)

# the worst member error, with the non-members' weight L relative to the members'
_KEPT = sp.exp(-eta) / sp.sqrt(1 + L)

TOTAL_VARIATION_BOUND = Formula(
    "total variation from a target at member error eta and leakage L",
    sp.Piecewise(
        ((1 - _KEPT) ** 2 / (1 - sp.exp(-2 * eta)), sp.exp(2 * eta) >= 1 + L),
        (L / (1 + L), True),
    ),
    "upper bound",
    "every member's error at most eta, the non-members' weight L times the members'; attained",
    "errors -eta on a share a of the target and +eta on the rest, at the worst a",
    lambda eta, L: harder_task.total_variation_bound(eta, L),
)

SUFFICIENT_ETA = Formula(
    "member error that keeps total variation at delta, without leakage",
    2 * sp.atanh(delta),
    "exact",
    "0 < delta < 1",
    "tanh(eta/2) = delta",
    lambda delta: harder_task.sufficient_eta(delta),
)


def _mean(value: sp.Expr, index: sp.Symbol) -> sp.Expr:
    """The mean of value under the target."""
    return total(sp.exp(Entry(ell, index)) * value, index) / PARTITION


TARGET_VARIANCE_OF_ERROR = Formula(
    "expected variance of the members' errors under the target",
    (
        SQUARED_NORM
        - _mean(Entry(ell, i) ** 2, i)
        - total(
            (sp.exp(Entry(ell, i)) / PARTITION) ** 2 * (SQUARED_NORM - 2 * Entry(ell, i) ** 2), i
        )
        - _mean(Entry(ell, i), i) ** 2
    )
    / dprime,
    "exact",
    ANY_TARGET,
    "the mean under the target of Var eta_i, less the variance of that of eta_i",
    lambda ell, k, dprime: harder_task.target_variance_of_error(numbers(ell), dprime),
)

MEMBER_KL = Formula(
    "members' part of the expected KL from a target, nats",
    TARGET_VARIANCE_OF_ERROR.expression / 2,
    "asymptotic",
    ANY_TARGET + ", d' -> infinity",
    "KL(tau || tau e^eta / sum) = Var_tau(eta)/2 + O(eta^3)",
    lambda ell, k, dprime: harder_task.member_kl(numbers(ell), dprime),
)

KL_BOUND = Formula(
    "bound on the expected KL from a target, nats",
    sp.log(
        NON_MEMBER_FACTOR.expression * (_mean(sp.cosh(Entry(ell, i) / dprime) ** -dprime, i) + L)
    ),
    "upper bound",
    ANY_TARGET + ", L = E leakage / sum_j e^(ell_j), false positives included",
    "Jensen: E ln <= ln E of the output's partition function over the members' intended weight",
    lambda ell, L, k, dprime: harder_task.kl_bound(numbers(ell), dprime, L),
)

FORMULAS = (SUFFICIENT_ETA,)
# their letters are drawn in tests/theory/test_harder_task.py
OF_A_TARGET = (
    MEMBER_ERROR_VARIANCE,
    MEMBER_ERROR_COVARIANCE,
    MEMBER_ERROR_PROBABILITY,
    MEMBER_ERROR_QUANTILE,
    SUFFICIENT_DPRIME,
    NON_MEMBER_REACH,
    LEAKAGE_BOUND,
    NON_MEMBER_FACTOR,
    NON_MEMBER_FACTOR_BOUND,
    TOTAL_VARIATION_BOUND,
    TARGET_VARIANCE_OF_ERROR,
    MEMBER_KL,
    KL_BOUND,
)
