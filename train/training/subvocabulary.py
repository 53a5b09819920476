"""Steps on a part of the vocabulary: only S of the n tokens, their rows and their moments move.

Every pass takes the tokens in a fresh random order, S at a step; the inputs of a step are drawn
from its S tokens, and the softmax is over them with each non-member counted (n - k)/(S - k) times.
The sum Z in the softmax is then unbiased; its logarithm, and so the loss, is a little too small. A
step costs S/n of a step on all tokens, and no row is moved without a gradient of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.optim.adamw import adamw

from train.training.model import ToyNetwork
from train.training.recipe import Recipe
from train.training.task import Tokens

_STREAM = 4
# the parameters with something for every token, and the axis it is on
_TOKEN_AXIS = {"W_E": 0, "W_U": 1, "V": 0}


class SubVocabulary:
    """The part of a model that a step on S tokens sees, and the optimiser for it.

    Its order of the tokens depends on the recipe's seed and the step alone; all state is in the
    model and in its optimiser, whose moments are those of all n tokens.
    """

    def __init__(self, recipe: Recipe, model: ToyNetwork, optimiser: torch.optim.AdamW) -> None:
        self._recipe, self._optimiser = recipe, optimiser
        self.size = recipe.tokens_a_step or recipe.n
        self._device = model.W_E.device
        self._order_of: tuple[int, Tensor] | None = None
        self._tokens = torch.arange(0, device=self._device)
        second = model.V is not None
        self.model = ToyNetwork(self.size, recipe.d, recipe.hidden, second, model.tie)
        self.model.to(self._device)
        self.model.W_in, self.model.b_in, self.model.W_out = model.W_in, model.b_in, model.W_out
        self._rows = []
        for name, axis in _TOKEN_AXIS.items():
            whole, part = getattr(model, name), getattr(self.model, name)
            if whole is not None:
                part.requires_grad_(whole.requires_grad)
                self._rows.append((axis, whole, part))
        self.others_weight = (recipe.n - recipe.k) / max(self.size - recipe.k, 1)

    def _tokens_of(self, step: int) -> Tensor:
        """The S tokens of that step, 0-based: a random part of the n, none twice in a pass."""
        blocks = self._recipe.n // self.size
        number, block = divmod(step, blocks)
        if self._order_of is None or self._order_of[0] != number:
            seed = np.random.SeedSequence(self._recipe.seed, spawn_key=(_STREAM, number))
            order = np.random.default_rng(seed).permutation(self._recipe.n)
            self._order_of = number, torch.from_numpy(order).to(self._device)
        return self._order_of[1][block * self.size : (block + 1) * self.size]

    def take(self, step: int) -> None:
        """Copy what the whole model has for the tokens of that step."""
        self._tokens = self._tokens_of(step)
        for axis, whole, part in self._rows:
            torch.index_select(whole.data, axis, self._tokens, out=part.data)

    def in_whole(self, holds: Callable[[Tokens], Tensor]) -> Callable[[Tokens], Tensor]:
        """The same question about sets of the whole vocabulary, asked in places of the part."""
        return lambda places: holds(self._tokens[places])

    @torch.no_grad()
    def put_back(self) -> None:
        """Move the tokens' rows by the gradients of the part, as AdamW would, with their moments.

        The count in its correction of the moments is that of the passes, as one pass visits a row
        once.
        """
        groups = {id(w): group for group in self._optimiser.param_groups for w in group["params"]}
        for axis, whole, part in self._rows:
            if part.grad is None:
                continue
            group = groups[id(whole)]
            state = self._optimiser.state[whole]
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=self._device)
                state["exp_avg"] = torch.zeros_like(whole)
                state["exp_avg_sq"] = torch.zeros_like(whole)
            of_tokens: Callable[[Tensor], Tensor] = partial(
                torch.index_select, dim=axis, index=self._tokens
            )
            first, second = of_tokens(state["exp_avg"]), of_tokens(state["exp_avg_sq"])
            blocks = self._recipe.n // self.size
            adamw(
                [part.data],
                [part.grad],
                [first],
                [second],
                [],
                [(state["step"] / blocks).floor()],
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
            whole.index_copy_(axis, self._tokens, part.data)
            state["exp_avg"].index_copy_(axis, self._tokens, first)
            state["exp_avg_sq"].index_copy_(axis, self._tokens, second)
            part.grad = None
