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
from train.training.recipe import Recipe
from train.training.scaled import scaled_recipe


@given(st.integers(2, 60_000), st.integers(1, 64), st.integers(1, 1024), st.integers(0, 99))
def test_any_sizes_have_a_recipe(n: int, k: int, d: int, seed: int) -> None:
    k = min(k, n)
    recipe = scaled_recipe(n, k, d, seed=seed)
    assert (recipe.n, recipe.k, recipe.d, recipe.hidden, recipe.seed) == (n, k, d, d, seed)
    assert recipe.start == "clamp"
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
