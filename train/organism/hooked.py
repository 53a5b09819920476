"""A network as a torch module of ordinary submodules, for hooks and for tools that expect them.

Tools that look into networks register forward hooks on submodules, or replace nn.Linear and
nn.Embedding by modules of their own. `HookedNetwork` gives them what they look for:

| submodule | its output | TransformerLens's name |
|---|---|---|
| embed | W_E[i_j], [inputs, k, d] | hook_embed |
| resid_pre | x = sum_j alpha_j W_E[i_j], the layer's input, [inputs, d] | blocks.0.hook_resid_pre |
| mlp_in | x W_in + b_in, before the ReLU, [inputs, h] | blocks.0.mlp.hook_pre |
| relu | after the ReLU, [inputs, h] | blocks.0.mlp.hook_post |
| mlp_out | what the layer adds, [inputs, d] | blocks.0.hook_mlp_out |
| resid_post | x', the layer's output, [inputs, d] | blocks.0.hook_resid_post |
| unembed | logits, [inputs, n] | unembed |

A hook that returns a tensor puts it in the place of the output, as always in PyTorch.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simulate.network import ReluNetwork


class HookedNetwork(nn.Module):
    """`ReluNetwork`'s forward pass in the network's dtype, through the submodules named above.

    A Linear's weight is the transpose of the network's matrix. mlp_out and unembed have a bias
    where the network has b_out and b_U.
    """

    def __init__(self, network: ReluNetwork) -> None:
        super().__init__()
        self.embed = nn.Embedding.from_pretrained(_tensor(network.W_E), freeze=False)
        self.resid_pre = nn.Identity()
        self.mlp_in = _linear(network.W_in, network.b_in)
        self.relu = nn.ReLU()
        self.mlp_out = _linear(network.W_out, network.b_out)
        self.resid_post = nn.Identity()
        self.unembed = _linear(network.W_U, network.b_U)

    def forward(
        self, tokens: Int[Tensor, "inputs k"], alpha: Float[Tensor, "inputs k"] | None = None
    ) -> Float[Tensor, "inputs n"]:
        """The logits. tokens: distinct within a row; alpha: coefficients, 1 if not given."""
        embedded = self.embed(tokens)
        if alpha is not None:
            embedded = embedded * alpha.to(embedded.dtype)[:, :, None]
        x = self.resid_pre(embedded.sum(dim=1))
        x = self.resid_post(x + self.mlp_out(self.relu(self.mlp_in(x))))
        return self.unembed(x)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.tensor(np.ascontiguousarray(array))


def _linear(matrix: np.ndarray, bias: np.ndarray | None) -> nn.Linear:
    """x @ matrix (+ bias)."""
    weight = _tensor(matrix.T)
    rows, columns = matrix.shape
    layer = nn.Linear(rows, columns, bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(_tensor(bias))
    return layer
