"""Tiny networks to certify: random, adversarial, near a construction, and trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulate.constructions import clamp, complement
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from train.reading.normal_form import NormalForm

TENSORS = ("W_E", "W_in", "b_in", "W_out", "W_U")


def in_pieces(
    test: Callable[..., None], piece: int, size: int, *drawn: st.SearchStrategy[Any]
) -> None:
    """`test` of `size` examples, which are others for every piece and the same at every run."""
    patient = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    some = settings(max_examples=size, deadline=None, suppress_health_check=patient)
    hypothesis.seed(piece)(some(given(*drawn)(test)))()


@cache
def trained(seed: int, n: int, d: int, k: int) -> ReluNetwork:
    """A network after a short training."""
    from train.training.fit import advance, begin
    from train.training.recipe import Recipe

    recipe = Recipe(n=n, d=d, k=k, steps=150, batch=64, seed=seed, learning_rate=3e-2, warmup=10)
    state = begin(recipe)
    advance(state, recipe.steps)
    network = state.model.to_network()
    assert isinstance(network, ReluNetwork)
    return network


# of the tokens there are, by k
TRAINED_SIZES = {1: (6, 4), 2: (6, 4), 3: (5, 3)}


def train_them() -> None:
    """Before any is drawn: Hypothesis minds that training moves global random states."""
    for k, (n, d) in TRAINED_SIZES.items():
        for seed in (0, 1):
            trained(seed, n, d, k)


def noisy(network: ReluNetwork, rng: np.random.Generator, size: float) -> ReluNetwork:
    """The weights with noise, in their dtype."""
    moved = {
        name: getattr(network, name) + (size * rng.standard_normal(getattr(network, name).shape))
        for name in TENSORS
    }
    return ReluNetwork(**{name: w.astype(network.dtype) for name, w in moved.items()})


def scaled(network: ReluNetwork, embedding: int, read: int, logits: int) -> ReluNetwork:
    """Powers of two in the weights, so that logits are 2^logits as large and nothing else moves."""
    powers = {
        "W_E": embedding,
        "W_in": read,
        "b_in": embedding + read,
        "W_out": -read,
        "W_U": logits - embedding,
        "b_out": embedding,
        "b_U": logits,
    }
    tensors = {name: getattr(network, name) for name in powers}
    return ReluNetwork(
        **{name: w if w is None else np.ldexp(w, powers[name]) for name, w in tensors.items()}
    )


# powers of two of W_E, W_in and the logits
SCALES = [(0, 0, 0), (0, 0, 0), (40, -40, 0), (-30, -30, 0), (40, 40, -80), (0, 0, -120)]


@st.composite
def forms(draw: st.DrawFn, most_k: int = 3) -> NormalForm:
    """Any of them with some proposal of masks and signs, right or wrong."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    k = draw(st.integers(1, most_k))
    n = draw(st.integers(k + 1, 5 if k == 3 else 6))
    kind = draw(st.sampled_from(["random", "adversarial", "near", "finished", "trained"]))
    c = draw(st.sampled_from([1.0, 1.5, 2.0, 3.7]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    if kind in ("random", "adversarial"):
        d, h = int(rng.integers(1, 4)), int(rng.integers(1, 5))
        shapes = {"W_E": (n, d), "W_in": (d, h), "b_in": (h,), "W_out": (h, d), "W_U": (d, n)}
        # few values, so that ties and gates on the boundary abound
        draw_weights = rng.standard_normal if kind == "random" else _integers(rng)
        arrays = {name: draw_weights(shape).astype(dtype) for name, shape in shapes.items()}
        for name, size in (("b_out", d), ("b_U", n)):
            if rng.random() < 0.3:
                arrays[name] = draw_weights((size,)).astype(dtype)
        network = ReluNetwork(**arrays)
        owners = rng.random((n, h)) < rng.random()
        sign = rng.choice([-1, 1], h)
    elif kind == "trained":
        n, d = TRAINED_SIZES[k]
        h = d
        network = noisy(trained(int(rng.integers(2)), n, d, k), rng, rng.choice([0.0, 0.05]))
        read = network.W_E @ network.W_in
        owners = read > np.median(read, axis=0)
        sign = np.full(h, -1)
    else:
        d = h = 4 if k < 3 else 3
        hashes = random_hashes(rng, n, d, int(rng.integers(1, d)))
        is_clamp = bool(rng.integers(2))
        beta = float(rng.choice([0.3, 2.0, 5.0]))
        network = (clamp if is_clamp else complement)(hashes, beta, dtype=dtype)
        owners, sign = hashes, np.full(h, -1 if is_clamp else 1)
        if kind == "near":
            network = noisy(network, rng, float(rng.choice([0.0, 1e-6, 1e-3, 0.1])))
            network = dataclasses.replace(network, alpha_min=0.0)
        else:
            network = noisy(network, rng, 0.01)
            # enough to keep every gate clear of its boundary
            network = dataclasses.replace(network, W_E=(network.W_E * 1.5).astype(dtype))
    network = scaled(network, *draw(st.sampled_from(SCALES)))
    return NormalForm(network, k, c, owners, sign)


def _integers(rng: np.random.Generator):
    return lambda shape: rng.integers(-2, 3, shape) / 2.0
