"""The methods that come with the benchmark: our own recovery, baselines by libraries, and chance.

Baselines get as many components as the network has hidden units, and the settings that their
libraries have by default or recommend; nothing is tuned to an organism. A method that has not
converged in its steps is scored as it stands.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

import numpy as np

from simulate.jobs.table import Named
from theory.domain import DomainError
from train.organism.activations import Activations, Site, draw, token_effects
from train.organism.proposal import Method, Proposal, of_directions, of_loadings
from train.reading.masks import extract
from train.reading.subject import Subject

if TYPE_CHECKING:
    from sklearn.base import TransformerMixin


class Name(Named):
    """The methods by the names of the command line, and what figures call them."""

    ANALYSIS = "analysis", "our recovery"
    HIDDEN_UNITS = "hidden_units", "hidden units"
    ICA = "ica", "ICA"
    NMF = "nmf", "NMF"
    DICTIONARY = "dictionary", "dictionary learning"
    K_MEANS = "k_means", "k-means"
    SINGULAR_VECTORS = "singular_vectors", "singular vectors"
    RANDOM = "random", "random masks"


def analysis(subject: Subject, rng: np.random.Generator) -> Proposal:
    """The project's blind recovery, from the weights: every live unit, its masks and its kind."""
    masks = extract(subject.network, subject.k, subject.c)
    units = np.flatnonzero(masks.live)
    clear = np.minimum(masks.read_modes.nats, masks.write_modes.nats)
    return Proposal(
        masks.read[:, units], clear[units], masks.write[:, units], masks.orientation[units]
    )


def random_masks(subject: Subject, rng: np.random.Generator) -> Proposal:
    """Independent bits at the density of the best filter, 1 - 2^(-1/k); looks at nothing."""
    n, h = subject.network.n, subject.network.h
    density = 1.0 - 2.0 ** (-1.0 / subject.k)
    return Proposal(rng.random((n, h)) < density, np.ones(h))


def singular_vectors(subject: Subject, rng: np.random.Generator) -> Proposal:
    """The right singular vectors of W_E, tokens centred, as directions."""
    W_E = subject.network.W_E.astype(np.float64)
    directions = np.linalg.svd(W_E - W_E.mean(axis=0), full_matrices=False)[2]
    return of_directions(directions[: subject.network.h], subject)


def hidden_units(subject: Subject, rng: np.random.Generator) -> Proposal:
    """Each hidden unit a component: which tokens move its activation."""
    seen = draw(subject, Site.RELU, rng)
    return _proposed(subject, seen, seen.values)


def ica(subject: Subject, rng: np.random.Generator) -> Proposal:
    """FastICA of the residual stream after the layer, all of its dimensions."""
    from sklearn.decomposition import FastICA

    seen = draw(subject, Site.RESID_POST, rng)
    rank = int(np.linalg.matrix_rank(seen.values - seen.values.mean(axis=0)))
    model = FastICA(rank, whiten="unit-variance", max_iter=200, random_state=_seed(rng))
    return _fitted(model, subject, seen)


def nmf(subject: Subject, rng: np.random.Generator) -> Proposal:
    """Non-negative matrix factorisation of the hidden activations."""
    from sklearn.decomposition import NMF

    model = NMF(subject.network.h, init="nndsvda", max_iter=200, random_state=_seed(rng))
    return _fitted(model, subject, draw(subject, Site.RELU, rng))


def dictionary(subject: Subject, rng: np.random.Generator) -> Proposal:
    """Mini-batch dictionary learning of the residual stream after the layer.

    Of inputs of unit norm about their mean at the penalty 1.2/sqrt(d) (Mairal et al. 2009).
    """
    from sklearn.decomposition import MiniBatchDictionaryLearning

    seen = draw(subject, Site.RESID_POST, rng)
    centred = seen.values - seen.values.mean(axis=0)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    model = MiniBatchDictionaryLearning(
        subject.network.h,
        alpha=1.2 / np.sqrt(subject.network.d),
        max_iter=10,
        batch_size=256,
        fit_algorithm="cd",
        transform_algorithm="lasso_cd",
        random_state=_seed(rng),
    )
    unit = centred / np.maximum(norm, np.finfo(np.float64).tiny)
    return _fitted(model, subject, replace(seen, values=unit))


def k_means(subject: Subject, rng: np.random.Generator) -> Proposal:
    """k-means of the residual stream after the layer: the distance to each centre."""
    from sklearn.cluster import KMeans

    model = KMeans(subject.network.h, n_init=1, random_state=_seed(rng))
    return _fitted(model, subject, draw(subject, Site.RESID_POST, rng))


METHODS: Mapping[str, Method] = {
    Name.ANALYSIS: analysis,
    Name.HIDDEN_UNITS: hidden_units,
    Name.ICA: ica,
    Name.NMF: nmf,
    Name.DICTIONARY: dictionary,
    Name.K_MEANS: k_means,
    Name.SINGULAR_VECTORS: singular_vectors,
    Name.RANDOM: random_masks,
}


def method_named(name: str) -> Method:
    """One of ours, or any MODULE:FUNCTION that can be imported. Raises DomainError for another."""
    if name in METHODS:
        return METHODS[name]
    module, colon, function = name.partition(":")
    if not (module and colon and function):
        known = ", ".join(METHODS)
        raise DomainError(f"methods must be among {known}, or MODULE:FUNCTION; got {name}")
    try:
        found: object = getattr(import_module(module), function)
    except Exception as error:  # whatever a module of others does when it is imported
        raise DomainError(
            f"methods must be importable as MODULE:FUNCTION; {name}: {error}"
        ) from None
    if not callable(found):
        raise DomainError(f"methods must be functions; {name} is {found!r:.60}")
    return cast(Method, found)


def check_methods(names: Sequence[str]) -> None:
    """Raise DomainError for a name that is no method, or where scikit-learn is missing."""
    for name in names:
        method_named(name)
    needed = {Name.ICA, Name.NMF, Name.DICTIONARY, Name.K_MEANS} & {*names}
    if needed and find_spec("sklearn") is None:
        raise DomainError(
            f"scikit-learn must be installed for {', '.join(sorted(needed))}: "
            'pip install -e ".[benchmark]"'
        )


def _seed(rng: np.random.Generator) -> int:
    """For a library that takes no generator."""
    return int(rng.integers(2**31))


def _fitted(model: TransformerMixin, subject: Subject, seen: Activations) -> Proposal:
    """The activity of the model's components on the inputs that it was fitted on."""
    with _as_it_stands():
        return _proposed(subject, seen, model.fit_transform(seen.values))


def _proposed(subject: Subject, seen: Activations, activity: np.ndarray) -> Proposal:
    return of_loadings(token_effects(seen.tokens, activity, subject.network.n))


@contextmanager
def _as_it_stands() -> Iterator[None]:
    """A library's warnings that it has not converged are no news here."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
