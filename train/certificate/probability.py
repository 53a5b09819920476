"""Failure and total variation over random inputs, from the levels and from the masks.

A uniformly random k-set of tokens, alpha uniform on [1, c]^k. An input fails when the mass on its k
tokens is below (k/(k+1) + 1)/2, that is, where leak, the mass off its tokens over that on them,
exceeds 1/(2k + 1). It is covered when its tokens' masks cover a non-member's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from simulate.enumeration import MOST_INPUTS, enumerate_inputs
from theory import quenched
from train.certificate.levels import Levels, difference_low
from train.reading.normal_form import NormalForm

# the exact rates of single tokens cost n 2^bits
_MOST_TERMS = 2**30
# relative room for rounding in exponentials
_ROUNDING = 1e-12

Bracket = tuple[float, float]


@dataclass(frozen=True)
class Covered:
    """How many inputs are covered: bounds on their share, and on the mean number of covered tokens.

    inputs: the number of covered inputs, where all were enumerated.
    """

    share: Bracket
    tokens: Bracket
    inputs: int | None


UNKNOWN = Covered((0.0, 1.0), (0.0, math.inf), None)


def covered(owners: np.ndarray, k: int) -> Covered:
    """Exact by enumeration of up to 2^25 inputs; beyond, between max_t P(t covered) and E#FP.

    The latter are exact where the masks have few bits; else (0, 1) and (0, n - k).
    """
    n, bits = len(owners), int(owners.sum(axis=1).max(initial=0))
    inputs = math.comb(n, k)
    if inputs <= MOST_INPUTS:
        found = enumerate_inputs(owners, k)
        exact = found.failure_probability, found.expected_false_positives
        share, tokens = (_around(value, value) for value in exact)
        return Covered(share, tokens, found.failures)
    if n << bits > _MOST_TERMS:
        return Covered((0.0, 1.0), (0.0, float(n - k)), None)
    counts = quenched.false_positive_inputs(owners, k)
    mean = Fraction(sum(counts), inputs)
    between = _around(Fraction(max(counts), inputs), min(mean, Fraction(1)))
    return Covered(between, _around(mean, mean), None)


def _around(low: Fraction, high: Fraction) -> Bracket:
    """Floats on both sides; equal where both are exact."""
    return -_float_above(-low), _float_above(high)


def _float_above(value: Fraction) -> float:
    found = float(value)
    return found if Fraction(found) >= value else math.nextafter(found, math.inf)


@dataclass(frozen=True)
class Consequences:
    """What the levels say of every input.

    covered_fails: inputs with a covered non-member fail, whatever alpha. uncovered_holds: the
    others never do. uncovered_tv: upper bound on the total variation of the others. failure,
    total_variation: bounds on the probability of failure and on the mean of the total variation.
    """

    covered_fails: bool
    uncovered_holds: bool
    uncovered_tv: float
    failure: Bracket
    total_variation: Bracket

    @property
    def sharp(self) -> bool:
        """An input fails if and only if it is covered."""
        return self.covered_fails and self.uncovered_holds


def consequences(form: NormalForm, levels: Levels, masks: Covered) -> Consequences:
    """Failure and total variation from the levels alone.

    For a covered t, l_a - l_t <= G for all members, so leak >= exp(-G) / k. Without one, leak is at
    most the sum of exp(l_t - l_a) / k at the levels of one missing bit or more, and members that
    differ by at most S give TV <= tanh(S / 4) + leak / (1 + leak).
    """
    n, k = form.n, form.k
    threshold = 1.0 / (2 * k + 1)
    with np.errstate(over="ignore"):
        least = np.exp(-levels.covered_gap) / k * (1.0 - _ROUNDING)
        highest = levels.high[1:].max(axis=0, initial=-np.inf)
        missing = -difference_low(levels.member_low.min(), highest)
        leak = np.exp(np.sort(missing)[k - n :]).sum() / k * (1.0 + n * _ROUNDING)
        most = np.exp(-levels.margin[0]) / k * (1.0 + _ROUNDING)
        # as simply as the checker has it, with room for what its claims give away
        simple = (n - k) * np.exp(-levels.margin[1:2].min(initial=np.inf)) / k
    uneven = math.tanh(max(levels.member_spread, 0.0) / 4.0) + _ROUNDING
    fails, holds = bool(least > 1.01 * threshold), bool(simple < 0.99 * threshold)

    def mass_off(leak: float) -> float:
        return leak / (1.0 + leak) if math.isfinite(leak) else 1.0

    # x / (1 + x) is concave, so that the mean leak bounds its mean
    mean_leak = float(leak + masks.tokens[1] * most) if masks.tokens[1] > 0.0 else float(leak)
    return Consequences(
        covered_fails=fails,
        uncovered_holds=holds,
        uncovered_tv=min(uneven + mass_off(float(leak)), 1.0),
        failure=(masks.share[0] if fails else 0.0, masks.share[1] if holds else 1.0),
        total_variation=(
            masks.share[0] * mass_off(float(least)) * (1.0 - _ROUNDING),
            min(uneven + mass_off(mean_leak), 1.0),
        ),
    )
