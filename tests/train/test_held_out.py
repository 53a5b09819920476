"""Token sets that training never draws.

False-alarm budget of this file: three tests at 1e-6 each.
"""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

torch = pytest.importorskip("torch")

from simulate.enumeration import subsets  # noqa: E402
from theory.domain import DomainError  # noqa: E402
from train.training import checkpoint, fit  # noqa: E402
from train.training.held_out import HeldOut  # noqa: E402
from train.training.recipe import Execution, Recipe, Task  # noqa: E402
from train.training.task import draw  # noqa: E402

LEVEL = 1e-6
RECIPE = Recipe(n=12, d=6, k=3, batch=32, steps=30, held_out=0.4, seed=1)


def every_set(n: int, k: int):
    return torch.from_numpy(subsets(n, k, 0, comb(n, k)))


@given(st.integers(6, 14), st.data())
def test_a_set_is_held_out_whatever_its_order(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n - 1))
    held_out = HeldOut(Recipe(n=n, k=k, held_out=0.3, seed=data.draw(st.integers(0, 4))))
    tokens = every_set(n, k)
    held = held_out.holds(tokens)
    for order in ([*range(k)][::-1], data.draw(st.permutations(range(k)))):
        assert torch.equal(held_out.holds(tokens[:, order]), held)


def test_every_set_by_itself() -> None:
    """As many as the share says, and neither a token nor a pair is better off than another."""
    recipe = Recipe(n=24, k=4, held_out=0.2, seed=3)
    held = HeldOut(recipe).holds(every_set(24, 4)).numpy()
    assert stats.binomtest(int(held.sum()), len(held), 0.2).pvalue > LEVEL
    tokens = subsets(24, 4, 0, len(held))[held]
    pairs = np.zeros((24, 24))
    for i in range(4):
        for j in range(i):
            np.add.at(pairs, (tokens[:, j], tokens[:, i]), 1)
    counts = pairs[np.triu_indices(24, 1)]
    # each pair is in C(22, 2) sets; a set has 6 of them
    expected = 0.2 * comb(22, 2)
    assert abs(counts - expected).max() < 5.8 * np.sqrt(expected)


def test_seeds_hold_out_different_sets() -> None:
    held = [
        HeldOut(Recipe(n=20, k=3, held_out=0.5, seed=s)).holds(every_set(20, 3)) for s in (0, 1)
    ]
    assert 0.4 < (held[0] == held[1]).double().mean() < 0.6


def _drawn_places(tokens, allowed: np.ndarray) -> np.ndarray:
    """How often each allowed set was drawn; tokens of others are refused."""
    place = {tuple(each): i for i, each in enumerate(np.sort(allowed, axis=1).tolist())}
    counts = np.zeros(len(allowed))
    for each in np.sort(tokens.numpy(), axis=1).tolist():
        counts[place[tuple(each)]] += 1
    return counts


def test_what_is_left_is_drawn_uniformly() -> None:
    """And a sampler that puts the next allowed set in place of a held-out one is caught."""
    recipe = Recipe(n=8, k=3, held_out=0.5, seed=2)
    held_out, all_sets = HeldOut(recipe), every_set(8, 3)
    allowed = all_sets[~held_out.holds(all_sets)].numpy()
    generator = torch.Generator().manual_seed(0)
    tokens = draw(Task(8, 3), 40_000, generator, held_out.holds).tokens
    assert stats.chisquare(_drawn_places(tokens, allowed)).pvalue > LEVEL

    held = held_out.holds(all_sets).numpy()
    following = np.array(
        [next(j % 56 for j in range(i, i + 57) if not held[j % 56]) for i in range(56)]
    )
    careless = all_sets[torch.from_numpy(following[torch.randint(0, 56, (40_000,)).numpy()])]
    assert stats.chisquare(_drawn_places(careless, allowed)).pvalue < LEVEL


def test_training_never_draws_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run's own inputs; without holding out it draws them all."""
    seen: list = []

    def spy(*arguments):
        batch = draw(*arguments)
        seen.append(batch.tokens.clone())
        return batch

    monkeypatch.setattr(fit, "draw", spy)
    holds = HeldOut(RECIPE).holds
    fit.fit(RECIPE)
    assert len(seen) == RECIPE.steps
    assert not holds(torch.cat(seen)).any()
    seen.clear()
    fit.fit(Recipe(**vars(RECIPE) | {"held_out": 0.0}))
    assert holds(torch.cat(seen)).any()


def test_it_is_judged_on_all_sets() -> None:
    """The stream of fresh inputs is the same with and without held-out sets."""
    state, other = fit.begin(RECIPE), fit.begin(Recipe(**vars(RECIPE) | {"held_out": 0.0}))
    assert fit.judge(state, 256) == fit.judge(other, 256)


def test_a_resumed_run_holds_out_the_same(tmp_path) -> None:
    whole, stopped = fit.begin(RECIPE), fit.begin(RECIPE)
    fit.advance(whole, 30)
    fit.advance(stopped, 11)
    checkpoint.save(tmp_path / "state.safetensors", stopped, Execution())
    resumed = checkpoint.load(tmp_path / "state.safetensors", RECIPE, Execution())
    fit.advance(resumed, 19)
    for one, two in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_something_must_be_left() -> None:
    with pytest.raises(
        DomainError, match=r"^held_out must leave a token set to train on; got 0\.9$"
    ):
        fit.begin(Recipe(n=3, k=3, held_out=0.9, seed=1))
