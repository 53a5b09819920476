"""The network under analysis: from a module, a state, a file, a run's folder, or made here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from simulate.constructions import Hashes
from simulate.network import ReluNetwork
from simulate.sampling import random_sets
from theory.domain import DomainError, check_integer, check_real
from train.reading import construction, layout
from train.reading.construction import ASSUMED_C, number, pairs
from train.reading.layout import Logits
from train.reading.names import NETWORK

# of the modules of torch
_OTHER_ACTIVATIONS = {
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "Mish",
    "PReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
}


class Told(TypedDict, total=False):
    """What is told of a state where names, shapes and a comparison do not tell.

    transpose: our names of tensors that are stored transposed. ignore: the state's names of tensors
    that are left out. residual: whether there is a residual connection; if None, the comparison
    tells, and without one there is, where shapes allow it. name: of the network, for people.
    """

    transpose: Sequence[str]
    ignore: Sequence[str]
    residual: bool | None
    name: str


@dataclass(frozen=True)
class Subject:
    """A network with its task: k active tokens of n, coefficients in [1, c].

    name: as it was given, without folders. source: what is known of it, plain data. c_assumed:
    whether c was neither given nor found. compared: whether the arrays were held against the model
    they come from, and compute the same. hashes: of a construction.
    """

    network: ReluNetwork
    k: int
    c: float
    name: str = "network"
    source: dict[str, Any] = field(default_factory=dict)
    c_assumed: bool = False
    compared: bool = False
    hashes: Hashes | None = None

    @classmethod
    def from_module(
        cls,
        module: Any,
        k: int,
        c: float = ASSUMED_C,
        names: Mapping[str, str] | None = None,
        logits: Logits | None = None,
        **told: Unpack[Told],
    ) -> Subject:
        """The network that a torch.nn.Module holds; arguments as for `all_from_state`.

        names: ours with the module's, for tensors whose names are not guessed, as in
        {"W_E": "vocab_table.weight", "W_in": "wide.weight", "b_in": "wide.bias"}. Raises
        DomainError for a module outside the class too.
        """
        for part in module.modules():
            kind = type(part).__name__
            if kind in _OTHER_ACTIVATIONS or kind.endswith("Norm") or "BatchNorm" in kind:
                what = "activation" if kind in _OTHER_ACTIVATIONS else "norm"
                raise DomainError(f"the module has a {kind}, another {what}: {layout.CLASS}")
        told = {"name": type(module).__name__, **told}
        return cls.from_state(module.state_dict(), k, c, names, logits, **told)

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any] | str | Path,
        k: int,
        c: float = ASSUMED_C,
        names: Mapping[str, str] | None = None,
        logits: Logits | None = None,
        **told: Unpack[Told],
    ) -> Subject:
        """The one network of a state, see `all_from_state`; several instances are refused."""
        found = cls.all_from_state(state, k, c, names, logits, **told)
        if len(found) > 1:
            raise DomainError(
                f"the state must be of one network; it has {len(found)} instances, which "
                "Subject.all_from_state reads one by one"
            )
        return found[0]

    @classmethod
    def all_from_state(
        cls,
        state: Mapping[str, Any] | str | Path,
        k: int,
        c: float = ASSUMED_C,
        names: Mapping[str, str] | None = None,
        logits: Logits | None = None,
        **told: Unpack[Told],
    ) -> list[Subject]:
        """The networks of a state dict, of arrays by name, or of a file of either.

        Several where every tensor has an axis of instances in front, else one. names: ours with the
        state's, where they are not guessed. told: see `Told`. logits: the model's own forward pass,
        (tokens [B, k] int64, coefficients [B, k]) -> [B, n], against which the arrays of a single
        network are compared on random inputs; its arguments are torch tensors where the state has
        any, with float32 coefficients, else arrays. Raises DomainError for tensors left over, for
        shapes that do not fit, and where the arrays do not compute what logits does.
        """
        from train.reading.weights import flattened, read_tensors

        if unknown := sorted({*told} - {*Told.__annotations__}):
            raise TypeError(
                f"nothing is called {unknown[0]} here: {', '.join(Told.__annotations__)}"
            )
        name = told.get("name", "network")
        torch_tensors = True
        if isinstance(state, Mapping):
            torch_tensors = any(hasattr(value, "detach") for value in state.values())
            tensors, _ = flattened(state)
        else:
            name = told.get("name", Path(state).name)
            tensors, _ = read_tensors(Path(state))
        keys = layout.assigned(tensors, names or {}, told.get("ignore", ()))
        ours = layout.instances({role: tensors[key] for role, key in keys.items()})
        check_real("c", c, 1.0, closed=True)
        forward = None if logits is None else _called(logits, torch_tensors)
        if forward is not None and len(ours) > 1:
            raise DomainError("logits must come with one network; the state has several instances")
        transpose, residual = told.get("transpose", ()), told.get("residual")
        return [
            checked(
                cls(
                    network=layout.build(arrays, keys, transpose, residual, forward, (k, c)),
                    k=k,
                    c=c,
                    name=name if len(ours) == 1 else f"{name}, instance {place}",
                    source={"kind": "state", "names": dict(sorted(keys.items()))},
                    compared=forward is not None,
                )
            )
            for place, arrays in enumerate(ours)
        ]


def _called(logits: Logits, torch_tensors: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The user's forward pass, on what the state is made of; its answer as an array."""
    from train.reading.weights import as_array

    def forward(tokens: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        if not torch_tensors:
            return as_array(logits(tokens, alpha))
        import torch

        with torch.no_grad():
            given = torch.from_numpy(tokens), torch.from_numpy(alpha.astype(np.float32))
            return as_array(logits(*given))

    return forward


def open_subject(
    checkpoint: str,
    k: int | None = None,
    c: float | None = None,
    names: Sequence[str] = (),
    transpose: Sequence[str] = (),
    ignore: Sequence[str] = (),
    residual: bool | None = None,
) -> Subject:
    """Read the one network that an argument of a command names, see `open_subjects`."""
    found = open_subjects(checkpoint, k, c, names, transpose, ignore, residual)
    if len(found) > 1:
        raise DomainError(
            f"{checkpoint} must hold one network; it has {len(found)} instances, which "
            "open_subjects reads one by one"
        )
    return found[0]


def open_subjects(
    checkpoint: str,
    k: int | None = None,
    c: float | None = None,
    names: Sequence[str] = (),
    transpose: Sequence[str] = (),
    ignore: Sequence[str] = (),
    residual: bool | None = None,
) -> list[Subject]:
    """Read the networks that an argument of a command names: one, or those of several instances.

    checkpoint: a safetensors file, a state dict that torch.save wrote, a folder with
    network.safetensors, or a text for `construction.constructed`. k, c: in place of those in the
    metadata. names: OURS=THEIRS, where names are not guessed. The rest: see `Told`. Raises
    DomainError for whatever is wrong with any.
    """
    if not checkpoint.startswith(construction.PREFIX):
        told = Told(transpose=tuple(transpose), ignore=ignore, residual=residual)
        return _stored(Path(checkpoint), k, c, pairs("names", names, "W_in=mlp.0.weight"), told)
    if names or transpose or ignore or residual is not None:
        raise DomainError(
            "names, transpose, ignore and residual must come with a file, not with a construction"
        )
    made = construction.constructed(checkpoint)
    subject = Subject(
        network=made.network,
        k=made.k if k is None else k,
        c=made.c if c is None else c,
        name=checkpoint,
        source=made.options,
        compared=True,
        hashes=made.hashes,
    )
    return [checked(subject)]


def _stored(
    path: Path, k: int | None, c: float | None, names: Mapping[str, str], told: Told
) -> list[Subject]:
    from train import check_installed

    check_installed()
    from train.reading import weights

    if path.is_dir():
        if not (path / NETWORK).is_file():
            raise DomainError(f"{path} is no run: it has no {NETWORK}")
        path = path / NETWORK
    if not path.exists():
        raise DomainError(f"checkpoint must be a file, or the folder of a run; there is no {path}")
    tensors, metadata = weights.read_tensors(path)
    # a second embedding is that of another task, and none of the uniform one
    second = tensors.pop("V", None) is not None and "V" not in told.get("ignore", ())
    if k is None:
        k = number(metadata, "k", int, " in the metadata")
    if k is None:
        raise DomainError(f"k must be given: {path.name} has no k in its metadata; use --k")
    own_c = number(metadata, "c", float, " in the metadata") if c is None else c
    c = ASSUMED_C if own_c is None else own_c
    told["name"] = (path.parent.name if path.name == NETWORK else path.name) or path.name
    try:
        found = Subject.all_from_state(tensors, k, c, names, **told)
    except DomainError as error:
        raise DomainError(f"{path}: {error}") from None
    source = {"kind": "file", "metadata": metadata, "second_embedding": second}
    return [
        # what the suite's own training wrote is what was trained
        replace(
            each,
            source={**each.source, **source},
            c_assumed=own_c is None,
            compared="recipe" in metadata,
        )
        for each in found
    ]


def checked(subject: Subject) -> Subject:
    """The subject itself; DomainError for k, c or coefficients out of range, or huge weights."""
    network = subject.network
    check_integer("k", subject.k, 1, network.n - 1, "n - 1")
    check_real("c", subject.c, 1.0, closed=True)
    if network.alpha_min > 1.0:
        raise DomainError(
            f"gain must be at least 1, or coefficients in [1, c] do not switch the units; "
            f"got {1.0 / network.alpha_min:g}"
        )
    # finite weights can be so large that logits are not
    tokens = random_sets(np.random.default_rng(0), 16, network.n, subject.k)
    alpha = np.full(tokens.shape, subject.c)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = network.logits(tokens, alpha)
    if not np.isfinite(logits).all():
        raise DomainError(f"weights must be so small that logits are finite in {network.dtype}")
    return subject
