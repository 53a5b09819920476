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

from train.analysis.outcomes import hashes_of
from train.panels.trained_failure_against_width import masks_of
from train.training.evenness import MOST_BITS, SETTLING, even_out
from train.training.fit import fit
from train.training.scaled import scaled_recipe

STEP = 0.01
# between the levels 0 and 1, and the mean of no column
UNDECIDED = 0.2618


def masks(seed: int, n: int, d: int) -> np.ndarray:
    """Random hashes, each column with both levels."""
    hashes = np.random.default_rng(seed).random((n, d)) < 0.3
    hashes[0], hashes[1] = True, False
    return hashes


def moved(table: np.ndarray, W_in: np.ndarray | None = None, settling: bool = False) -> np.ndarray:
    """By how much each entry of W_E moves; without W_in the layer reads W_E itself."""
    W_E, read_by = (
        torch.tensor(table),
        np.eye(table.shape[1], dtype=table.dtype) if W_in is None else W_in,
    )
    even_out(W_E, torch.tensor(read_by), STEP, settling)
    return W_E.numpy() - table


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(1, 20), st.booleans())
def test_decided_hashes_stay(seed: int, n: int, d: int, settling: bool) -> None:
    """Entries at their columns' two levels do not move, however uneven the hashes are."""
    rng = np.random.default_rng(seed)
    low, height = rng.normal(size=d), rng.uniform(0.5, 2.0, d)
    table = low + height * masks(seed, n, d)
    assert np.abs(moved(table, settling=settling)).max() < 1e-12


@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 40),
    st.integers(2, 20),
    st.sampled_from([1.0, -1.0]),
    st.booleans(),
)
def test_undecided_entries_move_towards_even_bits(
    seed: int, n: int, d: int, raised: float, settling: bool
) -> None:
    """One entry between the levels moves to its token's need of bits, as far as the rule says.

    raised: whether owners are above the others, as a clamp unit's are, or below them.
    """
    table = masks(seed, n, d).astype(float)
    rng = np.random.default_rng(seed)
    row, column = int(rng.integers(2, n)), int(rng.integers(d))
    rest = np.delete(table[:, column], row)
    table[row, column] = UNDECIDED
    mean = table[:, column].mean()
    ones = rest.sum()
    high, low = (
        (1.0, UNDECIDED / (n - ones))
        if mean >= UNDECIDED
        else ((ones + UNDECIDED) / (ones + 1), 0.0)
    )
    middle, half = (high + low) / 2, (high - low) / 2
    z = (UNDECIDED - middle) / half
    side = 1 - 2 * (table > table.mean(0)).mean(0)
    middles = np.where(np.arange(d) == column, middle, 0.5)
    owned = (table - middles) * side > 0
    bits = owned.sum(1)
    lacking = float(np.clip(bits.mean() - bits[row], -MOST_BITS, MOST_BITS))
    found = raised * moved(raised * table, settling=settling)
    lacking = round(lacking) if settling else lacking
    towards = lacking * side[column] + (SETTLING * z if settling else 0.0)
    assert found[row, column] == pytest.approx(STEP * towards * (1 - z * z), abs=1e-12)
    others = np.ones_like(table, bool)
    others[:, column] = False
    assert np.abs(found[others]).max() < 1e-12


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 12))
def test_neither_order_nor_offsets_matter(seed: int, n: int, d: int) -> None:
    """Tokens and dimensions move in any order alike; a column's shift changes nothing."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, d))
    rows, columns = rng.permutation(n), rng.permutation(d)
    np.testing.assert_allclose(
        moved(table[rows][:, columns]), moved(table)[rows][:, columns], atol=1e-12
    )
    np.testing.assert_allclose(moved(table + rng.normal(size=d)), moved(table), atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 12))
def test_a_rotation_of_the_stream_changes_nothing(seed: int, n: int, d: int) -> None:
    """Bits are counted as the layer reads them, whatever the axes of the stream are."""
    rng = np.random.default_rng(seed)
    table, W_in = rng.normal(size=(n, d)), rng.normal(size=(d, 2 * d))
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    turned = moved(table @ rotation, W_in=rotation.T @ W_in)
    np.testing.assert_allclose(turned, moved(table, W_in=W_in) @ rotation, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 12), st.booleans())
def test_the_embeddings_follow_what_the_layer_reads(
    seed: int, n: int, d: int, settling: bool
) -> None:
    """W_E moves by the push on W_E W_in times W_in^T, its gradient."""
    rng = np.random.default_rng(seed)
    table, W_in = rng.normal(size=(n, d)), rng.normal(size=(d, 2 * d))
    pushed = moved(table @ W_in, settling=settling)
    np.testing.assert_allclose(moved(table, W_in, settling), pushed @ W_in.T, atol=1e-9)


def test_undecided_entries_settle_on_the_nearer_side() -> None:
    """Of tokens with even numbers of bits; without it they stay where they are."""
    table = np.tile(np.eye(4), (5, 1))
    table[3, 3], table[4, 1] = 0.6, 0.4
    changes = moved(table, settling=True)
    assert changes[3, 3] > 0.0
    assert changes[4, 1] < 0.0
    assert np.abs(moved(table)).max() < np.abs(changes).max() / 2


@pytest.mark.parametrize("settling", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 2.0, -3.5, 0.07, -8.99, 5.43])
@pytest.mark.parametrize("n", [7, 24, 511])
def test_a_column_of_one_value_is_left_alone(
    n: int, value: float, kind: type, settling: bool
) -> None:
    """However uneven the bits of the other columns are, and where its mean has to be rounded."""
    table = (np.arange(n)[:, None] < np.array([1, 2, 1, 2, 3])).astype(kind)
    table[:, 2] = value
    table[6, 4] = 0.6
    changes = moved(table, settling=settling)
    assert not changes[:, 2].any()
    assert changes[6, 4] != 0.0


def pushed(read: np.ndarray, settling: bool) -> np.ndarray:
    """The push on what the layer reads as its definition says, entry by entry."""
    push = np.zeros_like(read)
    n, h = read.shape
    z, side = np.zeros_like(read), np.zeros(h)
    for j in range(h):
        above = read[:, j] > read[:, j].mean()
        high, low = read[above, j].mean(), read[~above, j].mean()
        z[:, j] = np.clip((read[:, j] - (high + low) / 2) / ((high - low) / 2), -1, 1)
        side[j] = 1 - 2 * above.mean()
    bits = (z * side > 0).sum(1)
    for i in range(n):
        lacking = np.clip(bits.mean() - bits[i], -MOST_BITS, MOST_BITS)
        for j in range(h):
            towards = (
                round(lacking) * side[j] + SETTLING * z[i, j] if settling else lacking * side[j]
            )
            push[i, j] = STEP * towards * (1 - z[i, j] ** 2)
    return push


@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 30),
    st.integers(1, 12),
    st.booleans(),
    st.booleans(),
)
def test_every_entry_is_pushed_as_defined(
    seed: int, n: int, d: int, settling: bool, hashed: bool
) -> None:
    """Of Gaussian tables, and of noisy hashes."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, d)) + (5.0 * masks(seed, n, d) if hashed else 0.0)
    np.testing.assert_allclose(moved(table, settling=settling), pushed(table, settling), atol=1e-12)


def test_trained_hashes_are_more_even() -> None:
    """With it the learned numbers of bits differ less than without it."""
    recipe = replace(scaled_recipe(128, 3, 64), steps=600)
    assert recipe.evenness > 0

    def spread(evenness: float) -> float:
        found = masks_of(fit(replace(recipe, evenness=evenness)))
        assert found is not None
        return float(hashes_of(found).sum(1).std())

    assert spread(recipe.evenness) < spread(0.0)
