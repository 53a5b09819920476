"""Load the benchmark's organisms: NAME.safetensors and NAME.truth.json, version 1 of the files.

Needs PyTorch and safetensors only, so that it can be copied beside the files.

    network, k, c = load("clamp_disguised.safetensors")
    logits = network(tokens, alpha)
    truth = load_truth("clamp_disguised.truth.json")

Tools that look into networks register forward hooks on submodules, or replace nn.Linear and
nn.Embedding by modules of their own. `OrganismNetwork` gives them what they look for:

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

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

FORMAT, VERSION = "relu-bloom organism", 1
_TRUTH_SCHEMA = 2
_SIDES = {"clamp": 1, "complement": -1, "neither": 0, "dead": 0}


class OrganismNetwork(nn.Module):
    """logits = x' W_U with x' = x + ReLU(x W_in + b_in) W_out and x = sum_j alpha_j W_E[i_j].

    tensors: W_E [n, d], W_in [d, h], b_in [h], W_out [h, d], W_U [d, n], and b_out [d], b_U [n]
    where there are any. A Linear's weight is the transpose of the matrix; mlp_out and unembed have
    a bias where there is b_out and b_U.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.embed = nn.Embedding.from_pretrained(tensors["W_E"].clone(), freeze=False)
        self.resid_pre = nn.Identity()
        self.mlp_in = _linear(tensors["W_in"], tensors["b_in"])
        self.relu = nn.ReLU()
        self.mlp_out = _linear(tensors["W_out"], tensors.get("b_out"))
        self.resid_post = nn.Identity()
        self.unembed = _linear(tensors["W_U"], tensors.get("b_U"))

    def forward(self, tokens: Tensor, alpha: Tensor | None = None) -> Tensor:
        """The logits [inputs, n], in the weights' dtype.

        tokens: int [inputs, k], distinct within a row. alpha: float [inputs, k], 1 if not given.
        """
        embedded = self.embed(tokens)
        if alpha is not None:
            embedded = embedded * alpha.to(embedded.dtype)[:, :, None]
        x = self.resid_pre(embedded.sum(dim=1))
        x = self.resid_post(x + self.mlp_out(self.relu(self.mlp_in(x))))
        logits: Tensor = self.unembed(x)
        return logits


def _linear(matrix: Tensor, bias: Tensor | None) -> nn.Linear:
    """x @ matrix (+ bias)."""
    rows, columns = matrix.shape
    layer = nn.Linear(rows, columns, bias=bias is not None, dtype=matrix.dtype)
    with torch.no_grad():
        layer.weight.copy_(matrix.T)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


@dataclass(frozen=True)
class OrganismTruth:
    """What is known of an organism, its units in the network's order.

    read, write: bool [n, h], whether a token owns a unit as the network reads and as it writes it.
    orientation: int [h], +1 clamp, -1 complement, 0 neither. live: bool [h]; a dead unit owns
    nothing. The hash bits are the live units of an orientation. record: everything in the file.
    """

    read: Tensor
    write: Tensor
    orientation: Tensor
    live: Tensor
    record: Mapping[str, object]


def load(path: Path | str) -> tuple[OrganismNetwork, int, float]:
    """The network, its k and its c. Raises ValueError for another format or version."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT or metadata.get("version") != str(VERSION):
            raise ValueError(f"{path}: must be a {FORMAT} of version {VERSION}")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return OrganismNetwork(tensors), int(metadata["k"]), float(metadata["c"])


def load_truth(path: Path | str) -> OrganismTruth:
    """The truth of an organism. Raises ValueError for another schema."""
    record = json.loads(Path(path).read_text("utf-8"))
    if record.get("schema") != _TRUTH_SCHEMA:
        raise ValueError(f"{path}: must be a truth of schema {_TRUTH_SCHEMA}")
    kinds = record["kinds"]
    return OrganismTruth(
        read=_mask(record["read"]),
        write=_mask(record["write"]),
        orientation=torch.tensor([_SIDES[kind] for kind in kinds]),
        live=torch.tensor([kind != "dead" for kind in kinds]),
        record=record,
    )


def _mask(rows: list[str]) -> Tensor:
    """Digit j of row i is 1 where token i owns unit j."""
    return torch.tensor([[digit == "1" for digit in row] for row in rows])
