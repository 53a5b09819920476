"""The network under analysis: from a file, from a run's folder, or a construction made here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from simulate import constructions
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes, random_sets
from theory.domain import DomainError, check_integer, check_real, check_sizes
from theory.softmax_output import sufficient_beta
from train.reading import layout
from train.reading.layout import Logits

CONSTRUCTION = "construction:"
NETWORK = "network.safetensors"
ASSUMED_C = 2.0
# tokens times bits of a construction from which on its weights are float32
LARGE = 2**22
# a construction whose beta is not given loses at most this to uncovered tokens
LEAKAGE = 1e-3
ETA = 1e-6

_INTEGERS, _REALS = ("n", "k", "d", "m", "seed"), ("c", "beta", "eta", "gain", "noise")
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
_KINDS: dict[str, tuple[Callable[..., ReluNetwork], tuple[str, ...]]] = {
    "clamp": (constructions.clamp, ("beta",)),
    "complement": (constructions.complement, ("beta", "gain")),
    "complement_limit": (constructions.complement_limit, ("beta", "gain", "eta")),
}


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
    hashes: constructions.Hashes | None = None

    @classmethod
    def from_module(
        cls,
        module: Any,
        k: int,
        c: float = ASSUMED_C,
        names: Mapping[str, str] | None = None,
        logits: Logits | None = None,
        **more: Any,
    ) -> Subject:
        """The network that a torch.nn.Module holds.

        names: ours with the state's, where they are not guessed. logits: the module's own forward
        pass, (tokens [B, k] int64, coefficients [B, k] float32) -> [B, n], both torch tensors,
        against which the arrays are compared on random inputs. more: as for `from_state`. Raises
        DomainError for a module outside the class, for tensors left over, and where the arrays do
        not compute what logits does.
        """
        for part in module.modules():
            kind = type(part).__name__
            if kind in _OTHER_ACTIVATIONS or kind.endswith("Norm") or "BatchNorm" in kind:
                what = "activation" if kind in _OTHER_ACTIVATIONS else "norm"
                raise DomainError(f"the module has a {kind}, another {what}: {layout.CLASS}")
        return cls.from_state(
            module.state_dict(), k, c, names, logits, name=type(module).__name__, **more
        )

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any] | str | Path,
        k: int,
        c: float = ASSUMED_C,
        names: Mapping[str, str] | None = None,
        logits: Logits | None = None,
        *,
        transpose: Sequence[str] = (),
        ignore: Sequence[str] = (),
        residual: bool | None = None,
        name: str = "network",
    ) -> Subject:
        """The network of a state dict, of arrays by name, or of a file of either.

        transpose: our names of tensors that are stored transposed, where shapes and names do not
        tell. ignore: names of tensors that are left out. residual: whether there is a residual
        connection; if None, the comparison tells, and without one there is. logits: as for
        `from_module`; torch tensors where the state has any, else arrays. A state of several
        instances is refused: `all_from_state` reads those.
        """
        found = cls.all_from_state(
            state,
            k,
            c,
            names,
            logits,
            transpose=transpose,
            ignore=ignore,
            residual=residual,
            name=name,
        )
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
        *,
        transpose: Sequence[str] = (),
        ignore: Sequence[str] = (),
        residual: bool | None = None,
        name: str = "network",
    ) -> list[Subject]:
        """The networks of a state whose tensors may have an axis of instances in front."""
        from train.reading.weights import flattened, read_tensors

        torch_tensors = not isinstance(state, Mapping)
        if isinstance(state, Mapping):
            torch_tensors = any(hasattr(value, "detach") for value in state.values())
            tensors, _ = flattened(state)
        else:
            name = Path(state).name
            tensors, _ = read_tensors(Path(state))
        keys = layout.assigned(tensors, names or {}, ignore)
        ours = layout.instances({role: tensors[key] for role, key in keys.items()})
        check_real("c", c, 1.0, closed=True)
        forward = None if logits is None else _called(logits, torch_tensors)
        if forward is not None and len(ours) > 1:
            raise DomainError("logits must come with one network; the state has several instances")
        found = []
        for place, arrays in enumerate(ours):
            network = layout.build(arrays, keys, transpose, residual, forward, (k, c))
            subject = cls(
                network=network,
                k=k,
                c=c,
                name=name if len(ours) == 1 else f"{name}, instance {place}",
                source={"kind": "state", "names": dict(sorted(keys.items()))},
                compared=forward is not None,
            )
            found.append(_checked(subject))
        return found


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
        raise DomainError(f"{checkpoint} must hold one network; it has {len(found)} instances")
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
    network.safetensors, or construction:n=512,k=3,d=64,m=12 and optionally kind (clamp, complement,
    complement_limit), seed, c, gain, noise, beta (if not given, so large that uncovered tokens take
    at most 0.1 %) and eta (1e-6). k, c: in place of those in the metadata. names: OURS=THEIRS,
    where names are not guessed. transpose: our names of the tensors that are stored transposed,
    where shapes and names do not tell. ignore, residual: as for `Subject.from_state`. Raises
    DomainError for whatever is wrong with any.
    """
    if checkpoint.startswith(CONSTRUCTION):
        if names or transpose or ignore or residual is not None:
            raise DomainError(
                "names, transpose, ignore and residual must come with a file, not with a "
                "construction"
            )
        return [_checked(_constructed(checkpoint, k, c))]
    return _stored(Path(checkpoint), k, c, names, tuple(transpose), ignore, residual)


def _checked(subject: Subject) -> Subject:
    check_integer("k", subject.k, 1, subject.network.n - 1, "n - 1")
    check_real("c", subject.c, 1.0, closed=True)
    if subject.network.alpha_min > 1.0:
        raise DomainError(
            f"gain must be at least 1, or coefficients in [1, c] do not switch the units; "
            f"got {1.0 / subject.network.alpha_min:g}"
        )
    _check_outputs(subject)
    return subject


def _stored(
    path: Path,
    k: int | None,
    c: float | None,
    names: Sequence[str],
    transpose: tuple[str, ...],
    ignore: Sequence[str],
    residual: bool | None,
) -> list[Subject]:
    from train import check_installed

    check_installed()
    from train.reading import weights

    if path.is_dir():
        path = path / NETWORK
    tensors, metadata = weights.read_tensors(path)
    # a second embedding is that of another task, and none of the uniform one
    second = tensors.pop("V", None) is not None and "V" not in ignore
    if k is None:
        k = _number(metadata, "k", int, " in the metadata")
    if k is None:
        raise DomainError(f"k must be given: {path.name} has no k in its metadata; use --k")
    own_c = _number(metadata, "c", float, " in the metadata") if c is None else c
    c = ASSUMED_C if own_c is None else own_c
    name = path.parent.name if path.name == NETWORK else path.name
    try:
        found = Subject.all_from_state(
            tensors,
            k,
            c,
            _mapping("names", names, "W_in=mlp.0.weight"),
            transpose=transpose,
            ignore=ignore,
            residual=residual,
            name=name or path.name,
        )
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


def _check_outputs(subject: Subject) -> None:
    """Finite weights can be so large that logits are not."""
    rng, network = np.random.default_rng(0), subject.network
    tokens = random_sets(rng, 16, network.n, subject.k)
    alpha = np.full(tokens.shape, subject.c)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = network.logits(tokens, alpha)
    if not np.isfinite(logits).all():
        raise DomainError(f"weights must be so small that logits are finite in {network.dtype}")


def _number(texts: Mapping[str, str], name: str, number: type, place: str = "") -> Any:
    """The number that one of the texts spells; None where there is none."""
    text = texts.get(name)
    if text is None:
        return None
    try:
        return number(text)
    except ValueError:
        kind = "an integer" if number is int else "a number"
        raise DomainError(f"{name}{place} must be {kind}; got {text!r}") from None


def _mapping(what: str, pairs: Sequence[str], example: str) -> dict[str, str]:
    """The dictionary of pairs such as the example."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise DomainError(f"{what} must have the form {example}; got {pair!r}")
        if name in found:
            raise DomainError(f"{what} must name {name} once; got it twice")
        found[name] = value
    return found


def _constructed(text: str, k: int | None, c: float | None) -> Subject:
    parts = text.removeprefix(CONSTRUCTION).split(",")
    given = _mapping("construction", parts, "n=512,k=3,d=64,m=12")
    kind = given.pop("kind", "clamp")
    if kind not in _KINDS:
        raise DomainError(f"kind must be among {', '.join(_KINDS)}; got {kind!r}")
    make, options = _KINDS[kind]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in ("n", "k", "d", "m", "seed", "c", "noise", *options):
            raise DomainError(
                f"construction must have n, k, d, m and optionally kind, seed, c, noise, "
                f"{', '.join(options)}; got {name}"
            )
        values[name] = _number(given, name, int if name in _INTEGERS else float)
        if name in _REALS and not math.isfinite(values[name]):
            raise DomainError(f"{name} must be finite; got {value}")
    missing = [name for name in ("n", "k", "d", "m") if name not in values]
    if missing:
        raise DomainError(f"construction must have n, k, d and m; {', '.join(missing)} missing")
    n, own_k, d, m = check_sizes(*(values.pop(name) for name in ("n", "k", "d", "m")))
    # a false positive needs a non-member
    check_integer("k", own_k, 1, n - 1, "n - 1")
    values = {"beta": max(1.0, sufficient_beta(n, own_k, LEAKAGE))} | values
    if "eta" in options:
        values = {"eta": ETA} | values
    seed = check_integer("seed", values.pop("seed", 0), 0)
    own_c = values.pop("c", ASSUMED_C)
    hashes = random_hashes(np.random.default_rng(seed), n, d, m)
    noise = values.pop("noise", 0.0)
    network = make(hashes, **values, dtype=np.float32 if hashes.size > LARGE else np.float64)
    if noise:
        network = _noisy(network, noise, np.random.default_rng([seed, 1]))
        values["noise"] = noise
    return Subject(
        network=network,
        k=own_k if k is None else k,
        c=own_c if c is None else c,
        name=text,
        source={"kind": kind, "m": m, "seed": seed, **values},
        compared=True,
        hashes=hashes,
    )


def _noisy(network: ReluNetwork, level: float, rng: np.random.Generator) -> ReluNetwork:
    """Normal noise on every entry, `level` times the root mean square of its tensor."""
    changed = {
        name: (
            tensor
            + tensor.dtype.type(level * np.sqrt((tensor.astype(np.float64) ** 2).mean()))
            * rng.standard_normal(tensor.shape, dtype=tensor.dtype.type)
        )
        for name, tensor in layout.tensors_of(network).items()
    }
    # at which coefficients it does what is no longer known
    return replace(network, **changed, alpha_min=0.0)
