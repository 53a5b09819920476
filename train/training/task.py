"""The task: put equal probability on the k active tokens, or any wanted distribution over them.

One input is k distinct tokens with coefficients alpha_j ~ U[1, c]; in the harder task also target
logits l_j ~ N(0, target_scale^2), centred, and the wanted output is softmax(l) over the k tokens
(uniform where all l_j are 0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from theory.domain import check_integer
from train.training.recipe import Task

Tokens = Int[Tensor, "inputs k"]
Coefficients = Float[Tensor, "inputs k"]


@dataclass(frozen=True)
class Batch:
    """Inputs of the network: distinct tokens, int64 in 0..n-1; alpha and target_logits, float32.

    target_logits: l in nats; None in the uniform task.
    """

    tokens: Tokens
    alpha: Coefficients
    target_logits: Coefficients | None = None

    def target(self) -> Coefficients:
        """The wanted probabilities of the k tokens; every other token's is 0."""
        if self.target_logits is None:
            return torch.full_like(self.alpha, 1.0 / self.alpha.shape[1])
        return torch.softmax(self.target_logits, dim=1)

    def to(self, device: torch.device | str) -> Batch:
        """The same inputs on another device."""
        logits = None if self.target_logits is None else self.target_logits.to(device)
        return Batch(self.tokens.to(device), self.alpha.to(device), logits)


def draw(
    task: Task,
    inputs: int,
    generator: torch.Generator,
    never: Callable[[Tokens], Bool[Tensor, " inputs"]] | None = None,
) -> Batch:
    """Independent inputs of the task, on the generator's device.

    never: which token sets are drawn again instead; it must leave some.
    """
    check_integer("inputs", inputs, 1)
    device = generator.device
    tokens = distinct_tokens(inputs, task.n, task.k, generator)
    while never is not None and (again := never(tokens)).any():
        tokens[again] = distinct_tokens(int(again.sum()), task.n, task.k, generator)
    alpha = torch.empty(inputs, task.k, device=device)
    alpha.uniform_(1.0, task.c, generator=generator)
    if task.target_scale == 0.0:
        return Batch(tokens, alpha)
    logits = torch.empty(inputs, task.k, device=device)
    logits.normal_(0.0, task.target_scale, generator=generator)
    return Batch(tokens, alpha, logits - logits.mean(dim=1, keepdim=True))


def distinct_tokens(inputs: int, n: int, k: int, generator: torch.Generator) -> Tokens:
    """Uniformly random k-subsets of the n tokens, int64 [inputs, k]; O(inputs k^2), whatever n is.

    Floyd's algorithm (Bentley and Floyd 1987): the j-th draw is uniform on 0..n-k+j and, where it
    was drawn before, replaced by n-k+j itself. The set is uniform; the order within it is not.
    """
    device = generator.device
    tokens = torch.empty(inputs, k, dtype=torch.int64, device=device)
    for j, last in enumerate(range(n - k, n)):
        drawn = torch.randint(0, last + 1, (inputs,), generator=generator, device=device)
        if j:
            repeated = (tokens[:, :j] == drawn[:, None]).any(dim=1)
            drawn = torch.where(repeated, last, drawn)
        tokens[:, j] = drawn
    return tokens
