"""The recipe that follows from the sizes: in range everywhere, and the same from every command."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.domain import DomainError
from train.run import named_preset
from train.sweep import Grid
from train.training.presets import SCALED, preset_named
from train.training.recipe import Recipe, Start
from train.training.scaled import SCALES, off_by, scaled_recipe


@given(
    st.integers(2, 60_000),
    st.integers(1, 64),
    st.integers(1, 1024),
    st.integers(0, 99),
    st.sampled_from(["clamp", "gaussian"]),
)
def test_any_sizes_have_a_recipe(n: int, k: int, d: int, seed: int, start: Start) -> None:
    """In range; and above k = 8 no rate is higher than it, as nothing was trained there."""
    k = min(k, n - 1)
    recipe = scaled_recipe(n, k, d, seed, start)
    assert 1 <= recipe.evenness_interval <= 2
    assert recipe.embedding_rate <= 0.25 * 2**0.5
    assert recipe.final_rate_factor <= 2**1.3
    if not recipe.tied_share:
        assert recipe.evenness_interval == recipe.final_rate_factor == 1
    assert (recipe.n, recipe.k, recipe.d, recipe.hidden, recipe.seed) == (n, k, d, d, seed)
    assert recipe.start == start
    assert recipe.tokens_at(0) <= n


def test_the_commands_use_the_rules() -> None:
    """A run, a sweep and the function: one recipe for the same sizes; other flags come on top."""
    sizes = ["--preset", "scaled", "--n", "1024", "--k", "4", "--d=96", "--start", "gaussian"]
    ruled = scaled_recipe(1024, 4, 96, start="gaussian")
    assert named_preset([*sizes, "--steps", "7"]) == (SCALED, ruled)
    assert preset_named(SCALED, {"n": 1024, "k": 4, "d": 96, "start": "gaussian"}) == ruled
    grid = Grid(n=(1024,), k=(4,), d=(96, 112), start=("gaussian",), steps=(7,))
    recipes = grid.recipes(lambda fields: preset_named(SCALED, fields))
    assert recipes["d=96"] == replace(ruled, steps=7)
    assert recipes["d=112"] == replace(scaled_recipe(1024, 4, 112, start="gaussian"), steps=7)
    assert preset_named(SCALED) == scaled_recipe(Recipe.n, Recipe.k, Recipe.d)


def test_a_size_that_is_no_number_is_left_to_the_parser() -> None:
    assert named_preset(["--preset", "scaled", "--n", "many"]) == (SCALED, preset_named(SCALED))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [((8, 9, 4), "k must be at least 1 and at most n = 8"), ((8, 2, 0), "d must be")],
)
def test_sizes_out_of_range_are_refused(sizes: tuple[int, int, int], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        scaled_recipe(*sizes)


def test_one_rate_at_a_time_is_off() -> None:
    recipe = scaled_recipe(1024, 4, 96)
    variants = off_by(recipe, 2.0)
    assert set(variants) == {(name, times) for name in SCALES for times in (0.5, 2.0)}
    for (name, times), variant in variants.items():
        assert getattr(variant, name) == times * getattr(recipe, name)
        if name == "readout_rate":
            final = recipe.final_readout_learning_rate
            assert variant.final_readout_learning_rate == pytest.approx(times * final)
        assert replace(variant, **{name: getattr(recipe, name)}) == recipe


def test_a_part_keeps_its_visits_and_rates_fall_with_width() -> None:
    """Every token is named four times a step on average; the rules bend the rates as they say."""
    for n, k in ((512, 3), (4096, 4), (4096, 8), (50_257, 16)):
        narrow, wide = (scaled_recipe(n, k, d) for d in (96, 192))
        assert narrow.batch * k / narrow.tokens_at(0) == pytest.approx(4, rel=0.01)
        assert wide.readout_learning_rate == pytest.approx(narrow.readout_learning_rate / 4)
        power = 1.0 if narrow.tied_share else 1.45
        assert wide.learning_rate == pytest.approx(narrow.learning_rate / 2**power)
        assert (wide.steps, wide.batch) == (narrow.steps, narrow.batch)
        noise = scaled_recipe(n, k, 96, start="gaussian")
        assert noise.learning_rate == pytest.approx(0.65 * narrow.learning_rate)
        parts = n / narrow.tokens_at(0)
        assert narrow.final_readout_factor == pytest.approx(parts**0.5)
        assert narrow.tokens_at(0) <= narrow.tokens_at(narrow.steps - 1) <= n


def test_many_parts_tie_the_readout_until_the_middle_of_the_last_steps() -> None:
    """Up to 8 parts at k = 4, and where all tokens are in every step, W_U learns by itself; above,
    the tie falls with k, and rates rise up to k = 8."""
    for n, k in ((512, 3), (1024, 4), (4096, 4), (2048, 8), (512, 40), (64, 33)):
        assert scaled_recipe(n, k, 128).tied_share == 0.0
    for n, k in ((4096, 8), (16_384, 4), (50_257, 16), (50_257, 64)):
        recipe = scaled_recipe(n, k, 128)
        assert recipe.tied_share == pytest.approx(1.0 - recipe.final_share / 2)
        fitted = min(k / 4, 2)
        beyond = k / 4 / fitted
        assert recipe.tie == pytest.approx(0.3 * fitted**-1.8 * beyond**-0.5)
        assert recipe.embedding_rate == pytest.approx(0.25 * fitted**0.5)
        assert recipe.evenness_interval == fitted
        assert recipe.final_batch == 2 * fitted * recipe.batch
        assert recipe.final_rate_factor == pytest.approx(fitted**1.3)
        parts = n / recipe.tokens_at(0)
        assert recipe.learning_rate == pytest.approx(0.0111 * (3 / k) * (64 / 128) * parts**-0.1)
        visits = recipe.steps * recipe.batch * k / n
        assert visits == pytest.approx(3000 * fitted**0.75 * beyond**1.5, rel=0.01)
        assert recipe.final_step < recipe.tied_share * recipe.steps < recipe.steps
        assert recipe.tied_by(recipe.final_step) is not None
        assert recipe.tied_by(recipe.steps - 1) is None
