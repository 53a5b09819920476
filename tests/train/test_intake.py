"""Networks of other people: layouts, names, transposes, comparisons with their own forward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch
from torch import nn

from simulate.constructions import clamp
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from tests.train.subjects import hashes_for, untrained
from theory.domain import DomainError
from train.analysis.subject import Subject, open_subject, open_subjects

N, D, K = 30, 8, 2
NETWORK = clamp(hashes_for(N, D, 2), 8.0, dtype=np.float32)


class Module(nn.Module):
    """The usual four layers; what is different is told."""

    def __init__(
        self,
        activation: Callable = torch.relu,
        residual: bool = True,
        network: ReluNetwork | None = None,
        norm: bool = False,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.activation, self.residual = activation, residual
        self.embed = nn.Embedding(N, D)
        self.fc1, self.fc2, self.unembed = nn.Linear(D, D), nn.Linear(D, D), nn.Linear(D, N)
        if norm:
            self.norm = nn.LayerNorm(D)
        if network is not None:
            for layer, weight in (
                (self.embed, network.W_E),
                (self.fc1, network.W_in.T),
                (self.fc2, network.W_out.T),
                (self.unembed, network.W_U.T),
            ):
                layer.weight.data = torch.from_numpy(weight.copy())
            self.fc1.bias.data = torch.from_numpy(network.b_in.copy())
            nn.init.zeros_(self.fc2.bias)
            nn.init.zeros_(self.unembed.bias)

    def forward(self, tokens, coefficients):
        x = (self.embed(tokens) * coefficients[..., None]).sum(dim=1)
        added = self.fc2(self.activation(self.fc1(x)))
        return self.unembed(x + added if self.residual else added)


def same(network: ReluNetwork, module: Module, k: int = K) -> None:
    rng = np.random.default_rng(5)
    tokens, alpha = random_sets(rng, 50, N, k), random_coefficients(rng, 50, k, 2.0)
    with torch.no_grad():
        wanted = module(torch.from_numpy(tokens), torch.from_numpy(alpha).float()).numpy()
    np.testing.assert_allclose(network.logits(tokens, alpha), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("network", [None, NETWORK])
def test_a_module_is_compared_with_its_forward_pass(residual, network):
    """Square matrices: only the comparison tells transposes and the residual connection."""
    module = Module(residual=residual, network=network)
    subject = Subject.from_module(module, K, logits=module)
    assert subject.compared
    assert subject.network.d == (D if residual else 2 * D)
    same(subject.network, module)


def test_nothing_is_compared_without_a_forward_pass():
    module = Module()
    subject = Subject.from_module(module, K)
    assert not subject.compared
    same(subject.network, module)


@pytest.mark.parametrize(
    ("activation", "named"),
    [
        (nn.functional.gelu, "GELU"),
        (nn.functional.silu, "SiLU"),
        (torch.tanh, "tanh"),
        (lambda z: z, "linear"),
    ],
)
def test_another_activation_is_refused_by_name(activation, named):
    module = Module(activation)
    with pytest.raises(DomainError, match=named):
        Subject.from_module(module, K, logits=module)


def test_another_function_is_refused_with_its_causes():
    module = Module()

    def scaled(tokens, coefficients):
        return 2.0 * module(tokens, coefficients) + tokens.sum(dim=1, keepdim=True)

    with pytest.raises(DomainError, match=r"largest difference is .* likeliest causes"):
        Subject.from_module(module, K, logits=scaled)
    with pytest.raises(DomainError, match="logits must return"):
        Subject.from_module(module, K, logits=lambda tokens, coefficients: tokens)


def test_a_norm_and_an_activation_are_refused_in_one_sentence():
    with pytest.raises(DomainError, match=r"LayerNorm, another norm: what is analysed is one ReLU"):
        Subject.from_module(Module(norm=True), K)
    module = Module()
    module.act = nn.GELU()
    with pytest.raises(DomainError, match="GELU, another activation"):
        Subject.from_module(module, K)


FOREIGN = untrained(np.random.default_rng(0), N, D, 9)
LAYOUTS = {
    "ours": lambda w: {"W_E": w.W_E, "W_in": w.W_in, "W_out": w.W_out, "W_U": w.W_U},
    "TransformerLens": lambda w: {
        "embed.W_E": w.W_E,
        "blocks.0.mlp.W_in": w.W_in,
        "blocks.0.mlp.b_in": w.b_in,
        "blocks.0.mlp.W_out": w.W_out,
        "blocks.0.mlp.b_out": np.zeros(D),
        "unembed.W_U": w.W_U,
        "unembed.b_U": np.zeros(N),
    },
    "Linear": lambda w: {
        "embed.weight": w.W_E,
        "fc1.weight": w.W_in.T,
        "fc1.bias": w.b_in,
        "fc2.weight": w.W_out.T,
        "unembed.weight": w.W_U.T,
    },
    "model.E": lambda w: {
        "model.E": w.W_E,
        "model.mlp_in.weight": w.W_in.T,
        "model.mlp_out.weight": w.W_out.T,
        "model.U": w.W_U,
    },
    "GPT": lambda w: {
        "transformer.wte.weight": w.W_E,
        "transformer.h.0.mlp.c_fc.weight": w.W_in,
        "transformer.h.0.mlp.c_fc.bias": w.b_in,
        "transformer.h.0.mlp.c_proj.weight": w.W_out,
        "lm_head.weight": w.W_U.T,
    },
    "Sequential": lambda w: {
        "embedding.weight": w.W_E,
        "mlp.0.weight": w.W_in.T,
        "mlp.0.bias": w.b_in,
        "mlp.2.weight": w.W_out.T,
        "head.weight": w.W_U.T,
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["arrays", "tensors", "bfloat16", ".pt", ".safetensors"])
def test_layouts_are_read_without_flags(tmp_path, layout, kind):
    from safetensors.torch import save_file

    state = {key: np.ascontiguousarray(value) for key, value in LAYOUTS[layout](FOREIGN).items()}
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    path = tmp_path / f"network{kind}"
    if kind == ".pt":
        torch.save({"model": tensors, "k": K, "step": 7}, path)
        network = open_subject(str(path)).network
    elif kind == ".safetensors":
        save_file(tensors, path)
        network = open_subject(str(path), k=K).network
    elif kind == "arrays":
        network = Subject.from_state(state, K).network
    else:
        half = {key: value.bfloat16() for key, value in tensors.items()}
        network = Subject.from_state(half if kind == "bfloat16" else tensors, K).network
    room = 0.02 if kind == "bfloat16" else 0.0
    for name in ("W_E", "W_in", "W_out", "W_U"):
        np.testing.assert_allclose(getattr(network, name), getattr(FOREIGN, name), room, room)
    assert network.dtype == (np.float32 if kind == "bfloat16" else np.float64)


def test_what_is_absent_is_filled_in():
    w = FOREIGN
    tied = Subject.from_state({"W_E": w.W_E, "W_in": w.W_in, "W_out": w.W_out}, K).network
    assert (tied.W_U == w.W_E.T).all()
    assert not tied.b_in.any()
    rng = np.random.default_rng(0)
    alone = {"W_in": rng.standard_normal((N, 9)), "W_out": rng.standard_normal((9, N))}
    one_hot = Subject.from_state(alone, K).network
    assert (np.eye(N) == one_hot.W_E).all()
    assert (np.eye(N) == one_hot.W_U).all()
    # a layer that writes logits has no residual connection
    direct = {"W_E": w.W_E, "W_in": w.W_in, "W_out": rng.standard_normal((9, N))}
    found = Subject.from_state(direct, K).network
    tokens, alpha = random_sets(rng, 20, N, K), random_coefficients(rng, 20, K, 2.0)
    wanted = np.maximum(w.residual(tokens, alpha) @ w.W_in, 0.0) @ direct["W_out"]
    np.testing.assert_allclose(found.logits(tokens, alpha), wanted, atol=1e-9)


def test_instances_are_read_one_by_one(tmp_path):
    rng = np.random.default_rng(0)
    state = {
        "W_E": rng.standard_normal((3, N, D)),
        "W_in": rng.standard_normal((3, D, 9)),
        "b_in": rng.standard_normal((3, 9)),
        "W_out": rng.standard_normal((3, 9, D)),
    }
    found = Subject.all_from_state(state, K)
    assert len(found) == 3
    for place, subject in enumerate(found):
        assert (subject.network.W_in == state["W_in"][place]).all()
    with pytest.raises(DomainError, match="3 instances"):
        Subject.from_state(state, K)
    one = {key: value[:1] for key, value in state.items()}
    assert (Subject.from_state(one, K).network.b_in == state["b_in"][0]).all()
    torch.save({key: torch.from_numpy(value) for key, value in state.items()}, tmp_path / "s.pt")
    assert len(open_subjects(str(tmp_path / "s.pt"), k=K)) == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"junk": np.ones(3)}, "junk could not be placed"),
        ({"ln_final.weight": np.ones(D)}, "look like a norm"),
        ({"blocks.1.mlp.W_in": np.ones((D, 9))}, "look like a second layer"),
        ({"blocks.0.attn.W_Q": np.ones((D, D))}, "look like attention"),
        ({"fc1.weight": np.ones((9, D))}, "two tensors look like W_in"),
    ],
)
def test_every_tensor_is_used_or_named(more, message):
    state = {"W_E": FOREIGN.W_E, "W_in": FOREIGN.W_in, "W_out": FOREIGN.W_out, "W_U": FOREIGN.W_U}
    with pytest.raises(DomainError, match=message):
        Subject.from_state(state | more, K)
    assert Subject.from_state(state | more, K, ignore=list(more)).network.d == D


def test_a_file_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "module.pt"
    torch.save(Module(), path)
    with pytest.raises(DomainError, match="not a state dict of plain tensors"):
        open_subject(str(path), k=K)


def test_a_keyword_that_nothing_reads_is_refused():
    state = {"W_in": FOREIGN.W_in, "W_out": FOREIGN.W_out}
    with pytest.raises(TypeError, match="nothing is called transposed here: transpose, ignore"):
        Subject.from_state(state, K, transposed=["W_in"])


def test_residual_can_be_told():
    state = {"W_E": FOREIGN.W_E, "W_in": FOREIGN.W_in, "W_out": FOREIGN.W_out, "W_U": FOREIGN.W_U}
    assert Subject.from_state(state, K, residual=False).network.d == D + 9
