"""The moment curve in finite precision, against exact arithmetic, NumPy's floats and scans.

False-alarm budget: one panel's statistical checks at 1e-6 each, 3e-6 for the file. Fixed seeds.
"""

from __future__ import annotations

import dataclasses
from itertools import combinations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.jobs.panel import QUICK
from simulate.moment_curve import (
    Circle,
    Line,
    arc_sets,
    bits_of_all,
    bits_of_sets,
    end_sets,
    fails,
    rounded,
)
from simulate.panels import moment_curve as panel
from simulate.sampling import random_sets
from tests.simulate.running import failed, results
from theory.domain import DomainError
from theory.moment_curve import (
    circle_margin,
    circle_sufficient_bits,
    equally_spaced_margin,
    sufficient_bits,
)

CURVES = [Line(9, 2), Line(10, 3), Line(10, 3, integer=True), Circle(9, 2), Circle(8, 3)]


def all_sets(n: int, k: int) -> np.ndarray:
    return np.array(list(combinations(range(n), k)))


@given(st.floats(-1e30, 1e30), st.integers(-(2**70), 2**70))
def test_rounding(value: float, integer: int) -> None:
    """24 and 53 bits are float32 and float64 (above the subnormals); an integer once, not twice."""
    if abs(value) > 1e-30:
        assert float(rounded([mpmath.mpf(value)], 24)[0]) == float(np.float32(value))
    assert rounded([integer], 53)[0] == float(integer)


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_columns_and_residuals_are_exact(curve) -> None:
    """Every set: logits equal minus the gaps, up to a constant, to 1e-100; float copies agree."""
    for members in combinations(range(curve.n), curve.k):
        residual = curve.residual(members)
        assert len(residual) == 2 * curve.k
        with mpmath.workprec(400):
            logits = [mpmath.fdot(curve.column(i), residual) for i in range(curve.n)]
            top = logits[members[0]]
            assert all(abs(logits[s] - top) <= 1e-100 * (1 + abs(top)) for s in members)
            below = np.array([float(top - logit) for logit in logits])
        gaps = curve.gaps(np.array([members]))[0]
        assert np.allclose(below, gaps, rtol=1e-12, atol=1e-14 * gaps.max())
    assert np.allclose(curve.W_U.T, [[float(x) for x in curve.column(i)] for i in range(curve.n)])


def test_smallest_gap_is_the_margin() -> None:
    for n, k in ((9, 2), (10, 3), (9, 4)):
        members = np.eye(n, dtype=bool)[all_sets(n, k)].any(axis=1)
        line, circle = (curve(n, k).gaps(all_sets(n, k)) for curve in (Line, Circle))
        assert line[~members].min() == pytest.approx(equally_spaced_margin(n, k), rel=1e-12)
        assert circle[~members].min() == pytest.approx(circle_margin(n, k), rel=1e-12)


def scanned_bits(curve, members: tuple[int, ...]) -> int:
    """The definition: one more than the last number of bits, below 36, with which the set fails."""
    others = [curve.column(i) for i in range(curve.n) if i not in members]
    own = [curve.column(i) for i in members]
    residual = curve.residual(members)
    failing = [bits for bits in range(1, 36) if fails(own, others, residual, bits)]
    return max(failing, default=0) + 1


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_bits_are_those_of_a_full_scan(curve) -> None:
    """Some sets, all non-members at every number of bits; the maximum over these sets."""
    sets = all_sets(curve.n, curve.k)[::17]
    found = bits_of_sets(curve, sets)
    assert found.tolist() == [scanned_bits(curve, tuple(members)) for members in sets.tolist()]
    assert bits_of_all(curve, sets) == found.max()


def test_float32() -> None:
    """NumPy's own float32 weights fail on the same sets as numbers rounded to 24 bits.

    Integers below 2^53, so that rounding to float32 happens once; sums in extended precision.
    """
    n, k = 400, 2
    curve = Line(n, k, integer=True)
    rng = np.random.default_rng(0)
    first = rng.integers(0, n - 1, 60)
    sets = np.stack([first, (first + rng.integers(1, 12, 60)) % n], axis=1)
    weights = curve.W_U.astype(np.float32).astype(np.longdouble)
    failed = []
    for members in sets.tolist():
        residual = np.array(curve.residual(members), dtype=np.float64).astype(np.float32)
        logits = residual.astype(np.longdouble) @ weights
        failed.append(bool(np.delete(logits, members).max() >= logits[members].min()))
        columns = [curve.column(i) for i in range(n)]
        own = [columns[i] for i in members]
        others = [column for i, column in enumerate(columns) if i not in members]
        assert fails(own, others, curve.residual(members), 24) == failed[-1], members
    assert 5 < sum(failed) < 55


@pytest.mark.parametrize(("n", "k"), [(24, 1), (30, 2), (24, 2), (15, 3), (11, 4)])
def test_hardest_sets(n: int, k: int) -> None:
    """Sets at an end need as many bits as any, or one fewer; all stay within the proved number."""
    of_all = bits_of_all(Line(n, k), all_sets(n, k))
    at_end = bits_of_all(Line(n, k), end_sets(n, k))
    assert of_all == at_end + ((n, k) in ((24, 1), (30, 2)))
    assert of_all <= np.ceil(sufficient_bits(n, k))
    assert bits_of_all(Line(n, k, integer=True), end_sets(n, k)) <= of_all
    assert bits_of_all(Circle(n, k), arc_sets(n, k)) <= np.ceil(circle_sufficient_bits(n, k))


def test_random_sets_need_far_fewer_bits() -> None:
    """n = 1024, k = 3: a mean of about 2 log2 n and a constant, against 6 log2 n for all sets."""
    needed = bits_of_sets(Line(1024, 3), random_sets(np.random.default_rng(1), 30, 1024, 3))
    assert 18 < needed.mean() < 28
    assert bits_of_all(Line(1024, 3), end_sets(1024, 3)) > 50


def test_a_wrong_residual_fails_at_any_precision() -> None:
    """One member's double root made simple: a non-member between rises above it."""
    curve = Line(9, 2)
    wrong = curve.residual([3, 5])
    right = fails([curve.column(3), curve.column(5)], [curve.column(4)], wrong, 300)
    wrong[0] += 1
    assert not right
    assert fails([curve.column(3), curve.column(5)], [curve.column(8)], wrong, 300)


@pytest.fixture(scope="module")
def found() -> list[panel.Hardest | panel.Random]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panel, "FEWEST_SETS", 30)
        patch.setattr(panel, "HARDEST_N", (12, 64, 4096))
        patch.setattr(panel, "CIRCLE_N", (64, 4096))
        patch.setattr(panel, "RANDOM_N", (512, 4096))
        patch.setattr(panel, "K", (2, 4))
        return results(panel.PANEL, 3, dataclasses.replace(QUICK, unions=1))


def test_panel_passes_and_catches_faults(found, monkeypatch) -> None:
    """Four bits fewer proved; one bit per doubling more; sets that are not the hardest."""
    monkeypatch.setattr(panel, "K", (2, 4))
    assert failed(panel.PANEL, found) == []
    assert {point.series for point in panel.table(found)} == set(panel.Sets) - {panel.Sets.ALL}

    def steeper(each: panel.Hardest) -> panel.Hardest:
        if each.sets == panel.Sets.ALL:
            return each
        return dataclasses.replace(each, bits=each.bits + int(np.log2(each.n)))

    def easier(each: panel.Hardest) -> panel.Hardest:
        less = each.sets == panel.Sets.LINE
        return dataclasses.replace(each, bits=each.bits - less)

    def all_sets_law(each: panel.Random) -> panel.Random:
        extra = round(2 * (each.k - 1) * np.log2(each.n / 64))
        return dataclasses.replace(each, bits=[bits + extra for bits in each.bits])

    for fault, kind in (
        (steeper, panel.Hardest),
        (easier, panel.Hardest),
        (all_sets_law, panel.Random),
    ):
        assert failed(
            panel.PANEL, [fault(each) if isinstance(each, kind) else each for each in found]
        )
    monkeypatch.setattr(panel, "sufficient_bits", lambda n, k: sufficient_bits(n, k) - 4)
    assert failed(panel.PANEL, found)


def test_bad_input_is_named() -> None:
    for curve in (Line, Circle):
        with pytest.raises(DomainError, match="n must exceed k = 3"):
            curve(3, 3)
    with pytest.raises(DomainError, match="tokens must have k = 2 columns; got 3"):
        bits_of_sets(Line(9, 2), all_sets(9, 3))
