"""From the law of the union to the Bloom-filter rate: exact sum, upper bound, classic formula."""

from __future__ import annotations

import sympy as sp

from theory.derivations.brute_force import ENUMERATED_FAILURE, ENUMERATED_RATE
from theory.derivations.derivation import (
    Derivation,
    Rationals,
    Step,
    Symbolic,
    at_most,
    equal,
    points,
)
from theory.formulas.false_positives import (
    AVOIDANCE,
    CLASSIC,
    EXPECTED_FALSE_POSITIVES,
    FAILURE_PROBABILITY,
    FALSE_POSITIVE_RATE,
    UPPER_BOUND,
    j,
)
from theory.formulas.union_size import COVERAGE, UNION_SIZE_LAW, UNION_SIZE_MEAN
from theory.symbols import N, d, k, m, n, p, q, w

uncovered = sp.Symbol("u", integer=True, nonnegative=True)
coverage = sp.Symbol("f", positive=True)
non_members = sp.Symbol("N", integer=True, positive=True)
i = sp.Symbol("i", integer=True, nonnegative=True)
slack = sp.Symbol("e", integer=True, nonnegative=True)
load = sp.Symbol("lambda", positive=True)
excess = sp.Symbol("v", nonnegative=True)

CODES = points(
    (k, d, m), ((k_, d_, m_) for k_ in (1, 2, 3) for d_ in range(1, 7) for m_ in range(1, d_ + 1))
)
ENUMERABLE_CODES = points((k, d, m), ((1, 4, 2), (2, 4, 2), (2, 5, 2), (2, 5, 3), (3, 4, 3)))
ENUMERABLE_TASKS = points((n, k, d, m), ((3, 1, 4, 2), (4, 2, 4, 2), (4, 2, 5, 2), (5, 2, 4, 3)))

DERIVATION = Derivation(
    "bloom_bound",
    "From the union of the hashes to the Bloom-filter rate",
    (
        Step(
            "A member's hash is a uniform $m$-subset of the $d$ bits; it avoids one given bit "
            "with probability",
            equal(AVOIDANCE.subs(j, 1), 1 - m / d),
            Symbolic((sp.combsimp,)),
        ),
        Step(
            "The $k$ hashes are independent, so all of them avoid it with probability "
            "$q = 1 - p$, and by linearity the mean size of the union is",
            equal(d * (1 - AVOIDANCE.subs(j, 1) ** k), UNION_SIZE_MEAN.expression),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "",
            equal(0,0),
            Symbolic(),
        ),
    ),
)
