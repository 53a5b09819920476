"""A network gated by its masks: what its weights do if each unit is open or closed as they say.

In an exact filter the tokens of an input decide which units are open: a clamp is open if one of
them owns it, a complement if none does. With these gates every departure of the weights from the
construction stays as it is: unequal levels and bit weights, what bypasses the layer, and what of
the coefficients reaches the logits. The network itself differs from this one only where a unit
opens or closes against its mask.
"""

from __future__ import annotations

import torch

from train.reading.masks import CLAMP, NEITHER, Masks
from train.training.model import Residual, ToyNetwork
from train.training.task import Batch


class GatedByMasks(ToyNetwork):
    """The same weights, each clamp and complement unit gated by its mask; others by themselves.

    masks: as `extract` reads them off the network. The gates are those of `forward`, hence of
    `logits`; `after_layer` knows no tokens, and is the plain layer.
    """

    owned: torch.Tensor
    is_clamp: torch.Tensor
    is_neither: torch.Tensor

    def __init__(self, model: ToyNetwork, masks: Masks) -> None:
        n, d = model.W_E.shape
        throughout = model.tied_by if model.W_U is None else None
        extra = model.V is not None, throughout, model.log_scale is not None
        super().__init__(n, d, len(model.b_in), *extra)
        self.load_state_dict(model.state_dict())
        self.tied_by = model.tied_by
        for name, values in (
            ("owned", masks.read.astype("float32")),
            ("is_clamp", masks.orientation == CLAMP),
            ("is_neither", masks.orientation == NEITHER),
        ):
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.to(model.W_E.device)

    def forward(self, batch: Batch) -> Residual:
        """The final residual stream."""
        x = self.residual(batch)
        before = torch.addmm(self.b_in, x, self.W_in)
        hit = torch.nn.functional.embedding_bag(batch.tokens, self.owned, mode="sum") > 0
        is_open = torch.where(self.is_neither, before > 0, hit == self.is_clamp)
        return x + (before * is_open) @ self.W_out
