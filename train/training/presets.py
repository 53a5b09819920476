"""Recipes by name: the networks of the reports, and their controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from theory.domain import DomainError
from train.training.recipe import Recipe
from train.training.scaled import scaled_recipe

# W_E takes larger steps, as its entries are larger than the others'; its scale against them, not
# its decay, sets how dense the hashes become
_SOURCE = Recipe(
    embedding_scale=4.0,
    learning_rate=0.015,
    embedding_rate=0.06,
    embedding_decay=0.0,
    cooling=2.0,
    steps=12_000,
)
_BEST = replace(
    _SOURCE,
    start="clamp",
    embedding_scale=8.0,
    learning_rate=0.014,
    embedding_rate=0.1,
    weight_decay=0.0,
    cooling=3.0,
    steps=30_000,
)

PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        # the post's sizes, from a random start
        "source": _SOURCE,
        # soon at a total variation below 0.05
        "fast": replace(
            _SOURCE,
            start="clamp",
            embedding_scale=8.0,
            learning_rate=0.02,
            embedding_rate=0.16,
            cooling=1.0,
            steps=3_000,
        ),
        # fewer failures than the best random hashes
        "best": _BEST,
        "wide": replace(
            _BEST,
            n=1024,
            d=96,
            k=4,
            learning_rate=0.008,
            embedding_rate=0.064,
            steps=32_000,
        ),
        # the other mechanism, which a small W_E leads to
        "complement": Recipe(embedding_scale=1 / 8, steps=16_000),
        # any wanted distribution over the k tokens
        "harder": replace(
            _SOURCE,
            d=96,
            target_scale=1.0,
            learning_rate=0.008,
            embedding_rate=0.032,
            steps=20_000,
        ),
        # controls
        "exact_start": replace(_SOURCE, start="exact"),
        "no_layer": replace(_SOURCE, layer=False),
        "frozen_embedding": replace(_SOURCE, frozen=("W_E",)),
        "shuffled": replace(_SOURCE, shuffled_targets=True, steps=2_000),
    }
)


# the preset that is a rule: its recipe follows from n, k and d
SCALED = "scaled"
NAMES = (*PRESETS, SCALED)
# the fields that the rule starts from
_SIZES = ("n", "k", "d", "seed", "start")


def preset_named(name: str, fields: Mapping[str, Any] = MappingProxyType({})) -> Recipe:
    """The recipe of that name with these fields in place of its own.

    Raises DomainError for a name that is not known, and as Recipe does.
    """
    if name == SCALED:
        source = {size: getattr(Recipe(), size) for size in ("n", "k", "d")}
        sizes = {size: value for size, value in fields.items() if size in _SIZES}
        return replace(scaled_recipe(**source | sizes), **fields)
    if name not in PRESETS:
        raise DomainError(f"preset must be among {', '.join(NAMES)}; got {name}")
    return replace(PRESETS[name], **fields)
