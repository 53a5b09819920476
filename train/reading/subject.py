"""The network under analysis: from a file, from a run's folder, or a construction made here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simulate import constructions
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes, random_sets
from theory.domain import DomainError, check_integer, check_real, check_sizes
from theory.softmax_output import sufficient_beta

CONSTRUCTION = "construction:"
NETWORK = "network.safetensors"
ASSUMED_C = 2.0
# a construction whose beta is not given loses at most this to uncovered tokens
LEAKAGE = 1e-3
ETA = 1e-6

_INTEGERS, _REALS = ("n", "k", "d", "m", "seed"), ("c", "beta", "eta", "gain")
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


def open_subject(
    checkpoint: str,
    k: int | None = None,
    c: float | None = None,
    names: Sequence[str] = (),
    transpose: Sequence[str] = (),
) -> Subject:
    """Read the network that an argument of a command names.

    checkpoint: a safetensors file, a folder with network.safetensors, or
    construction:n=512,k=3,d=64,m=12 and optionally kind (clamp, complement, complement_limit),
    seed, c, gain, beta (if not given, so large that uncovered tokens take at most 0.1 %) and eta
    (1e-6). k, c: in place of those in the metadata. names: OURS=THEIRS. transpose: our names of
    the tensors that are stored transposed. Raises DomainError for whatever is wrong with any.
    """
    if checkpoint.startswith(CONSTRUCTION):
        if names or transpose:
            raise DomainError("names and transpose must come with a file, not with a construction")
        subject = _constructed(checkpoint, k, c)
    else:
        subject = _stored(Path(checkpoint), k, c, names, tuple(transpose))
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
    path: Path, k: int | None, c: float | None, names: Sequence[str], transpose: tuple[str, ...]
) -> Subject:
    from train import check_installed

    check_installed()
    from train.reading import weights

    if path.is_dir():
        path = path / NETWORK
    stored = weights.load(path, _mapping("names", names, "W_in=mlp.0.weight"), transpose)
    # the library's order is not the same twice
    metadata = dict(sorted(stored.metadata.items()))
    if k is None:
        k = _number(metadata, "k", int, " in the metadata")
    if k is None:
        raise DomainError(f"k must be given: {path.name} has no k in its metadata; use --k")
    if c is None:
        c = _number(metadata, "c", float, " in the metadata")
    name = path.parent.name if path.name == NETWORK else path.name
    return Subject(
        network=stored.relu_network,
        k=k,
        c=ASSUMED_C if c is None else c,
        name=name or path.name,
        source={
            "kind": "file",
            "metadata": metadata,
            "second_embedding": stored.network is not stored.relu_network,
        },
        c_assumed=c is None,
    )


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
        if name not in ("n", "k", "d", "m", "seed", "c", *options):
            raise DomainError(
                f"construction must have n, k, d, m and optionally kind, seed, c, "
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
    return Subject(
        network=make(hashes, **values),
        k=own_k if k is None else k,
        c=own_c if c is None else c,
        name=text,
        source={"kind": kind, "m": m, "seed": seed, **values},
        hashes=hashes,
    )
