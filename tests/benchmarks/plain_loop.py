"""The baseline of the training benchmark: the loop one writes first, plain PyTorch throughout."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from train.training.recipe import Task
from train.training.task import Batch, draw

STEPS, BATCH, RATE, DECAY, WARMUP = 12_000, 512, 1e-2, 0.01, 100


class PlainLoop:
    """W_E ~ N(0, 1), the rest N(0, 1/rows); AdamW, cosine to 0 over 12,000 steps of 512 inputs."""

    def __init__(self, n: int, k: int, d: int, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

        def normal(rows: int, columns: int, deviation: float) -> torch.Tensor:
            drawn = torch.randn(rows, columns, generator=self.generator) * deviation
            return drawn.requires_grad_()

        self.W_E = normal(n, d, 1.0)
        self.W_in, self.W_out = normal(d, d, d**-0.5), normal(d, d, d**-0.5)
        self.b_in = torch.zeros(d, requires_grad=True)
        self.W_U = normal(d, n, d**-0.5)
        self.weights = [self.W_E, self.W_in, self.b_in, self.W_out, self.W_U]
        self.optimiser = torch.optim.AdamW(
            self.weights, lr=RATE, betas=(0.9, 0.99), weight_decay=DECAY
        )
        self.task = Task(n, k)
        self.step = 0

    def logits(self, batch: Batch) -> torch.Tensor:
        """The forward pass, tensor by tensor."""
        x = (batch.alpha[:, :, None] * self.W_E[batch.tokens]).sum(dim=1)
        x = x + torch.relu(x @ self.W_in + self.b_in) @ self.W_out
        return x @ self.W_U

    def loss(self, batch: Batch) -> torch.Tensor:
        """KL(uniform || output), nats."""
        on_members = self.logits(batch).log_softmax(dim=1).gather(1, batch.tokens)
        return -on_members.mean() - math.log(self.task.k)

    def advance(self, steps: int) -> None:
        """The next `steps` steps."""
        for _ in range(min(steps, STEPS - self.step)):
            risen = min(1.0, (self.step + 1) / WARMUP)
            for group in self.optimiser.param_groups:
                group["lr"] = RATE * risen * 0.5 * (1 + math.cos(math.pi * self.step / STEPS))
            self.optimiser.zero_grad()
            self.loss(draw(self.task, BATCH, self.generator)).backward()
            self.optimiser.step()
            self.step += 1


def matmuls_of_a_step(batch: int, n: int, d: int) -> Callable[[], None]:
    """The matrix products of one step, forward and backward, on fixed float32 operands."""
    x, hidden, gradient = torch.randn(batch, d), torch.randn(batch, d), torch.randn(batch, n)
    square, readout = torch.randn(d, d), torch.randn(d, n)

    def products() -> None:
        x @ square  # W_in
        hidden @ square  # W_out
        x @ readout  # W_U
        gradient @ readout.T
        x.T @ gradient
        hidden @ square.T
        hidden.T @ x
        x @ square.T
        x.T @ hidden

    return products
