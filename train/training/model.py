"""The toy network in PyTorch: one residual ReLU layer between an embedding and a readout."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from simulate.harder_task import TargetNetwork
from simulate.network import ReluNetwork
from theory.domain import DomainError, check_integer
from train.training.task import Batch

Residual = Float[Tensor, "inputs d"]
Logits = Float[Tensor, "inputs n"]


class ToyNetwork(nn.Module):
    """logits = x' W_U with x' = x + ReLU(x W_in + b_in) W_out, the trainable twin of `ReluNetwork`.

    x = sum_j alpha_j W_E[i_j] + sum_j l_j V[i_j]; V, the second embedding, only in the harder task.
    Parameters are float32: W_E [n, d], W_in [d, h], b_in [h], W_out [h, d], W_U [d, n], V [n, d].
    With `tied_by` there is no W_U of its own, the readout is tied_by W_E^T; `tie_to` ties a model
    that has one. With `scaled`, a factor e^log_scale of all logits is a parameter of its own; it
    belongs to the readout.
    """

    W_U: nn.Parameter | None
    V: nn.Parameter | None
    log_scale: nn.Parameter | None

    def __init__(
        self,
        n: int,
        d: int,
        h: int,
        second_embedding: bool = False,
        tied_by: float | None = None,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        for name, size in (("n", n), ("d", d), ("h", h)):
            check_integer(name, size, 1)
        self.W_E = nn.Parameter(torch.zeros(n, d))
        self.W_in = nn.Parameter(torch.zeros(d, h))
        self.b_in = nn.Parameter(torch.zeros(h))
        self.W_out = nn.Parameter(torch.zeros(h, d))
        self.W_U = nn.Parameter(torch.zeros(d, n)) if tied_by is None else None
        self.V = nn.Parameter(torch.zeros(n, d)) if second_embedding else None
        self.log_scale = nn.Parameter(torch.zeros(())) if scaled else None
        self.tied_by = tied_by

    @classmethod
    def of(cls, network: ReluNetwork | TargetNetwork) -> ToyNetwork:
        """The network as a model, in float32. Raises DomainError where it has output biases."""
        V = network.V if isinstance(network, TargetNetwork) else None
        relu = network.network if isinstance(network, TargetNetwork) else network
        if relu.b_out is not None or relu.b_U is not None:
            raise DomainError("network must have no output biases b_out and b_U")
        model = cls(relu.n, relu.d, relu.h, second_embedding=V is not None)
        arrays = {name: getattr(relu, name) for name in ("W_E", "W_in", "b_in", "W_out", "W_U")}
        arrays |= {} if V is None else {"V": V}
        model.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
        return model

    @property
    def readout(self) -> Float[Tensor, "d n"]:
        """The matrix that reads the logits: W_U with its factor, or the tied one."""
        if self.tied_by is not None:
            readout = self.tied_by * self.W_E.T
        else:
            assert self.W_U is not None
            readout = self.W_U
        return readout if self.log_scale is None else self.log_scale.exp() * readout

    @torch.no_grad()
    def tie_to(self, tied_by: float | None) -> None:
        """Read out by tied_by W_E^T from now on; with None by W_U, which starts from that."""
        if tied_by is None and self.tied_by is not None and self.W_U is not None:
            self.W_U.copy_(self.tied_by * self.W_E.T)
        self.tied_by = tied_by

    def residual(self, batch: Batch) -> Residual:
        """The residual stream before the layer."""
        x = _weighted_rows(self.W_E, batch.tokens, batch.alpha)
        if self.V is not None and batch.target_logits is not None:
            x = x + _weighted_rows(self.V, batch.tokens, batch.target_logits)
        return x

    def after_layer(self, x: Residual) -> Residual:
        """The residual stream after the layer: x + ReLU(x W_in + b_in) W_out."""
        return x + torch.relu(torch.addmm(self.b_in, x, self.W_in)) @ self.W_out

    def forward(self, batch: Batch) -> Residual:
        """The final residual stream, which `logits` and the loss read out."""
        return self.after_layer(self.residual(batch))

    def logits(self, batch: Batch) -> Logits:
        """The forward pass."""
        return self(batch) @ self.readout

    @torch.no_grad()
    def to_network(self) -> ReluNetwork | TargetNetwork:
        """The weights as float32 arrays; a TargetNetwork where there is a second embedding."""

        def array(weight: Tensor) -> np.ndarray:
            return np.ascontiguousarray(weight.cpu().numpy()).copy()

        network = ReluNetwork(
            W_E=array(self.W_E),
            W_in=array(self.W_in),
            b_in=array(self.b_in),
            W_out=array(self.W_out),
            W_U=array(self.readout),
        )
        return network if self.V is None else TargetNetwork(network, array(self.V))


def _weighted_rows(table: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
    """sum_j weights[:, j] table[tokens[:, j]], without the [inputs, k, d] intermediate."""
    return nn.functional.embedding_bag(tokens, table, per_sample_weights=weights, mode="sum")
