"""Token sets that training never draws: what a network does on them it cannot have memorised."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from theory.domain import DomainError
from train.training.recipe import Recipe
from train.training.task import Tokens

_STREAM = 3


class HeldOut:
    """Each k-subset of the n tokens is held out by itself, with probability `share`.

    recipe: its n, k, held_out (the share) and seed decide which; independent of the inputs that
    are drawn. Needs one byte for each of the C(n, k) sets, on the device. Raises DomainError where
    that leaves no set to train on.
    """

    def __init__(self, recipe: Recipe, device: torch.device | str = "cpu") -> None:
        n, k = recipe.n, recipe.k
        sets = math.comb(n, k)
        rng = np.random.default_rng(np.random.SeedSequence(recipe.seed, spawn_key=(_STREAM,)))
        held = rng.random(sets, dtype=np.float32) < recipe.held_out
        if held.all():
            raise DomainError(f"held_out must leave a token set to train on; got {recipe.held_out}")
        self._held = torch.from_numpy(held).to(device)
        # a set's place in colexicographic order is the sum of C(c_j, j) over c_1 < ... < c_k
        table = [[min(math.comb(c, j), sets) for j in range(1, k + 1)] for c in range(n)]
        self._places = torch.tensor(table, device=device)

    def holds(self, tokens: Tokens) -> Bool[Tensor, " inputs"]:
        """Which inputs' sets are held out; tokens: distinct, in any order."""
        ascending = tokens.sort(dim=1).values
        each = self._places[ascending, torch.arange(tokens.shape[1], device=tokens.device)]
        return self._held[each.sum(dim=1)]
