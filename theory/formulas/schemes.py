"""Formulas for the filters that engineers build: partitioned, blocked and double hashing."""

from __future__ import annotations

import math

import sympy as sp

from theory import double_hashing, false_positives, partitioned
from theory.blocked import Blocked, coverages_by_load
from theory.formula import Formula
from theory.formulas.false_positives import CODE
from theory.formulas.union_size import COVERAGE, UNION_SIZE_LAW
from theory.occupancy import Value
from theory.symbols import d, k, m, w

load = sp.Symbol("a", integer=True, nonnegative=True)
blocks = sp.Symbol("b", integer=True, positive=True)
block = sp.Symbol("B", integer=True, positive=True)
queries = sp.Symbol("q", integer=True, positive=True)

# m blocks as equal as can be: d mod m of them hold one bit more
_SMALL = sp.floor(d / m)
_LARGER = d - m * _SMALL


def _filled(bits: sp.Expr) -> sp.Expr:
    """P(a given bit of a block is set) after k draws."""
    return 1 - (1 - 1 / bits) ** k


PARTITIONED_RATE = Formula(
    "false-positive rate of a partitioned filter",
    _filled(_SMALL) ** (m - _LARGER) * _filled(_SMALL + 1) ** _LARGER,
    "exact",
    CODE + "; one bit in each of m blocks of floor(d/m) or ceil(d/m) bits",
    "the blocks are independent, and in each a query's bit is set with the mean fill",
    partitioned.partitioned_rate,
)

JOINT_RATE = Formula(
    "probability that several given non-members are all false positives",
    sp.Sum(UNION_SIZE_LAW.expression * COVERAGE.expression**queries, (w, m, d)),
    "exact",
    CODE + ", q >= 1 queries",
    "non-members are independent given the union",
    lambda q, k, d, m: false_positives.joint_false_positive_rate(k, d, m, q),
)

RATE_GIVEN_FILL = Formula(
    "false-positive rate of a filter with w set bits",
    COVERAGE.expression,
    "exact",
    "1 <= m <= w <= d",
    "an observed filter is a fixed union",
    lambda w, d, m: math.exp(false_positives.log_rate_given_fill(d, m, w)),
)

_RATE_AT_LOAD = sp.Sum(
    UNION_SIZE_LAW.expression.subs({k: load, d: block}, simultaneous=True)
    * COVERAGE.expression.subs(d, block),
    (w, m, block),
)

RATE_AT_LOAD = Formula(
    "false-positive rate of one block that holds a tokens",
    _RATE_AT_LOAD,
    "exact",
    "a >= 1, 1 <= m <= B",
    "a block is a filter of B bits",
    lambda a, B, m: float(coverages_by_load(a, B, m)[0][a]),
)

BLOCKED_RATE = Formula(
    "false-positive rate of a blocked filter",
    sp.Sum(
        sp.binomial(k, load)
        * (1 / blocks) ** load
        * (1 - 1 / blocks) ** (k - load)
        * _RATE_AT_LOAD,
        (load, 1, k),
    ),
    "exact",
    "k >= 1, b >= 2 blocks of B bits, 1 <= m <= B; m different bits in one random block",
    "the query's block holds a binomial number of the tokens (Putze, Sanders & Singler 2009)",
    lambda k, b, B, m: math.exp(Blocked(B).enclose(k, b * B, m, Value()).middle),
)

DOUBLE_HASHING_BOUND = Formula(
    "lower bound on the false-positive rate of double hashing",
    1 - (1 - 1 / d**2) ** k,
    "lower bound",
    "k >= 1, d >= 2",
    "a query shares both its numbers with some member",
    double_hashing.equal_pair_rate,
)

FORMULAS = (PARTITIONED_RATE, RATE_GIVEN_FILL, DOUBLE_HASHING_BOUND)

# letters of their own: tests/theory/test_schemes.py draws them
OTHERS = (JOINT_RATE, RATE_AT_LOAD, BLOCKED_RATE)
