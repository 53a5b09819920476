"""One softmax output and its distance from the uniform target, from the definitions."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal
from theory.formulas.softmax_output import (
    KL,
    SQUARED_ERROR,
    SUFFICIENT_BETA,
    TOTAL_VARIATION,
    TOTAL_VARIATION_WITHOUT_FALSE_POSITIVE,
)
from theory.symbols import L, Q, beta, delta, k, m, n

others = sp.Symbol("N", integer=True, positive=True)
j = sp.Symbol("j", integer=True, positive=True)
i = sp.Symbol("i", integer=True, positive=True)
slack = sp.Symbol("slack", integer=True, nonnegative=True)
missing = sp.IndexedBase("M", real=True)

WEIGHT = sp.exp(-beta * missing[j])
LEAKAGE = {L: sp.Sum(WEIGHT, (j, 1, others))}
SQUARED_LEAKAGE = {Q: sp.Sum(WEIGHT**2, (j, 1, others))}
PARTITION = k * sp.exp(beta * m) + sp.Sum(sp.exp(beta * (m - missing[j])), (j, 1, others))
MEMBER = 1 / (k + L)
NON_MEMBER = WEIGHT / (k + L)

DERIVATION = Derivation(
    "softmax_identities",
    "The softmax output and its distance from the uniform target",
    (
        Step(
            "A member's logit is $β m$, that of the $j$-th of $N$ non-members $β (m - M_j)$. "
            "Softmax gives each member",
            equal(sp.exp(beta * m) / PARTITION, MEMBER),
            Symbolic(),
            where=LEAKAGE,
        ),
        Step(
            "and the $i$-th non-member",
            equal(sp.exp(beta * (m - missing[i])) / PARTITION, NON_MEMBER.subs(j, i)),
            Symbolic(),
            where=LEAKAGE,
        ),
        Step(
            "Total variation, half the absolute deviations from $1/k$ on the members and from 0 "
            "elsewhere",
            equal(
                (k * sp.Abs(1 / k - MEMBER) + sp.Sum(NON_MEMBER, (j, 1, others))) / 2,
                TOTAL_VARIATION.expression,
            ),
            Symbolic(),
            where=LEAKAGE,
        ),
        Step(
            "Relative entropy of the target to the output, over the $k$ members that the target "
            "charges",
            equal(k * (1 / k) * sp.log((1 / k) / MEMBER), KL.expression),
            Symbolic(),
        ),
        Step(
            "which total variation determines",
            equal(KL.expression, -sp.log(1 - TOTAL_VARIATION.expression)),
            Symbolic(),
        ),
        Step(
            "Squared error, summed over the vocabulary",
            equal(
                k * (1 / k - MEMBER) ** 2 + sp.Sum(NON_MEMBER**2, (j, 1, others)),
                SQUARED_ERROR.expression,
            ),
            Symbolic(),
            where=SQUARED_LEAKAGE | LEAKAGE,
        ),
        Step(
            "Total variation is concave in the leakage, so Jensen's inequality bounds its mean "
            "by its value at the mean leakage",
            at_most(sp.Derivative(TOTAL_VARIATION.expression, (L, 2)), 0),
            Symbolic((sp.factor,)),
        ),
        Step(
            "and so is the relative entropy",
            at_most(sp.Derivative(KL.expression, (L, 2)), 0),
            Symbolic((sp.factor,)),
        ),
        Step(
            "Without a false positive every $M_j$ is at least 1, so $L$ is at most $(n - k) "
            "e^{-β}$; there",
            at_most(TOTAL_VARIATION.expression, TOTAL_VARIATION_WITHOUT_FALSE_POSITIVE.expression),
            Symbolic((sp.factor,), domain={n: k + slack}),
            where={L: (n - k) * sp.exp(-beta)},
        ),
        Step(
            "and the logit scale that suffices for total variation $δ$ on such inputs solves",
            equal(TOTAL_VARIATION_WITHOUT_FALSE_POSITIVE.expression, delta),
            Symbolic(),
            where={beta: SUFFICIENT_BETA.expression},
        ),
    ),
)
