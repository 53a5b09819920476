"""Which tensor of a state is which: names by convention, transposes by shapes or by comparison.

The class of networks is `simulate.network.ReluNetwork`: one ReLU layer between an embedding and a
readout. What a state leaves out is filled in: absent biases are zero, an absent embedding is the
identity (one-hot inputs), an absent readout is the embedding's transpose. Without a residual
connection the network is one of width d + h with one, exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np

from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.domain import DomainError

State = Mapping[str, np.ndarray]
Logits = Callable[[Any, Any], Any]

MATRICES = ("W_E", "W_in", "W_out", "W_U")
BIASES = ("b_in", "b_out", "b_U")
# last parts of the names, in lower case, without ".weight"
ALIASES = {
    "W_E": (
        "w_e embed embedding embeddings emb wte e tok_emb tok_embed token_embedding embed_tokens "
        "token_embed embed_in"
    ),
    "W_in": (
        "w_in mlp_in fc1 linear1 lin1 c_fc up_proj mlp.0 mlp.in mlp.fc_in w1 layer1 fc_in ff1 "
        "in_layer dense_h_to_4h hidden"
    ),
    "W_out": (
        "w_out mlp_out fc2 linear2 lin2 c_proj down_proj mlp.2 mlp.out mlp.fc_out w2 layer2 fc_out "
        "ff2 out_layer dense_4h_to_h"
    ),
    "W_U": (
        "w_u unembed unembedding lm_head head u readout to_logits output decoder embed_out logits"
    ),
}
BIAS_ALIASES = {"b_in": "b_in b1 b_hidden", "b_out": "b_out b2", "b_U": "b_u b_unembed b_logits"}
BIAS_OF = {"W_in": "b_in", "W_out": "b_out", "W_U": "b_U"}
# names of what is outside the class, as patterns that JavaScript understands, too
OUTSIDE = (
    (r"(^|[._])(ln|norm|layer_?norm|rms_?norm|batch_?norm|bn)[_\d]*([._]|$)", "a norm"),
    (r"attn|attention|w_[qkvo]$|[qkvo]_proj", "attention"),
    (r"pos_?emb|wpe|positional", "positions"),
    (r"(blocks|layers|layer|h)[._]?[1-9]\d*[._]", "a second layer"),
    (r"gate", "a gate"),
)
CLASS = (
    "what is analysed is one ReLU layer between an embedding and a readout, with or without a "
    "residual connection, and without norm, attention, gate or second layer"
)
# inputs of the comparison, and the largest difference allowed over the logits' spread
_COMPARED, _ROOM = 64, {2: 3e-2, 4: 1e-3, 8: 1e-6}


@dataclass(frozen=True)
class Choice:
    """Which roles are stored transposed, and whether there is a residual connection."""

    transposed: frozenset[str]
    residual: bool


def assigned(state: State, names: Mapping[str, str], ignore: Sequence[str] = ()) -> dict[str, str]:
    """Our name of each tensor that is used, with the state's name of it.

    names: ours with theirs, in place of what would be guessed. ignore: names, or beginnings of
    names before a dot, of tensors that are left out. Raises DomainError where a tensor is left
    over, one of a name is missing, or two have one role.
    """
    ours = (*MATRICES, *BIASES)
    unknown = sorted({*names} - {*ours})
    if unknown:
        raise DomainError(f"names must be among {', '.join(ours)}; got {', '.join(unknown)}")
    kept = [key for key in state if not any(key == i or key.startswith(f"{i}.") for i in ignore)]
    for name, key in names.items():
        if key not in state:
            raise DomainError(f"no tensor {key} for {name}; it has {', '.join(sorted(state))}")
    found = dict(names)
    left = [key for key in kept if key not in names.values()]
    stray = []
    for key in left:
        role = _role(key)
        if role is None or role in names or any(re.search(p, key.lower()) for p, _ in OUTSIDE):
            stray.append(key)
        elif role in found:
            raise DomainError(
                f"two tensors look like {role}: {found[role]} and {key}. If one of them is it, use "
                f"--names {role}=NAME and --ignore the other; a second layer is outside: {CLASS}"
            )
        else:
            found[role] = key
    if stray:
        raise DomainError(_left_over(stray))
    if "W_in" not in found or "W_out" not in found:
        missing = [name for name in ("W_in", "W_out") if name not in found]
        first = missing[0]
        plain = "W_U" in found and missing == ["W_out"]
        raise DomainError(
            f"no tensor {' and '.join(missing)}; it has {', '.join(sorted(state))}. Say which one "
            f"it is, from Python as in names={{'{first}': …}} and from the shell as in --names "
            f"{first}=…" + (f"; {_WITHOUT_RESIDUAL.format(found['W_U'])}" if plain else "")
        )
    return found


_WITHOUT_RESIDUAL = (
    "of a network without a residual connection, whose readout reads the hidden layer, {} is "
    "W_out, and there is no W_U"
)


def _role(key: str) -> str | None:
    """Ours of a name by convention; None of a name that says nothing."""
    stem = key.lower()
    leaf = stem.rsplit(".", 1)[-1]
    if leaf in ("weight", "bias"):
        stem = stem[: -len(leaf) - 1]
    parts = stem.split(".")
    ends = {parts[-1], ".".join(parts[-2:])}
    if leaf != "bias":
        for role, aliases in BIAS_ALIASES.items():
            if parts[-1] in aliases.split():
                return role
    for role, aliases in ALIASES.items():
        if ends & {*aliases.split()}:
            return BIAS_OF.get(role) if leaf == "bias" else role
    return None


def _left_over(keys: Sequence[str]) -> str:
    """That tensors are not used, and what they look like."""
    looks = [
        what for pattern, what in OUTSIDE if any(re.search(pattern, key.lower()) for key in keys)
    ]
    seems = f" They look like {' and '.join(looks)}; {CLASS}." if looks else ""
    left, ours = sorted(keys), ", ".join((*MATRICES, *BIASES))
    return (
        f"not every tensor is used: {', '.join(left)} could not be placed.{seems} Say which of "
        f"{ours} each one is, from Python as in names={{'W_E': …}} and from the shell as in "
        f"--names W_E=…, or leave it out, by ignore={left} or --ignore {' '.join(left)}"
    )


def instances(tensors: State) -> list[dict[str, np.ndarray]]:
    """The networks of a state whose tensors all have one more axis in front, else the one there is.

    tensors: by our names.
    """
    extra = [tensor.ndim - (2 if name in MATRICES else 1) for name, tensor in tensors.items()]
    if not extra or any(more != 1 for more in extra):
        return [dict(tensors)]
    count = {len(tensor) for tensor in tensors.values()}
    if len(count) > 1:
        return [dict(tensors)]
    return [{name: tensor[at] for name, tensor in tensors.items()} for at in range(count.pop())]


def build(
    tensors: State,
    keys: Mapping[str, str],
    transpose: Sequence[str] = (),
    residual: bool | None = None,
    logits: Logits | None = None,
    task: tuple[int, float] = (1, 1.0),
) -> ReluNetwork:
    """The network of tensors by our names.

    keys: the state's names, by which torch's Linear is known to be transposed. transpose: ours of
    those that are transposed for certain. residual: whether there is a residual connection; None if
    nobody said. logits: the model's own forward pass, to which the network must be equal on random
    inputs of task = (k, c). Raises DomainError where shapes fit in no way, or no way that they fit
    computes what logits does.
    """
    unknown = sorted({*transpose} - {*tensors})
    if unknown:
        raise DomainError(f"transpose must name tensors of the network; got {', '.join(unknown)}")
    for name, tensor in tensors.items():
        if not np.issubdtype(tensor.dtype, np.floating):
            raise DomainError(f"{keys[name]} must be a floating-point tensor; got {tensor.dtype}")
        if not np.isfinite(tensor).all():
            raise DomainError(f"{name} must be finite everywhere")
        if tensor.ndim != (2 if name in MATRICES else 1):
            kind = "a matrix" if name in MATRICES else "a vector"
            raise DomainError(f"{keys[name]} ({name}) must be {kind}; got {list(tensor.shape)}")
    dtype = np.result_type(*(tensor.dtype for tensor in tensors.values()), np.float32)
    given = {name: tensor.astype(dtype, copy=False) for name, tensor in tensors.items()}
    choices = list(_choices(given, keys, transpose, residual))
    if not choices:
        shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in given.items())
        raise DomainError(
            f"shapes must fit W_E [n, d], W_in [d, h], W_out [h, d], W_U [d, n]; got {shapes}"
        )
    if logits is None:
        return _network(given, choices[0])
    return _compared(given, choices, logits, task)


def _choices(
    given: State, keys: Mapping[str, str], transpose: Sequence[str], residual: bool | None
) -> Iterator[Choice]:
    """Every way in which the shapes fit, the likeliest first."""
    matrices = [name for name in MATRICES if name in given]

    def usual(name: str) -> bool:
        # torch's Linear holds [out, in], its Embedding [n, d]
        return name != "W_E" and keys[name].lower().endswith("weight")

    found = []
    for flips in product((False, True), repeat=len(matrices)):
        flipped = {name for name, flip in zip(matrices, flips, strict=True) if flip}
        if transpose and not flipped >= {*transpose}:
            continue
        odd = sum((name in flipped) != usual(name) for name in matrices if name not in transpose)
        for connected in (True, False) if residual is None else (residual,):
            choice = Choice(frozenset(flipped), connected)
            if _fits(given, choice):
                found.append((odd, not connected, sorted(flipped), choice))
    yield from (choice for *_, choice in sorted(found, key=lambda each: each[:3]))


def _oriented(given: State, choice: Choice) -> dict[str, np.ndarray]:
    return {
        name: tensor.T if name in choice.transposed else tensor for name, tensor in given.items()
    }


def _fits(given: State, choice: Choice) -> bool:
    shape = {name: tensor.shape for name, tensor in _oriented(given, choice).items()}
    (d, h), (h_out, e) = shape["W_in"], shape["W_out"]
    n, d_in = shape.get("W_E", (d, d))
    if d_in != d or h_out != h or (choice.residual and e != d):
        return False
    # without a readout it is tied, or there is none between the layer and the logits
    if "W_U" not in shape and e not in ((d,) if choice.residual else (d, n)):
        return False
    wanted = {"b_in": (h,), "b_out": (e,), "b_U": (n,), "W_U": (e, n)}
    return all(shape.get(name, of) == of for name, of in wanted.items())


def _network(given: State, choice: Choice) -> ReluNetwork:
    """The arrays as one of our class."""
    own = _oriented(given, choice)
    W_in, W_out = own["W_in"], own["W_out"]
    dtype, (d, h) = W_in.dtype, W_in.shape
    W_E = own.get("W_E", np.eye(d, dtype=dtype))
    b_in = own.get("b_in", np.zeros(h, dtype=dtype))
    b_out, b_U = own.get("b_out"), own.get("b_U")
    e = W_out.shape[1]
    tied = np.eye(e, dtype=dtype) if e == len(W_E) != d else W_E.T
    W_U = own.get("W_U", tied)
    if choice.residual:
        return ReluNetwork(W_E, W_in, b_in, W_out, W_U, b_out=b_out, b_U=b_U)
    wide = np.float64
    constant = None
    if b_out is not None:
        constant = (b_out.astype(wide) @ W_U.astype(wide)).astype(dtype)
    b_U = constant if b_U is None else b_U if constant is None else b_U + constant
    return ReluNetwork(
        W_E=np.hstack([W_E, np.zeros((len(W_E), h), dtype=dtype)]),
        W_in=np.vstack([W_in, np.zeros((h, h), dtype=dtype)]),
        b_in=b_in,
        W_out=np.hstack([np.zeros((h, d), dtype=dtype), np.eye(h, dtype=dtype)]),
        W_U=np.vstack(
            [
                np.zeros((d, len(W_E)), dtype=dtype),
                (W_out.astype(wide) @ W_U.astype(wide)).astype(dtype),
            ]
        ),
        b_U=b_U,
    )


def _compared(
    given: State, choices: Sequence[Choice], logits: Logits, task: tuple[int, float]
) -> ReluNetwork:
    """The first choice that computes what the model does."""
    k, c = task
    rng = np.random.default_rng(0)
    n = _network(given, choices[0]).n
    tokens = random_sets(rng, _COMPARED, n, k)
    alpha = random_coefficients(rng, _COMPARED, k, c)
    wanted = np.asarray(logits(tokens, alpha))
    if wanted.shape != (_COMPARED, n):
        raise DomainError(
            f"logits must return [{_COMPARED}, {n}] for tokens [{_COMPARED}, {k}]; got "
            f"{list(wanted.shape)}"
        )
    room = _ROOM[min(wanted.dtype.itemsize, given["W_in"].dtype.itemsize)]
    wanted = wanted.astype(np.float64)
    size = float(np.ptp(wanted)) or float(np.abs(wanted).max()) or 1.0

    def off(network: ReluNetwork, layer: Callable[[np.ndarray], np.ndarray]) -> float:
        wide = network.astype(np.float64)
        x = wide.residual(tokens, alpha)
        x = x + layer(x @ wide.W_in + wide.b_in) @ wide.W_out
        x = x if wide.b_out is None else x + wide.b_out
        return float(np.abs(wide.read_out(x) - wanted).max())

    differences = []
    for choice in choices:
        network = _network(given, choice)
        differences.append(off(network, _ACTIVATIONS["ReLU"]))
        if differences[-1] <= room * size:
            return network
    for choice in choices:
        network = _network(given, choice)
        for name, layer in _ACTIVATIONS.items():
            if off(network, layer) <= room * size:
                raise DomainError(f"the model's activation is {name}, not ReLU: {CLASS}")
    raise DomainError(
        f"the arrays do not compute what logits does: the largest difference is "
        f"{min(differences):.3g}, over logits that span {size:.3g}. The likeliest causes: a "
        "matrix that is stored transposed, no residual connection, another activation than ReLU, "
        "a layer, bias or norm that was left out, or coefficients that are not multiplied in"
    )


def _gelu(z: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return z * ndtr(z)


_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ReLU": lambda z: np.maximum(z, 0.0),
    "GELU": _gelu,
    "GELU (by tanh)": lambda z: (
        0.5 * z * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (z + 0.044715 * z**3)))
    ),
    "SiLU": lambda z: z / (1.0 + np.exp(-np.clip(z, -700.0, 700.0))),
    "tanh": np.tanh,
    "the sigmoid": lambda z: 1.0 / (1.0 + np.exp(-np.clip(z, -700.0, 700.0))),
    "the squared ReLU": lambda z: np.maximum(z, 0.0) ** 2,
    "none at all (linear)": lambda z: z,
    "the leaky ReLU": lambda z: np.where(z > 0.0, z, 0.01 * z),
}


def tensors_of(network: ReluNetwork) -> dict[str, np.ndarray]:
    """The arrays of a network, by our names."""
    return {
        field.name: tensor
        for field in fields(network)
        if isinstance(tensor := getattr(network, field.name), np.ndarray)
    }
