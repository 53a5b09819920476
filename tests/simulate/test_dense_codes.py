"""Dense codes run forward: construction, exact expectations, and faults that are caught.

False-alarm budget: every statistical comparison uses an interval of confidence 1 - 1e-6 (those of
a mean are asymptotic: count ten times that); fewer than 40 comparisons, so 4e-4 for the file.
Seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate import dense_codes
from simulate.dense_codes import DenseCode
from simulate.jobs import intervals
from simulate.jobs.panel import QUICK
from simulate.network import membership
from simulate.panels import dense_softmax, dense_threshold, linear_readout
from simulate.panels.measured import measure_directly
from simulate.sampling import random_coefficients, random_sets
from tests.simulate.running import failed
from theory import dense_codes as theory
from theory.domain import DomainError

CONFIDENCE = 1 - 1e-6
PANELS = (dense_threshold, dense_softmax, linear_readout)
CODES = [(code, 50) for code in DenseCode]


@pytest.mark.parametrize(("code", "d"), CODES)
def test_vectors_are_units(code: DenseCode, d: int) -> None:
    embedding = dense_codes.CODES[code](np.random.default_rng(0), 101, d)
    assert embedding.shape == (101, d)
    assert np.linalg.norm(embedding, axis=1) == pytest.approx(1.0, rel=1e-12)


@given(st.integers(3, 40), st.data())
def test_tight_frames(n: int, data) -> None:
    """Zero sum, sum of e e^T = (n/d) I, and so the Welch bound with equality on average."""
    d = 2 * data.draw(st.integers(1, (n - 1) // 2))
    frame = dense_codes.random_tight_frame(
        np.random.default_rng(data.draw(st.integers(0, 9))), n, d
    )
    assert np.abs(frame.sum(axis=0)).max() < 1e-11
    assert frame.T @ frame == pytest.approx(n / d * np.eye(d), abs=1e-11)
    squares = (frame @ frame.T) ** 2
    assert squares.sum() - n == pytest.approx(n**2 / d - n, abs=1e-9)


def test_signs_are_fair_and_independent() -> None:
    """Both signs, every pair of rows and columns; sums of signs are integers."""
    signs = dense_codes.random_signs(np.random.default_rng(1), 3, 40_000) * 200.0
    assert set(np.unique(signs)) == {-1.0, 1.0}
    for first, second in ((0, 1), (0, 2), (1, 2)):
        product = (signs[first] * signs[second] + 1) / 2
        assert intervals.proportion(int(product.sum()), 40_000, CONFIDENCE).contains(0.5)
    neighbours = (signs[0, :-1] * signs[0, 1:] + 1) / 2
    assert intervals.proportion(int(neighbours.sum()), 39_999, CONFIDENCE).contains(0.5)


def errors_of(code: DenseCode, n: int, k: int, d: int, c: float) -> np.ndarray:
    """Over 300 codes of 10 inputs: relative squared error of y, its largest, members' variance."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        embedding = dense_codes.CODES[code](rng, n, d)
        tokens = random_sets(rng, 10, n, k)
        alpha = random_coefficients(rng, 10, k, c)
        y = dense_codes.linear_readout(embedding, tokens, alpha)
        wanted = dense_codes.target(tokens, alpha, n)
        found.append(
            [
                dense_codes.squared_error(y, wanted).mean() / (k * theory.second_moment(c)),
                dense_codes.largest_error(y, wanted).mean(),
                np.take_along_axis(y, tokens, axis=1).var(axis=1).mean(),
            ]
        )
    return np.array(found)


@pytest.mark.parametrize("c", [1.0, 3.0])
@pytest.mark.parametrize("code", [DenseCode.SIGNS, DenseCode.DIRECTIONS])
def test_linear_readout(code: DenseCode, c: float) -> None:
    """Squared error and members' variance as predicted, whatever the coefficients; the bound."""
    n, k, d = 120, 5, 30
    squared, largest, spread = errors_of(code, n, k, d, c).T
    exact = theory.linear_readout_error(n, d)
    assert intervals.mean(squared, CONFIDENCE).contains(exact)
    assert intervals.mean(spread, CONFIDENCE).contains(theory.member_spread(k, d, c))
    assert largest.mean() < theory.largest_error_bound(n, k, d, c)
    assert largest.mean() == pytest.approx(theory.largest_error_of_gaussians(n, k, d, c), rel=0.15)


def test_tight_frame_readouts() -> None:
    """y as predicted; its affine readout is the least-squares one, and attains the floor."""
    n, k, d = 121, 5, 30
    assert intervals.mean(
        errors_of(DenseCode.TIGHT_FRAME, n, k, d, 1.0)[:, 0], CONFIDENCE
    ).contains(theory.tight_frame_error(n, k, d))
    rng = np.random.default_rng(3)
    frame = dense_codes.random_tight_frame(rng, n, d)
    tokens = random_sets(rng, 50, n, k)
    y = dense_codes.linear_readout(frame, tokens, np.ones((50, k)))
    best = dense_codes.least_squares_readout(frame, tokens)
    assert dense_codes.frame_readout(y, k, d) == pytest.approx(best, abs=1e-11)


@pytest.mark.parametrize(("code", "d"), CODES)
def test_least_squares_attain_the_affine_floor(code: DenseCode, d: int) -> None:
    """One code, independent inputs: the mean is the floor for every code."""
    n, k = 121, 5
    rng = np.random.default_rng(4)
    embedding = dense_codes.CODES[code](rng, n, d)
    tokens = random_sets(rng, 4000, n, k)
    y = dense_codes.least_squares_readout(embedding, tokens)
    errors = dense_codes.squared_error(y, dense_codes.target(tokens, np.ones((4000, k)), n)) / k
    assert intervals.mean(errors, CONFIDENCE).contains(theory.affine_floor(n, k, d))


@pytest.mark.parametrize(("n", "k", "d"), [(60, 3, 41), (60, 3, 64), (30, 1, 10), (12, 12, 40)])
def test_thresholds(n: int, k: int, d: int) -> None:
    """Token rates against binomial tails, ties included; failures between their bounds."""
    rng = np.random.default_rng(5)
    for cut in {theory.half_cut(d), theory.best_cut(n, k, d)}:
        counts = np.zeros((400, 3), dtype=int)
        for code in range(400):
            embedding = dense_codes.random_signs(rng, n, d)
            tokens = random_sets(rng, 10, n, k)
            y = dense_codes.linear_readout(embedding, tokens, np.ones((10, k)))
            wrong = dense_codes.threshold_errors(y, membership(tokens, n), cut / d)
            counts[code] = wrong[0].sum(), wrong[1].sum(), np.count_nonzero(wrong[0] + wrong[1])
        exact = theory.thresholded_false_negative_rate(k, d, cut)
        found = intervals.clustered_proportion(counts[:, 1], 10 * k, CONFIDENCE)
        assert found.contains(exact)
        if n > k:
            exact = theory.thresholded_false_positive_rate(k, d, cut)
            found = intervals.clustered_proportion(counts[:, 0], 10 * (n - k), CONFIDENCE)
            assert found.contains(exact)
        low, high = intervals.clustered_proportion(counts[:, 2], 10, CONFIDENCE).interval
        assert low <= theory.thresholded_failure_bound(n, k, d, cut)
        assert high >= theory.thresholded_failure_lower_bound(n, k, d, cut)


def test_a_sum_that_equals_the_cut_is_accepted() -> None:
    """y = 1/2 exactly, up to the rounding of 1/sqrt(d) squared, is no failure of a member."""
    d = 48
    pair = np.ones((2, d)) / np.sqrt(d)
    pair[1, : d * 3 // 4] *= -1.0
    y = dense_codes.linear_readout(pair, np.array([[0, 1]]), np.ones((1, 2)))
    assert y == pytest.approx(0.5, abs=1e-14)
    positives, negatives = dense_codes.threshold_errors(y, np.ones((1, 2), dtype=bool), 0.5)
    assert positives.tolist() == negatives.tolist() == [0]


def results_of(panel) -> list:
    """Results of the panel's quick tasks, in this process, but for the Bloom filter's."""
    dense = (task for task in panel.tasks(QUICK) if task.function is not measure_directly)
    return [
        task.function(np.random.default_rng(index), **task.arguments)
        for index, task in enumerate(dense)
    ]


@pytest.fixture(scope="module")
def correct() -> dict:
    return {panel: results_of(panel) for panel in PANELS}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.NAME)
def test_without_a_fault_the_panels_pass(correct, panel) -> None:
    assert failed(panel.PANEL, correct[panel]) == []


@pytest.mark.parametrize(
    ("panel", "function", "fault"),
    [
        (dense_threshold, "thresholded_false_positive_rate", lambda k, d, cut: (k + 1, d, cut)),
        (dense_threshold, "thresholded_false_negative_rate", lambda k, d, cut: (k + 1, d, cut)),
        (dense_threshold, "thresholded_failure_bound", lambda n, k, d, cut: (n, k, 2 * d)),
        (dense_threshold, "thresholded_failure_lower_bound", lambda n, k, d, cut: (n, k, d // 2)),
        (dense_softmax, "member_spread", lambda k, d, c: (k + 1, d, c)),
        (dense_softmax, "kl_bound", lambda n, k, d, beta: (n, k, 8 * d, beta)),
        (dense_softmax, "leakage_floor", lambda n, k, beta: (n, k, beta / 2)),
        (linear_readout, "linear_readout_error", lambda n, d: (n, d + 5)),
        (linear_readout, "affine_floor", lambda n, k, d: (n, k, d + 5)),
        (linear_readout, "tight_frame_error", lambda n, k, d: (n + 30, k, d)),
        (linear_readout, "largest_error_bound", lambda n, k, d: (n, k, 4 * d)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_planted_faults_are_caught(correct, monkeypatch, panel, function, fault) -> None:
    """The checks refuse predictions for sizes that were not simulated."""
    right = getattr(panel, function)
    monkeypatch.setattr(panel, function, lambda *sizes: right(*fault(*sizes)))
    assert failed(panel.PANEL, correct[panel])


def test_a_strict_threshold_is_caught(monkeypatch) -> None:
    """A simulator that refuses sums equal to the cut."""
    monkeypatch.setattr(dense_codes, "_TIE", -dense_codes._TIE)
    assert failed(dense_threshold.PANEL, results_of(dense_threshold))


def test_bad_input_is_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DomainError, match="d must be even"):
        dense_codes.random_tight_frame(rng, 10, 5)
    with pytest.raises(DomainError, match="d must be"):
        dense_codes.random_tight_frame(rng, 10, 10)
    with pytest.raises(DomainError, match="n must be"):
        dense_codes.random_signs(rng, 0, 10)
    with pytest.raises(DomainError, match="d must be"):
        dense_codes.random_directions(rng, 3, 0)
