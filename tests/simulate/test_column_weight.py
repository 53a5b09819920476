"""Masks of varying weight against the exact theory, and what their readout needs.

False-alarm budget: intervals of confidence 1 - 1e-6, fewer than 30 comparisons. Seeds are fixed.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import numpy as np
import pytest

from simulate.column_weight import (
    bernoulli_hashes,
    blocked_hashes,
    count_over_families,
    double_hashes,
    misranked,
    partitioned_hashes,
    with_replacement_hashes,
)
from simulate.constructions import clamp
from simulate.jobs import intervals
from simulate.kernels import PackedHashes
from simulate.panels import column_weight as panel
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory import column_weight, false_positives
from theory.blocked import Blocked
from theory.domain import DomainError
from theory.double_hashing import DOUBLE_HASHING
from theory.occupancy import Value
from theory.partitioned import PARTITIONED

CONFIDENCE = 1 - 1e-6
FAMILIES, SETS = 300, 100


@pytest.mark.parametrize("code", [(300, 4, 50, 9), (30, 3, 20, 5), (100, 1, 12, 4)], ids=str)
def test_draws_with_replacement(code: tuple[int, int, int, int]) -> None:
    """P_fail; the constant weight's and the classic formula's answers do not fit."""
    n, k, d, m = code
    draw = partial(with_replacement_hashes, n=n, d=d, m=m)
    counts = count_over_families(np.random.default_rng(1), draw, k, FAMILIES, SETS)
    measured = intervals.clustered_proportion(counts.failures, SETS, CONFIDENCE)
    assert measured.contains(column_weight.with_replacement_failure_probability(*code))
    assert not measured.contains(false_positives.failure_probability(*code))


@pytest.mark.parametrize("code", [(300, 4, 60, 0.2), (30, 3, 20, 0.3), (100, 1, 12, 0.6)], ids=str)
def test_bernoulli_bits(code: tuple[int, int, int, float]) -> None:
    """P_fail; a density one tenth larger has another."""
    n, k, d, rho = code
    draw = partial(bernoulli_hashes, n=n, d=d, rho=rho)
    counts = count_over_families(np.random.default_rng(2), draw, k, FAMILIES, SETS)
    measured = intervals.clustered_proportion(counts.failures, SETS, CONFIDENCE)
    assert measured.contains(column_weight.bernoulli_failure_probability(*code))
    hits = intervals.mean(counts.false_positives / SETS, CONFIDENCE)
    rate = false_positives.bernoulli_false_positive_rate(k, d, rho)
    assert hits.contains((n - k) * rate)
    wrong = (n - k) * false_positives.bernoulli_false_positive_rate(k, d, min(0.99, 1.6 * rho))
    assert not hits.contains(wrong)


SCHEMES = {
    "partitioned": (PARTITIONED, partitioned_hashes, (300, 4, 60, 11)),
    "blocked": (Blocked(32), partial(blocked_hashes, block=32), (100, 20, 512, 6)),
    "double hashing": (DOUBLE_HASHING, double_hashes, (100, 4, 60, 8)),
}


@pytest.mark.parametrize("name", SCHEMES)
def test_filters_of_engineers(name: str) -> None:
    """The FPR of real masks; neither the construction's rate nor one bit more fits."""
    scheme, masks, (n, k, d, m) = SCHEMES[name]
    draw = partial(masks, n=n, d=d, m=m)
    counts = count_over_families(np.random.default_rng(8), draw, k, FAMILIES, SETS)
    hits = intervals.mean(counts.false_positives / SETS, CONFIDENCE)
    assert hits.contains((n - k) * math.exp(scheme.enclose(k, d, m, Value()).middle))
    assert not hits.contains((n - k) * false_positives.false_positive_rate(k, d, m))
    failed = intervals.clustered_proportion(counts.failures, SETS, CONFIDENCE)
    ends = scheme.enclose(k, d, m, Value(some=n - k))
    assert failed.interval[1] >= math.exp(ends.lower)
    assert failed.interval[0] <= math.exp(ends.upper)


def test_weights() -> None:
    """Mean weights d rho and d (1 - (1 - 1/d)^m); at most m draws, at least one bit."""
    n, d, m, rho = 20_000, 40, 12, 0.3
    weight = bernoulli_hashes(np.random.default_rng(3), n, d, rho).sum(axis=1)
    assert intervals.mean(weight, CONFIDENCE).contains(d * rho)
    assert intervals.mean((weight - d * rho) ** 2, CONFIDENCE).contains(d * rho * (1 - rho))
    weight = with_replacement_hashes(np.random.default_rng(4), n, d, m).sum(axis=1)
    assert intervals.mean(weight, CONFIDENCE).contains(d * (1 - (1 - 1 / d) ** m))
    assert weight.min() >= 1
    assert weight.max() <= m


def test_constant_weight_needs_no_bias() -> None:
    """A readout without biases errs exactly on the inputs with a false positive."""
    rng = np.random.default_rng(5)
    hashes, tokens = random_hashes(rng, 200, 40, 8), random_sets(rng, 500, 200, 4)
    covered = PackedHashes.of(hashes).count_false_positives(tokens) > 0
    assert covered.any()
    assert (misranked(hashes, tokens) == covered).all()


def test_varying_weight_needs_a_bias() -> None:
    """The network on Bernoulli masks: members' logits differ, and -beta |S_i| makes them equal."""
    rng = np.random.default_rng(6)
    n, k, d, beta = 200, 4, 110, 2.0
    hashes, tokens = bernoulli_hashes(rng, n, d, 0.2), random_sets(rng, 300, n, k)
    logits = clamp(hashes, beta).logits(tokens, random_coefficients(rng, 300, k, 2.0))
    members = np.take_along_axis(logits, tokens, axis=1)
    assert np.ptp(members, axis=1).max() > 0
    weight = beta * hashes.sum(axis=1)
    best_other = logits.copy()
    np.put_along_axis(best_other, tokens, -np.inf, axis=1)
    assert ((best_other.max(axis=1) >= members.min(axis=1)) == misranked(hashes, tokens)).all()
    assert np.take_along_axis(logits - weight, tokens, axis=1) == pytest.approx(0.0, abs=1e-9)
    found = (logits - weight > -1e-9).sum(axis=1) - k
    assert (found == PackedHashes.of(hashes).count_false_positives(tokens)).all()
    assert (found > 0).mean() < 0.1
    assert misranked(hashes, tokens).mean() > 0.9


def test_the_panel_tells_the_laws_apart() -> None:
    """Counts of one law under another's name fail the panel's check."""
    d, families, sets = 79, 100, 500
    m = column_weight.WITH_REPLACEMENT.best_parameter(panel.N, panel.K, d)
    passed = {}
    for drawn in (panel.Weight.REPLACED, panel.Weight.CONSTANT):
        found = panel.measure(np.random.default_rng(7), drawn, d, m, families, sets)
        named = dataclasses.replace(found, weight=panel.Weight.REPLACED)
        (check,) = (
            check
            for check in panel.checks([named])
            if check.quantity == panel.Quantity.FAILURE and check.at["d"] == d
        )
        passed[drawn] = check.passed
    assert passed == {panel.Weight.REPLACED: True, panel.Weight.CONSTANT: False}


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda rng: bernoulli_hashes(rng, 5, 3, 1.5), "rho"),
        (lambda rng: bernoulli_hashes(rng, 0, 3, 0.5), "n"),
        (lambda rng: with_replacement_hashes(rng, 5, 3, 4), "m"),
        (
            lambda rng: count_over_families(rng, partial(random_hashes, n=4, d=3, m=1), 2, 0, 1),
            "fam",
        ),
    ],
)
def test_bad_input_is_named(draw, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name}"):
        draw(np.random.default_rng(0))
