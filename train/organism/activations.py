"""Activations of a network on inputs of its task, for methods that do not look at the weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from simulate.sampling import random_coefficients, random_sets
from train.reading.subject import Subject

INPUTS = 8192


class Site(StrEnum):
    """Where to look, named as the submodules of `hooked.HookedNetwork`."""

    RESID_PRE = "resid_pre"
    RELU = "relu"
    RESID_POST = "resid_post"


@dataclass(frozen=True)
class Activations:
    """Fresh inputs and what the network holds at one site on each; values in float64."""

    tokens: Int[np.ndarray, "inputs k"]
    alpha: Float[np.ndarray, "inputs k"]
    values: Float[np.ndarray, "inputs width"]


def draw(
    subject: Subject, site: Site, rng: np.random.Generator, inputs: int = INPUTS
) -> Activations:
    """The network's activations on uniform inputs of its task; inputs at least 1."""
    network = subject.network
    tokens = random_sets(rng, inputs, network.n, subject.k)
    alpha = random_coefficients(rng, inputs, subject.k, subject.c)
    x = network.residual(tokens, alpha)
    values = {
        Site.RESID_PRE: lambda: x,
        Site.RELU: lambda: np.maximum(x @ network.W_in + network.b_in, 0),
        Site.RESID_POST: lambda: network.after_layer(x),
    }[site]()
    return Activations(tokens, alpha, values.astype(np.float64))


def token_effects(
    tokens: Int[np.ndarray, "inputs k"], activity: Float[np.ndarray, "inputs components"], n: int
) -> Float[np.ndarray, "n components"]:
    """How each token among an input's moves each activity: least squares, one effect a token.

    Of activity about its mean on which of the n tokens an input has; a ridge of one input keeps the
    effect of a token that few inputs have, or none, near 0. Cost O(inputs k components + n^3).
    """
    from scipy import sparse
    from scipy.linalg import solve

    inputs, k = tokens.shape
    rows = np.repeat(np.arange(inputs), k)
    shape = (inputs, n)
    present = sparse.csr_array((np.ones(inputs * k), (rows, tokens.ravel())), shape=shape)
    centred = activity - activity.mean(axis=0)
    gram = (present.T @ present).toarray() + np.eye(n)
    return np.asarray(solve(gram, present.T @ centred, assume_a="pos"))
