"""Even hashes: what moves, which way and how far; and what it does to a training.

The last test compares two trainings of one seed, which are the same on every run.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.panels.trained_failure_against_width import masks_of
from train.training.evenness import MOST_BITS, even_out
from train.training.fit import fit
from train.training.scaled import scaled_recipe

STEP = 0.01


def masks(seed: int, n: int, d: int) -> np.ndarray:
    """Random hashes, each column with both levels."""
    hashes = np.random.default_rng(seed).random((n, d)) < 0.3
    hashes[0], hashes[1] = True, False
    return hashes


def moved(table: np.ndarray, step: float = STEP) -> np.ndarray:
    """By how much each entry moves."""
    W_E = torch.from_numpy(table.copy())
    even_out(W_E, step)
    return W_E.numpy() - table


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(1, 20))
def test_decided_hashes_stay(seed: int, n: int, d: int) -> None:
    """Entries at their columns' two levels do not move, however uneven the hashes are."""
    rng = np.random.default_rng(seed)
    low, height = rng.normal(size=d), rng.uniform(0.5, 2.0, d)
    assert np.abs(moved(low + height * masks(seed, n, d))).max() < 1e-12


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(2, 20))
def test_undecided_entries_move_towards_even_bits(seed: int, n: int, d: int) -> None:
    """One entry between the levels moves up where its token lacks bits, as far as the rule says."""
    table = masks(seed, n, d).astype(float)
    rng = np.random.default_rng(seed)
    row, column = int(rng.integers(2, n)), int(rng.integers(d))
    rest = np.delete(table[:, column], row)
    high, low = 1.0, 0.0
    table[row, column] = 0.25
    if table[:, column].mean() < 0.25:
        high = (rest.sum() + 0.25) / (rest.sum() + 1)
    else:
        low = 0.25 / (n - rest.sum())
    z = (0.25 - (high + low) / 2) / ((high - low) / 2)
    bits = (table > np.where(np.arange(d) == column, (high + low) / 2, 0.5)).sum(1)
    lacking = float(np.clip(bits.mean() - bits[row], -MOST_BITS, MOST_BITS))
    assert moved(table)[row, column] == pytest.approx(STEP * lacking * (1 - z * z), abs=1e-12)
    others = np.ones_like(table, bool)
    others[:, column] = False
    assert np.abs(moved(table)[others]).max() < 1e-12


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 12))
def test_neither_order_nor_offsets_matter(seed: int, n: int, d: int) -> None:
    """Tokens and dimensions move in any order alike; a column's shift changes nothing."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, d))
    rows, columns = rng.permutation(n), rng.permutation(d)
    np.testing.assert_allclose(moved(table[rows][:, columns]), moved(table)[rows][:, columns])
    np.testing.assert_allclose(moved(table + rng.normal(size=d)), moved(table), atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 2.0, -3.5])
def test_a_column_of_one_value_is_left_alone(value: float) -> None:
    """However uneven the bits of the other columns are."""
    table = np.tril(np.ones((6, 5)))
    table[:, 2] = value
    table[3, 4] = 0.6
    changes = moved(table)
    assert not changes[:, 2].any()
    assert changes[3, 4] != 0.0


def test_trained_hashes_are_more_even() -> None:
    """With it the learned numbers of bits differ less than without it."""
    recipe = replace(scaled_recipe(128, 3, 64), steps=600)
    assert recipe.evenness > 0

    def spread(evenness: float) -> float:
        hashes = masks_of(fit(replace(recipe, evenness=evenness)))
        assert hashes is not None
        return float(np.asarray(hashes).sum(1).std())

    assert spread(recipe.evenness) < spread(0.0)
