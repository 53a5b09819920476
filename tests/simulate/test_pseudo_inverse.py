"""The pseudo-inverse readout on given matrices, against least squares and the exact theory.

False-alarm budget: intervals of confidence 1 - 1e-6, fewer than 25 comparisons. Fixed seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate import constructions, pseudo_inverse
from simulate.jobs import intervals
from simulate.jobs.table import Kind
from simulate.panels import pseudo_inverse as panel
from simulate.panels.measured import Measured
from simulate.pseudo_inverse import (
    gaussian,
    inverse_norms,
    of_random_sets,
    read_out,
    shortest_residual,
    tilted_failure,
)
from simulate.sampling import random_hashes, random_sets
from tests.simulate.running import failed, results
from theory.domain import DomainError
from theory.pseudo_inverse import (
    condition_number,
    expected_false_positives,
    failure_probability,
    smallest_width,
)

CONFIDENCE = 1 - 1e-6

matrices = st.integers(1, 5).flatmap(
    lambda k: st.tuples(
        st.integers(k, 12), st.just(k), st.integers(k, 9), st.integers(0, 2**32 - 1)
    )
)


@given(matrices)
def test_against_least_squares(drawn: tuple[int, int, int, int]) -> None:
    """h, counts, condition number and |h|^2 set by set, from NumPy's lstsq and cond."""
    n, k, d, seed = drawn
    rng = np.random.default_rng(seed)
    W_U, tokens = gaussian(rng, n, d), random_sets(rng, 7, n, k)
    found = read_out(W_U, tokens)
    for place, members in enumerate(tokens.tolist()):
        rows = W_U.T[members]
        h = np.linalg.lstsq(rows, np.ones(k), rcond=None)[0]
        others = np.delete(h @ W_U, members)
        condition = np.linalg.cond(rows)
        if condition > 1e6:
            continue
        assert found.condition[place] == pytest.approx(condition, rel=1e-6)
        assert found.squared_norm[place] == pytest.approx(h @ h, rel=1e-6)
        assert found.false_positives[place] == np.count_nonzero(others >= 1.0)
        assert found.reproduced[place]
        # as the theory writes it
        gram = rows @ rows.T
        assert h @ h == pytest.approx(np.linalg.solve(gram, np.ones(k)).sum(), rel=1e-5)


@given(matrices, st.floats(1e-3, 1e3))
def test_invariance(drawn: tuple[int, int, int, int], scale: float) -> None:
    """Scaling W_U or rotating the residual stream changes no count."""
    n, k, d, seed = drawn
    rng = np.random.default_rng(seed)
    W_U, tokens = gaussian(rng, n, d), random_sets(rng, 5, n, k)
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    found = read_out(W_U, tokens)
    for other in (read_out(scale * W_U, tokens), read_out(rotation @ W_U, tokens)):
        well = found.condition < 1e5
        assert (found.false_positives[well] == other.false_positives[well]).all()
    assert (read_out(W_U, tokens[:, ::-1]).false_positives == found.false_positives).all()


def test_dependent_members_are_failures() -> None:
    """Logits 1, 1 and their sum cannot all be 1; three equal columns can; d < k cannot."""
    W_U = np.array([[1.0, 0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0, 0.0]])
    found = read_out(W_U, np.array([[0, 1, 2], [0, 3, 4], [0, 1, 3]]))
    assert found.reproduced.tolist() == [False, True, True]
    # h = (1, 0) puts token 2 at 1; h = (1, 1) puts it at 2, and token 4 at 1
    assert found.false_positives.tolist()[1:] == [1, 2]
    assert found.failed.all()
    assert np.isinf(found.condition).all()
    generic = gaussian(np.random.default_rng(0), 9, 3)
    assert not of_random_sets(np.random.default_rng(1), generic, 5, 20).reproduced.any()


def test_copies_and_zeros() -> None:
    """A non-member whose column is a member's is a false positive; a zero column never is."""
    W_U = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    found = read_out(W_U, np.array([[0, 3], [1, 3], [0, 1]]))
    assert found.false_positives.tolist() == [1, 1, 0]
    assert found.reproduced.all()
    assert not read_out(W_U, np.array([[2, 3]])).reproduced.any()


def test_the_constructions_readout() -> None:
    """W_U of the clamp network in float32, against NumPy's pinv."""
    rng = np.random.default_rng(2)
    hashes = random_hashes(rng, 200, 40, 6)
    network = constructions.clamp(hashes, 3.0, dtype=np.float32)
    tokens = random_sets(rng, 300, 200, 4)
    found = read_out(network.W_U, tokens)
    for place in range(0, 300, 10):
        h = np.linalg.pinv(network.W_U.T[tokens[place]].astype(float)).sum(axis=1)
        logits = h @ network.W_U.astype(float)
        reached = np.delete(logits, tokens[place]) >= 1 - 1e-9
        assert found.false_positives[place] == np.count_nonzero(reached)
    assert found.reproduced.mean() > 0.99


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    W_U, tokens = gaussian(rng, 60, 12), random_sets(rng, 50, 60, 3)
    whole = read_out(W_U, tokens)
    monkeypatch.setattr(pseudo_inverse, "_BLOCK_BYTES", 8 * 7 * (60 + 3 * 3 * 12))
    blocks = read_out(W_U, tokens)
    assert (whole.false_positives == blocks.false_positives).all()
    assert np.allclose(whole.squared_norm, blocks.squared_norm, rtol=1e-12)


@pytest.mark.parametrize("size", [(100, 2, 12), (200, 5, 40), (60, 8, 8), (150, 1, 9)], ids=str)
def test_counts(size: tuple[int, int, int]) -> None:
    """P_fail clustered over 300 random W_U of 10 inputs, and E#FP where counts are not skewed."""
    n, k, d = size
    rng = np.random.default_rng(4)
    readouts = [of_random_sets(rng, gaussian(rng, n, d), k, 10) for _ in range(300)]
    failures = np.array([np.count_nonzero(each.failed) for each in readouts])
    measured = intervals.clustered_proportion(failures, 10, CONFIDENCE)
    assert measured.contains(failure_probability(*size))
    if k >= 5:
        hits = np.array([each.false_positives.mean() for each in readouts])
        assert intervals.mean(hits, CONFIDENCE).contains(expected_false_positives(*size))


def test_norms() -> None:
    """k/|h|^2 of random rows is chi-square with d - k + 1 degrees of freedom: mean and variance."""
    k, d = 4, 13
    rows = np.random.default_rng(5).standard_normal((20_000, k, d))
    square = k * inverse_norms(rows) ** 2
    nu = d - k + 1
    assert intervals.mean(square, CONFIDENCE).contains(nu)
    assert intervals.mean((square - nu) ** 2, CONFIDENCE).contains(2 * nu)
    h, condition, deviation = shortest_residual(rows[:50])
    assert np.allclose(np.einsum("sd,sd->s", h, h) ** -0.5, inverse_norms(rows[:50]), rtol=1e-9)
    assert np.allclose(condition, [np.linalg.cond(each) for each in rows[:50]], rtol=1e-9)
    assert deviation.max() < 1e-11


@pytest.mark.parametrize("k", [1, 2, 8])
@pytest.mark.parametrize("epsilon", [1e-2, 1e-6, 1e-12])
def test_tilted(k: int, epsilon: float) -> None:
    """P_fail far below what counting reaches, to 2 %."""
    n = 1000
    d = smallest_width(n, k, epsilon)
    values = tilted_failure(np.random.default_rng(6), n, k, d, 4000)
    measured = intervals.mean(values, CONFIDENCE)
    assert measured.contains(failure_probability(n, k, d))
    assert measured.standard_error < 0.02 * measured.value


def test_condition_number_law() -> None:
    """The mean over random rows approaches it at fixed k/d: to 2 % at k = 100, d = 400."""
    rng = np.random.default_rng(7)

    def error(k: int, d: int, draws: int) -> float:
        mean = np.mean([np.linalg.cond(rng.standard_normal((k, d))) for _ in range(draws)])
        return abs(mean / condition_number(k, d) - 1)

    assert error(100, 400, 10) < 0.02 < error(10, 40, 400)


@pytest.fixture(scope="module")
def found() -> list[Measured]:
    return results(panel.PANEL, 2)


def test_panel_passes_and_catches_faults(found: list[Measured], monkeypatch) -> None:
    """One degree of freedom too few or too many, 80 tokens too many, E#FP doubled."""
    assert failed(panel.PANEL, found) == []
    assert {point.kind for point in panel.table(found)} == {Kind.EXACT, Kind.DIRECT, Kind.TILTED}
    for fault in (
        lambda n, k, d: failure_probability(n, k, d - 1),
        lambda n, k, d: failure_probability(n, k, d + 1),
        lambda n, k, d: failure_probability(n + 80, k, d),
    ):
        monkeypatch.setattr(panel, "failure_probability", fault)
        assert failed(panel.PANEL, found)
    monkeypatch.undo()
    monkeypatch.setattr(
        panel, "expected_false_positives", lambda *size: 2 * expected_false_positives(*size)
    )
    assert failed(panel.PANEL, found)


def test_bad_input_is_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DomainError, match="W_U must be finite"):
        read_out(np.full((3, 5), np.nan), np.array([[0, 1]]))
    with pytest.raises(DomainError, match=r"tokens must be in 0\.\.4"):
        read_out(np.ones((3, 5)), np.array([[0, 5]]))
    with pytest.raises(DomainError, match="d must be at least 4"):
        tilted_failure(rng, 9, 4, 3, 10)
    with pytest.raises(DomainError, match="draws must be at least 1"):
        tilted_failure(rng, 9, 4, 5, 0)
    with pytest.raises(DomainError, match="k must be"):
        of_random_sets(rng, np.ones((3, 5)), 6, 2)
