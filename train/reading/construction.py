"""Networks by the text that names them, such as construction:n=512,k=3,d=64,m=12."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulate import constructions
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from theory.domain import DomainError, check_integer, check_sizes
from theory.softmax_output import sufficient_beta
from train.reading.layout import tensors_of

PREFIX = "construction:"
ASSUMED_C = 2.0
# tokens times bits of a construction from which on its weights are float32
LARGE = 2**22
# a construction whose beta is not given loses at most this to uncovered tokens
LEAKAGE = 1e-3
ETA = 1e-6

_INTEGERS, _REALS = ("n", "k", "d", "m", "seed"), ("c", "beta", "eta", "gain", "noise")
_KINDS: dict[str, tuple[Callable[..., ReluNetwork], tuple[str, ...]]] = {
    "clamp": (constructions.clamp, ("beta",)),
    "complement": (constructions.complement, ("beta", "gain")),
    "complement_limit": (constructions.complement_limit, ("beta", "gain", "eta")),
}


@dataclass(frozen=True)
class Constructed:
    """A network with its task and its hashes. options: all that it was made with, plain data."""

    network: ReluNetwork
    k: int
    c: float
    hashes: constructions.Hashes
    options: dict[str, Any]


def constructed(text: str) -> Constructed:
    """The network of n=512,k=3,d=64,m=12 and whatever more, after an optional construction:.

    kind: clamp, complement or complement_limit. seed, c, gain; noise: normal, on every entry, over
    the root mean square of its tensor; beta: if not given, so large that uncovered tokens take at
    most 0.1 %; eta: 1e-6. Raises DomainError for any other text and for sizes out of range.
    """
    kind, values = _parsed(text.removeprefix(PREFIX))
    make, options = _KINDS[kind]
    n, k, d, m = check_sizes(*(values.pop(name) for name in ("n", "k", "d", "m")))
    # a false positive needs a non-member
    check_integer("k", k, 1, n - 1, "n - 1")
    values = {"beta": max(1.0, sufficient_beta(n, k, LEAKAGE))} | values
    if "eta" in options:
        values = {"eta": ETA} | values
    seed = check_integer("seed", values.pop("seed", 0), 0)
    c = values.pop("c", ASSUMED_C)
    hashes = random_hashes(np.random.default_rng(seed), n, d, m)
    noise = values.pop("noise", 0.0)
    network = make(hashes, **values, dtype=np.float32 if hashes.size > LARGE else np.float64)
    if noise:
        network = noisy(network, noise, np.random.default_rng([seed, 1]))
        values["noise"] = noise
    return Constructed(network, k, c, hashes, {"kind": kind, "m": m, "seed": seed, **values})


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    """The kind, and the numbers by name, the sizes among them."""
    given = pairs("construction", text.split(","), "n=512,k=3,d=64,m=12")
    kind = given.pop("kind", "clamp")
    if kind not in _KINDS:
        raise DomainError(f"kind must be among {', '.join(_KINDS)}; got {kind!r}")
    _, options = _KINDS[kind]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in ("n", "k", "d", "m", "seed", "c", "noise", *options):
            raise DomainError(
                f"construction must have n, k, d, m and optionally kind, seed, c, noise, "
                f"{', '.join(options)}; got {name}"
            )
        values[name] = number(given, name, int if name in _INTEGERS else float)
        if name in _REALS and not math.isfinite(values[name]):
            raise DomainError(f"{name} must be finite; got {value}")
    missing = [name for name in ("n", "k", "d", "m") if name not in values]
    if missing:
        raise DomainError(f"construction must have n, k, d and m; {', '.join(missing)} missing")
    return kind, values


def noisy(network: ReluNetwork, level: float, rng: np.random.Generator) -> ReluNetwork:
    """Normal noise on every entry, `level` times the root mean square of its tensor."""
    changed = {
        name: (
            tensor
            + tensor.dtype.type(level * np.sqrt((tensor.astype(np.float64) ** 2).mean()))
            * rng.standard_normal(tensor.shape, dtype=tensor.dtype.type)
        )
        for name, tensor in tensors_of(network).items()
    }
    # at which coefficients it does what is no longer known
    return replace(network, **changed, alpha_min=0.0)


def number(texts: Mapping[str, str], name: str, kind: type, place: str = "") -> Any:
    """The number that one of the texts spells; None where there is none."""
    text = texts.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        what = "an integer" if kind is int else "a number"
        raise DomainError(f"{name}{place} must be {what}; got {text!r}") from None


def pairs(what: str, given: Sequence[str], example: str) -> dict[str, str]:
    """The dictionary of pairs such as the example."""
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise DomainError(f"{what} must have the form {example}; got {pair!r}")
        if name in found:
            raise DomainError(f"{what} must name {name} once; got it twice")
        found[name] = value
    return found
