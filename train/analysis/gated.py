"""A network whose gates are those that its masks foresee: what its weights predict, input by input.

In an exact filter the tokens of an input decide which units are open: a clamp is open if one of
them owns it, a complement if none does. With the gates given, the logits are linear in the
coefficients, and every departure of the weights from the construction stays as it is: unequal
levels and bit weights, what bypasses the layer, and what the coefficients leave. The network itself
differs from this one where a unit opens or closes against its masks.
"""

from __future__ import annotations

import torch

from train.reading.masks import CLAMP, NEITHER, Masks
from train.training.model import Residual, ToyNetwork
from train.training.task import Batch


class GatedByMasks(ToyNetwork):
    """The same weights, each clamp and complement unit gated by its masks; others by themselves.

    masks: as `extract` reads them off the network.
    """

    def __init__(self, model: ToyNetwork, masks: Masks) -> None:
        n, d = model.W_E.shape
        extra = model.V is not None, model.tie, model.log_scale is not None
        super().__init__(n, d, len(model.b_in), *extra)
        self.load_state_dict(model.state_dict())
        self.to(model.W_E.device)
        orientation = torch.from_numpy(masks.orientation).to(model.W_E.device)
        self._clamp, self._itself = orientation == CLAMP, orientation == NEITHER
        self._owned = torch.from_numpy(masks.read).to(model.W_E)

    def forward(self, batch: Batch) -> Residual:
        """The final residual stream."""
        x = self.residual(batch)
        before = torch.addmm(self.b_in, x, self.W_in)
        hit = torch.nn.functional.embedding_bag(batch.tokens, self._owned, mode="sum") > 0
        is_open = torch.where(self._itself, before > 0, hit == self._clamp)
        return x + (before * is_open) @ self.W_out
