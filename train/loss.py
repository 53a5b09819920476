"""What training minimises and what it is judged by.

The loss is KL(target || output) in nats. The measures are taken on fresh inputs: total variation
in [0, 1], KL in nats, and failures: an input fails when the mass on its k tokens is below
(k/(k+1) + 1)/2, half-way between one false positive and none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from train.model import ToyNetwork
from train.task import Batch, Task, Tokens

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
        ctx, x: Tensor, W_U: Tensor, tokens: Tensor, target: Tensor, buffer: Tensor
    ) -> Tensor:
        x, W_U = x.to(buffer.dtype), W_U.to(buffer.dtype)
        torch.mm(x, W_U, out=buffer)
        torch.softmax(buffer, dim=1, out=buffer)
        on_members = buffer.gather(1, tokens).float().clamp_(min=_SMALLEST)
        loss = torch.special.xlogy(target, target / on_members).sum() / len(tokens)
        buffer.scatter_add_(1, tokens, -target.to(buffer.dtype))
        ctx.save_for_backward(x, W_U)
        ctx.gradient = buffer
        return loss

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, W_U = ctx.saved_tensors
        scale = upstream / len(x)
        to_x = (ctx.gradient @ W_U.T).float() * scale
        to_readout = (x.T @ ctx.gradient).float() * scale
        return to_x, to_readout, None, None, None


class TargetDivergence:
    """Mean KL(target || output) over a batch, nats, for training: call it, then `backward()`.

    wanted: the tokens that the target is on, where they are not the batch's own.

    A member's probability counts as at least 1e-38 in the value; the gradient is exact. Under
    autocast the readout's matmuls use that dtype. The logits' memory is reused by the next call,
    so one backward pass belongs to each.
    """

    def __init__(self) -> None:
        self._buffer: Tensor | None = None

    def __call__(
        self, model: ToyNetwork, batch: Batch, wanted: Tokens | None = None
    ) -> Float[Tensor, ""]:
        x, readout = model(batch), model.readout
        tokens = batch.tokens if wanted is None else wanted
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        shape = (len(tokens), readout.shape[1])
        if self._buffer is None or self._buffer.shape != shape or self._buffer.dtype != dtype:
            self._buffer = torch.empty(shape, dtype=dtype, device=x.device)
        return _ReadOutAgainstTarget.apply(x, readout, tokens, batch.target(), self._buffer)


@dataclass(frozen=True)
class Measures:
    """Means over fresh inputs: total_variation in [0, 1], kl in nats, failure_rate in [0, 1]."""

    inputs: int
    total_variation: float
    kl: float
    failure_rate: float


@torch.no_grad()
def measure(model: ToyNetwork, task: Task, inputs: int, generator: torch.Generator) -> Measures:
    """The measures on `inputs` fresh inputs, in float32, at most 4,096 at a time."""
    variation = kl = failures = 0.0
    threshold = (task.k / (task.k + 1) + 1) / 2
    for start in range(0, inputs, 4096):
        batch = task.draw(min(4096, inputs - start), generator)
        target = batch.target()
        log_output = torch.log_softmax(model.logits(batch), dim=1).gather(1, batch.tokens)
        output = log_output.exp()
        # both distributions have mass 1, so TV is what the members lack
        variation += (target - output).clamp_(min=0).sum().item()
        kl += (torch.special.xlogy(target, target) - target * log_output).sum().item()
        failures += (output.sum(dim=1) < threshold).sum().item()
    return Measures(inputs, variation / inputs, kl / inputs, failures / inputs)
