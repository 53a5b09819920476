"""Steps on a part of the vocabulary: only S of the n tokens, their rows and their moments move.

Every pass takes the tokens in a fresh random order, S at a step; the inputs of a step are drawn
from its S tokens, and the softmax is over them with each non-member counted (n - k)/(S - k) times.
The sum Z in the softmax is then unbiased; its logarithm, and so the loss, is a little too small. A
step costs S/n of a step on all tokens, and no row is moved without a gradient of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.optim.adamw import adamw

from train.training.model import ToyNetwork
from train.training.recipe import Recipe
from train.training.task import Tokens

_STREAM = 4
_MOMENTS = ("exp_avg", "exp_avg_sq")
Table = Float[Tensor, "n d"]


@dataclass
class _Rows:
    """One parameter, with a row for every token in tables of its own; the part has some of them."""

    whole: nn.Parameter
    part: nn.Parameter
    transposed: bool
    tables: list[Table]
    """The weights and both moments."""
    taken: list[Float[Tensor, "size d"]]
    """Their rows for the tokens of the part."""

    def rows(self, matrix: Tensor) -> Tensor:
        """A parameter's matrix, or its gradient, with a row for every token."""
        return matrix.T if self.transposed else matrix


class SubVocabulary:
    """The part of a model that a step on some of the tokens sees, and the optimiser for it.

    `model` is the part, `tokens` which tokens it has. Rows are moved in tables of its own, in which
    a token's numbers lie together; `close` writes them into the whole model and its optimiser.
    """

    def __init__(
        self, recipe: Recipe, size: int, model: ToyNetwork, optimiser: torch.optim.AdamW
    ) -> None:
        self._recipe, self._optimiser, self.size = recipe, optimiser, size
        self.others_weight = (recipe.n - recipe.k) / max(size - recipe.k, 1)
        self._blocks = recipe.n // size
        self._device = model.W_E.device
        self._order: tuple[int, Tensor] | None = None
        self._block: int | None = None
        self.tokens: Int[Tensor, " size"] = torch.arange(size, device=self._device)
        self.model = ToyNetwork(size, recipe.d, recipe.hidden, model.V is not None, model.tied_by)
        self.model.to(self._device)
        self.model.W_in, self.model.b_in, self.model.W_out = model.W_in, model.b_in, model.W_out
        self.model.log_scale = model.log_scale
        self._groups = {id(w): group for group in optimiser.param_groups for w in group["params"]}
        self._all = []
        for name in ("W_E", "W_U", "V"):
            whole, part = getattr(model, name), getattr(self.model, name)
            if whole is not None and part is not None:
                part.requires_grad_(whole.requires_grad)
                self._all.append(self._rows(whole, part, name == "W_U"))

    @torch.no_grad()
    def _rows(self, whole: nn.Parameter, part: nn.Parameter, transposed: bool) -> _Rows:
        each = _Rows(whole, part, transposed, [], [])
        kept = self._optimiser.state.get(whole, {})
        tables = [whole.detach()]
        if whole.requires_grad:
            tables += [kept.get(name, torch.zeros_like(whole)) for name in _MOMENTS]
        each.tables = [each.rows(table).contiguous().clone() for table in tables]
        each.taken = [table[self.tokens] for table in each.tables]
        part.data = each.rows(each.taken[0])
        return each

    def take(self, step: int) -> None:
        """Be the part for that step, 0-based: a random part of the tokens, none twice in a pass.

        The order depends on the recipe's seed and the step alone.
        """
        place = step // self._recipe.steps_a_part
        if place == self._block:
            return
        number, block = divmod(place, self._blocks)
        if self._order is None or self._order[0] != number:
            seed = np.random.SeedSequence(self._recipe.seed, spawn_key=(_STREAM, number))
            order = np.random.default_rng(seed).permutation(self._recipe.n)
            self._order = number, torch.from_numpy(order).to(self._device)
        self.take_tokens(self._order[1][block * self.size : (block + 1) * self.size])
        self._block = place

    @torch.no_grad()
    def take_tokens(self, tokens: Int[Tensor, " size"]) -> None:
        """Be the part of these tokens, in their order."""
        self._return()
        self.tokens = tokens
        for each in self._all:
            for table, taken in zip(each.tables, each.taken, strict=True):
                torch.index_select(table, 0, tokens, out=taken)

    @torch.no_grad()
    def _return(self) -> None:
        for each in self._all:
            for table, taken in zip(each.tables, each.taken, strict=True):
                table.index_copy_(0, self.tokens, taken)

    def in_whole(
        self, holds: Callable[[Tokens], Bool[Tensor, " inputs"]]
    ) -> Callable[[Tokens], Bool[Tensor, " inputs"]]:
        """The same question about sets of the whole vocabulary, asked in places of the part."""
        return lambda places: holds(self.tokens[places])

    @torch.no_grad()
    def move(self) -> None:
        """Move the tokens' rows by the gradients of the part, as AdamW would, with their moments.

        The count in its correction of the moments is about that of a row's own steps: exactly, if
        the parameter learned from the first step of a pass.
        """
        for each in self._all:
            if each.part.grad is None:
                continue
            group, state = self._groups[id(each.whole)], self._optimiser.state[each.whole]
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=self._device)
            weight, first, second = each.taken
            adamw(
                [weight],
                [each.rows(each.part.grad).contiguous()],
                [first],
                [second],
                [],
                [self._steps_of_a_row(state["step"])],
                fused=True,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
            state["step"] += 1
            each.part.grad = None

    def _steps_of_a_row(self, steps: Float[Tensor, ""]) -> Float[Tensor, ""]:
        together = self._recipe.steps_a_part
        passes = (steps / (together * self._blocks)).floor()
        return passes * together + steps % together

    @torch.no_grad()
    def close(self) -> None:
        """Write all rows into the whole model, and their moments into its optimiser."""
        self._return()
        for each in self._all:
            weight, *moments = (each.rows(table).contiguous() for table in each.tables)
            each.whole.copy_(weight)
            if state := self._optimiser.state.get(each.whole):
                state |= {name: each.clone() for name, each in zip(_MOMENTS, moments, strict=True)}
