"""Who needs how much width: the Bloom filter and its rivals at one n, k and epsilon."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from theory import (
    column_weight,
    converses,
    dense_codes,
    ideal_residual,
    moment_curve,
    pseudo_inverse,
    ranked_code,
    width,
    zero_failures,
)
from theory.domain import DomainError, check_real, check_task


@dataclass(frozen=True)
class Rival:
    """One way to carry a k-set in width d, or a limit to all of them.

    kind: of the width: exact, upper bound, lower bound or asymptotic. error: what is at most
    epsilon. width: least d at (n, k, epsilon), k < n. law: how it grows, N = n - k. hidden: width
    of the hidden layer. precision: what the residual has to resolve, at (n, k, d).
    """

    name: str
    kind: str
    error: str
    width: Callable[[int, int, float], float]
    law: str
    hidden: str
    precision: Callable[[int, int, float], str]


def _bits(n: int, k: int, d: float) -> str:
    return "1 bit a coordinate"


def _unstated(n: int, k: int, d: float) -> str:
    return "–"


def _condition(n: int, k: int, d: float) -> str:
    return f"condition number {pseudo_inverse.condition_number(k, int(d)):.2g}" if d > k else "–"


def _significand(n: int, k: int, d: float) -> str:
    return f"{math.ceil(moment_curve.sufficient_bits(n, k))} bits a coordinate"


RIVALS = (
    Rival(
        "Bloom filter, m bits a token",
        "exact",
        "P_fail",
        lambda n, k, epsilon: width.smallest_width(n, k, epsilon).width,
        "k log₂(N/ε) / (ln 2 · κ(k))",
        "d",
        _bits,
    ),
    Rival(
        "Bloom filter, m draws with replacement",
        "exact",
        "P_fail",
        lambda n, k, epsilon: column_weight.smallest_with_replacement_width(n, k, epsilon).width,
        "tends to the same",
        "d",
        _bits,
    ),
    Rival(
        "Bloom filter, independent bits",
        "exact",
        "P_fail",
        lambda n, k, epsilon: column_weight.smallest_bernoulli_width(n, k, epsilon).width,
        "(e (k + ½) − ½) ln(N/ε)",
        "d, and an output bias",
        _bits,
    ),
    Rival(
        "pseudo-inverse of random W_U",
        "exact",
        "P_fail",
        pseudo_inverse.smallest_width,
        "at most k + (2k + 1) ln(N/ε)",
        "a k × k inverse of every input",
        _condition,
    ),
    Rival(
        "random signs, ranked by a linear readout",
        "upper bound",
        "P_fail",
        ranked_code.smallest_width,
        "4 k ln(k N/ε)",
        "none",
        _unstated,
    ),
    Rival(
        "random signs, each token thresholded",
        "upper bound",
        "P_fail",
        dense_codes.best_thresholded_width,
        "8 k ln(n/ε)",
        "n",
        _unstated,
    ),
    Rival(
        "ideal residual for a random W_U",
        "asymptotic",
        "P_fail",
        ideal_residual.smallest_width,
        "a threshold in d, whatever ε",
        "any",
        _unstated,
    ),
    Rival(
        "random signs, linear readout",
        "exact",
        "squared error over that of 0",
        lambda n, k, epsilon: dense_codes.linear_readout_width(n, epsilon),
        "(n − 1)/ε",
        "none",
        _unstated,
    ),
    Rival(
        "any code, affine readout",
        "lower bound",
        "squared error over that of 0",
        dense_codes.affine_width,
        "(n − 1)(1 − ε n/(n − k))",
        "none",
        _unstated,
    ),
    Rival(
        "Bloom filter that never fails",
        "upper bound",
        "0",
        lambda n, k, epsilon: zero_failures.sufficient_width(n, k).width,
        "of one family: C(n, k) P_fail < 1",
        "d",
        _bits,
    ),
    Rival(
        "moment curve",
        "exact",
        "0",
        lambda n, k, epsilon: moment_curve.radon_width(k),
        "2k",
        "not one ReLU layer",
        _significand,
    ),
    Rival(
        "any residual, linear readout (Radon)",
        "lower bound",
        "0",
        lambda n, k, epsilon: moment_curve.radon_width(k),
        "2k",
        "any",
        _unstated,
    ),
    Rival(
        "any residual of d reals, linear readout",
        "lower bound",
        "P_fail",
        converses.smallest_width,
        "tends to 2k",
        "any",
        _unstated,
    ),
    Rival(
        "any residual of d bits",
        "lower bound",
        "P_fail",
        width.information_width,
        "log₂ C(n, k) + log₂(1 − ε)",
        "any",
        _bits,
    ),
)


@dataclass(frozen=True)
class Width:
    """One rival's width at given sizes, in words where it is not a number."""

    name: str
    kind: str
    error: str
    width: float
    law: str
    hidden: str
    precision: str


def compare(n: int, k: int, epsilon: float) -> list[Width]:
    """Every rival's width. Raises DomainError outside n >= 3k, 1e-100 < epsilon < 1/2."""
    n, k = check_task(n, k)
    check_real("epsilon", epsilon, 1e-100, 0.5)
    if n < 3 * k:
        raise DomainError(f"n must be at least 3k = {3 * k} for Radon's limit; got {n}")
    found = []
    for rival in RIVALS:
        d = rival.width(n, k, epsilon)
        d = d if d < 2**53 else float(d)
        precision = rival.precision(n, k, d)
        found.append(
            Width(rival.name, rival.kind, rival.error, d, rival.law, rival.hidden, precision)
        )
    return found


def _whole(width: float) -> str:
    return f"{width:,.0f}" if width < 1e15 else f"{width:.3g}"


def as_markdown(n: int, k: int, epsilon: float) -> str:
    """The comparison as a Markdown table."""
    heads = (
        f"code | ε bounds | d at n = {n}, k = {k}, ε = {epsilon:g} | law | hidden width | residual"
    )
    lines = [f"| {heads} |", "|---|---|---:|---|---|---|"]
    for row in compare(n, k, epsilon):
        sign = {"upper bound": "≤ ", "lower bound": "≥ ", "asymptotic": "≈ "}.get(row.kind, "")
        cells = (
            row.name,
            row.error,
            f"{sign}{_whole(row.width)}",
            row.law,
            row.hidden,
            row.precision,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
