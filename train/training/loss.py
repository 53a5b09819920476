"""What training minimises and what it is judged by.

The loss is KL(target || output) in nats. The measures are taken on fresh inputs: total variation
in [0, 1], KL in nats, and failures: an input fails when the mass on its k tokens is below
(k/(k+1) + 1)/2, half-way between one false positive and none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from theory.domain import check_integer
from train.reading.failure import failure_threshold
from train.training.model import ToyNetwork
from train.training.products import product
from train.training.recipe import Task
from train.training.task import Batch, Tokens, draw

# entries of the logits that are handled at once when measuring
_BLOCK_ENTRIES = 2**21
# the smallest normal float32: a member's log probability counts as no less than its logarithm
_SMALLEST = torch.finfo(torch.float32).tiny


class _ReadOutAgainstTarget(torch.autograd.Function):
    """Readout, softmax and cross-entropy in one: the [inputs, n] logits become their own gradient.

    d loss / d logits = (output - target) / inputs, which is the softmax with k entries changed, so
    one buffer serves both passes; kept from step to step, as fresh memory of that size would cost
    as much time as the softmax.
    """

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        W_U: Tensor,
        tokens: Tensor,
        target: Tensor,
        others_weight: float,
        buffer: Tensor,
    ) -> Tensor:
        ctx.dtypes = x.dtype, W_U.dtype
        x, W_U = x.to(buffer.dtype), W_U.to(buffer.dtype)
        product(x, W_U, out=buffer)
        if others_weight != 1.0:
            lowered = torch.full_like(target, -math.log(others_weight), dtype=buffer.dtype)
            buffer.scatter_add_(1, tokens, lowered)
        torch.softmax(buffer, dim=1, out=buffer)
        on_members = buffer.gather(1, tokens).to(target.dtype).clamp_(min=_SMALLEST)
        loss = torch.special.xlogy(target, target / on_members).sum() / len(tokens)
        buffer.scatter_add_(1, tokens, -target.to(buffer.dtype))
        ctx.save_for_backward(x, W_U)
        ctx.gradient = buffer
        return loss

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        x, W_U = ctx.saved_tensors
        scale = upstream / len(x)
        to_x = product(ctx.gradient, W_U.T).to(ctx.dtypes[0]) * scale
        # laid out in memory as W_U is
        if W_U.stride(0) == 1:
            rows_first = product(ctx.gradient.T, x)
        else:
            rows_first = product(x.T, ctx.gradient).T
        to_readout = rows_first.T.to(ctx.dtypes[1]) * scale
        return to_x, to_readout, None, None, None, None


class TargetDivergence:
    """Mean KL(target || output) over a batch, nats, for training: call it, then `backward()`.

    wanted: the tokens that the target is on, where they are not the batch's own. others_weight:
    how often each other token counts in the softmax's sum, where it stands for tokens left out.

    A member's probability counts as at least 1e-38 in the value; the gradient is exact. Under
    autocast the readout's matmuls use that dtype. The logits' memory is reused by the next call,
    so one backward pass belongs to each.
    """

    def __init__(self) -> None:
        self._buffer: Tensor | None = None

    def __call__(
        self,
        model: ToyNetwork,
        batch: Batch,
        wanted: Tokens | None = None,
        others_weight: float = 1.0,
    ) -> Float[Tensor, ""]:
        x, readout = model(batch), model.readout
        tokens = batch.tokens if wanted is None else wanted
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        shape = (len(tokens), readout.shape[1])
        if self._buffer is None or self._buffer.shape != shape or self._buffer.dtype != dtype:
            self._buffer = torch.empty(shape, dtype=dtype, device=x.device)
        return _ReadOutAgainstTarget.apply(
            x, readout, tokens, batch.target(), others_weight, self._buffer
        )


@dataclass(frozen=True)
class Outcomes:
    """One number an input: total_variation in [0, 1], kl in nats, squared_error, failed or not.

    squared_error: summed over all n outputs.
    """

    total_variation: Float[Tensor, " inputs"]
    kl: Float[Tensor, " inputs"]
    squared_error: Float[Tensor, " inputs"]
    failed: Bool[Tensor, " inputs"]


@dataclass(frozen=True)
class Measures:
    """Means over fresh inputs: total_variation in [0, 1], kl in nats, failure_rate in [0, 1]."""

    inputs: int
    total_variation: float
    kl: float
    failure_rate: float


@torch.no_grad()
def failed_on(model: ToyNetwork, task: Task, batch: Batch) -> Bool[Tensor, " inputs"]:
    """Whether the network fails on each of these inputs; memory about 16 MB."""
    at_once = max(1, _BLOCK_ENTRIES // task.n)
    found = []
    for start in range(0, len(batch.tokens), at_once):
        part = Batch(batch.tokens[start : start + at_once], batch.alpha[start : start + at_once])
        logits = model.logits(part)
        log_mass = logits.gather(1, part.tokens).logsumexp(1) - logits.logsumexp(1)
        found.append(log_mass.exp() < failure_threshold(task.k))
    return torch.cat(found)


@torch.no_grad()
def outcomes(model: ToyNetwork, task: Task, inputs: int, generator: torch.Generator) -> Outcomes:
    """What the network does on `inputs` fresh inputs, in float32; memory about 16 MB."""
    check_integer("inputs", inputs, 1)
    at_once = max(1, _BLOCK_ENTRIES // task.n)
    blocks = []
    for start in range(0, inputs, at_once):
        batch = draw(task, min(at_once, inputs - start), generator)
        target = batch.target()
        every_log = torch.log_softmax(model.logits(batch), dim=1)
        log_output = every_log.gather(1, batch.tokens)
        output = log_output.exp()
        others = every_log.exp().scatter_(1, batch.tokens, 0.0)
        blocks.append(
            (
                # both distributions have mass 1, so TV is what the members lack
                (target - output).clamp_(min=0).sum(dim=1),
                (torch.special.xlogy(target, target) - target * log_output).sum(dim=1),
                (target - output).square().sum(dim=1) + others.square().sum(dim=1),
                output.sum(dim=1) < failure_threshold(task.k),
            )
        )
    return Outcomes(*(torch.cat(parts) for parts in zip(*blocks, strict=True)))


def measure(model: ToyNetwork, task: Task, inputs: int, generator: torch.Generator) -> Measures:
    """The means of the outcomes on `inputs` fresh inputs."""
    found = outcomes(model, task, inputs, generator)
    means = (x.double().mean().item() for x in (found.total_variation, found.kl, found.failed))
    return Measures(inputs, *means)
