"""Brute force as SymPy functions: averages over every hash family, to set against a formula.

In a printed claim each is a name; at integers it enumerates all C(d, m)^n families
(`theory.enumerate`) and becomes the exact average.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from theory.enumerate import Outcome, mean, outcome_law

_law = lru_cache(maxsize=None)(outcome_law)


class EnumeratedRate(sp.Function):
    """FPR(k, d, m): how often one non-member is a false positive."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        k, d, m = map(int, sizes)
        return sp.Rational(mean(_law(k + 1, k, d, m), lambda outcome: outcome.false_positives))


class EnumeratedFailure(sp.Function):
    """P_fail(n, k, d, m): how often some non-member is a false positive."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        law = _law(*map(int, sizes))
        return sp.Rational(mean(law, lambda outcome: min(outcome.false_positives, 1)))


class _EnumeratedMean(sp.Function):
    """Mean over all families of a function of one output, at (n, k, d, m, beta, ...)."""

    @classmethod
    def eval(cls, *arguments: sp.Expr) -> sp.Expr | None:
        sizes, (beta, *others) = arguments[:4], arguments[4:]
        if not all(size.is_Integer for size in sizes):
            return None
        _, k, _, _ = sizes

        def of_outcome(outcome: Outcome) -> sp.Expr:
            weights = [sp.exp(-beta * missing) for missing in outcome.missing_bits]
            squares = [weight**2 for weight in weights]
            return cls.of_leakage(sum(weights), sum(squares), k, *others)

        return mean(_law(*map(int, sizes)), of_outcome)

    @staticmethod
    def of_leakage(leakage: sp.Expr, squares: sp.Expr, k: sp.Expr, *others: sp.Expr) -> sp.Expr:
        """The value, given the sums of e^(-beta M) and e^(-2 beta M) over the non-members."""
        raise NotImplementedError


class EnumeratedTotalVariation(_EnumeratedMean):
    """E TV: half the absolute deviations from 1/k on the members and 0 elsewhere."""

    @staticmethod
    def of_leakage(leakage: sp.Expr, squares: sp.Expr, k: sp.Expr) -> sp.Expr:
        return (k * (1 / k - 1 / (k + leakage)) + leakage / (k + leakage)) / 2


class EnumeratedKL(_EnumeratedMean):
    """E KL(target || output), nats."""

    @staticmethod
    def of_leakage(leakage: sp.Expr, squares: sp.Expr, k: sp.Expr) -> sp.Expr:
        return k * (1 / k) * sp.log((1 / k) / (1 / (k + leakage)))


class EnumeratedSquaredError(_EnumeratedMean):
    """E SE: squared deviations summed over the vocabulary."""

    @staticmethod
    def of_leakage(leakage: sp.Expr, squares: sp.Expr, k: sp.Expr) -> sp.Expr:
        return k * (1 / k - 1 / (k + leakage)) ** 2 + squares / (k + leakage) ** 2


class EnumeratedLaplace(_EnumeratedMean):
    """Lambda(t) = E e^(-t L), at (n, k, d, m, beta, t)."""

    @staticmethod
    def of_leakage(leakage: sp.Expr, squares: sp.Expr, k: sp.Expr, t: sp.Expr) -> sp.Expr:
        return sp.exp(-t * leakage)


class EnumeratedSquares(_EnumeratedMean):
    """E[Q e^(-t L)], at (n, k, d, m, beta, t)."""

    @staticmethod
    def of_leakage(leakage: sp.Expr, squares: sp.Expr, k: sp.Expr, t: sp.Expr) -> sp.Expr:
        return squares * sp.exp(-t * leakage)
