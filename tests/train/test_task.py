"""The task's inputs: distinct uniform tokens, alpha and the wanted distribution, at fixed seeds.

False-alarm budget of this file: six tests at 1e-6 each.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import softmax

torch = pytest.importorskip("torch")

from theory.domain import DomainError  # noqa: E402
from train.training.recipe import Task  # noqa: E402
from train.training.task import distinct_tokens, draw  # noqa: E402

LEVEL = 1e-6
DRAWS = 60_000


def seeded(seed: int = 1):
    return torch.Generator().manual_seed(seed)


def p_value(subsets: np.ndarray, n: int, k: int) -> float:
    """Chi-square test that all C(n, k) subsets are equally frequent."""
    place = {subset: i for i, subset in enumerate(combinations(range(n), k))}
    counts = np.zeros(comb(n, k))
    for subset in map(tuple, np.sort(subsets, axis=1).tolist()):
        counts[place[subset]] += 1
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize(("n", "k"), [(6, 3), (9, 2), (5, 4)])
def test_sets_are_uniform(n: int, k: int) -> None:
    assert p_value(distinct_tokens(DRAWS, n, k, seeded()).numpy(), n, k) > LEVEL


def test_a_biased_sampler_is_caught() -> None:
    """A repeated token moved to the next free one, as a careless sampler would."""
    drawn = torch.randint(0, 6, (DRAWS, 2), generator=seeded()).numpy()
    repeated = drawn[:, 0] == drawn[:, 1]
    drawn[repeated, 1] = (drawn[repeated, 1] + 1) % 6
    assert p_value(drawn, 6, 2) < LEVEL


@given(st.integers(1, 40), st.data())
def test_tokens_are_distinct_and_in_range(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    tokens = draw(Task(n, k), 50, seeded(n)).tokens.numpy()
    assert tokens.shape == (50, k)
    assert tokens.min() >= 0
    assert tokens.max() < n
    assert all(len(set(row)) == k for row in tokens.tolist())


def test_coefficients() -> None:
    alpha = draw(Task(9, 3, c=3.0), DRAWS, seeded()).alpha.double().numpy()
    assert alpha.min() >= 1.0
    assert alpha.max() <= 3.0
    assert stats.kstest((alpha.ravel() - 1.0) / 2.0, "uniform").pvalue > LEVEL
    assert (draw(Task(9, 3, c=1.0), 10, seeded()).alpha == 1.0).all()


def test_the_uniform_target() -> None:
    batch = draw(Task(9, 4), 10, seeded())
    assert batch.target_logits is None
    assert (batch.target() == 0.25).all()


def test_the_harder_targets() -> None:
    """Centred normal logits: each is N(0, s^2 (1 - 1/k)); the target is their softmax."""
    batch = draw(Task(9, 3, target_scale=2.0), DRAWS, seeded())
    logits = batch.target_logits.double().numpy()
    np.testing.assert_allclose(logits.sum(axis=1), 0.0, atol=1e-5)
    for j in range(3):
        assert stats.kstest(logits[:, j] / (2.0 * np.sqrt(2.0 / 3.0)), "norm").pvalue > LEVEL
    np.testing.assert_allclose(batch.target().numpy(), softmax(logits, axis=1), rtol=1e-5)


def test_a_seed_fixes_every_draw() -> None:
    task = Task(50, 4, target_scale=1.0)
    first, second, other = (draw(task, 9, seeded(seed)) for seed in (7, 7, 8))
    for name in ("tokens", "alpha", "target_logits"):
        assert torch.equal(getattr(first, name), getattr(second, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Task(3, 4), "k"),
        (lambda: Task(3, 0), "k"),
        (lambda: Task(3, 2, c=0.5), "c"),
        (lambda: Task(3, 2, c=float("nan")), "c"),
        (lambda: Task(3, 2, target_scale=-1.0), "target_scale"),
        (lambda: draw(Task(3, 2), 0, seeded()), "inputs"),
    ],
)
def test_bad_sizes_are_named(make, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name} must be"):
        make()
