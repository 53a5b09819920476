"""One organism measured: every method's scores, and the controls that the scoring has to pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulate.jobs.tasks import Task
from train.benchmarks import suite
from train.benchmarks.methods import METHODS, Name, method_named
from train.benchmarks.suite import Case
from train.organism.family import stream
from train.organism.matching import Scores, perfect, score, scored
from train.organism.names import Name as OrganismName
from train.organism.proposal import Proposal, of_loadings
from train.organism.truth import Truth
from train.reading.masks import NEITHER

_STREAM = 6
# seconds on one core: of making an organism where that takes long, and of each method
_MAKING: Mapping[str, float] = {suite.TRAINED: 25.0, OrganismName.FAULTY_DISGUISED: 15.0}
_METHOD: Mapping[str, float] = {
    Name.ICA: 2.0,
    Name.NMF: 3.0,
    Name.DICTIONARY: 6.0,
    Name.K_MEANS: 1.0,
}


@dataclass(frozen=True)
class Controls:
    """Scores of proposals that are made from the truth itself.

    perfect: the truth. rescaled: the truth as loadings in another order, each at a scale and with
    a sign of its own; None where the truth is not planted, whose bits may be most tokens' (the
    smaller group is then not the owners). wrong: the truth against one with a single entry flipped.
    """

    perfect: float
    rescaled: float | None
    wrong: float


@dataclass(frozen=True)
class CaseScores:
    """The scores of all methods, by name, on one organism of one replicate."""

    organism: str
    grade: int
    noise: float | None
    replicate: int
    methods: dict[str, Scores]
    controls: Controls


def task(
    name: str, methods: Sequence[str], seed: int, replicate: int, quick: bool
) -> Task[CaseScores]:
    """The measurement of one organism with these methods."""
    arguments = {
        "name": name,
        "methods": [str(method) for method in methods],
        "seed": seed,
        "replicate": replicate,
        "quick": quick,
    }
    cost = _MAKING.get(name, 1.0) + sum(_METHOD.get(method, 0.3) for method in methods)
    return Task(f"{name}, replicate {replicate}", measure, arguments, cost)


def measure(
    rng: np.random.Generator,
    name: str,
    methods: Sequence[str],
    seed: int,
    replicate: int,
    quick: bool,
) -> CaseScores:
    """Task: seed, replicate and names decide everything; rng is not used.

    A method's stream does not depend on which others are run.
    """
    from train.training.threads import one_thread

    with one_thread():
        case = suite.case(name, seed, replicate, quick)
        own = (seed, _STREAM, replicate, suite.place_of(name, quick))
        found = {
            method: scores_of(method, case, stream(*own, _place(method))) for method in methods
        }
    return CaseScores(
        organism=name,
        grade=case.organism.grade,
        noise=case.truth.facts.noise,
        replicate=replicate,
        methods=found,
        controls=controls(case.truth, stream(*own)),
    )


def _place(method: str) -> int:
    """That of a method of ours; the same for all others."""
    return list(METHODS).index(method) if method in METHODS else len(METHODS)


def scores_of(method: str, case: Case, rng: np.random.Generator) -> Scores:
    """The scores of a method, by its name, on one organism. RuntimeError where it fails."""
    rng = _without_seed(rng)
    try:
        proposal = method_named(method)(case.subject, rng)
    except Exception as error:
        raise RuntimeError(f"method {method}: {type(error).__name__}: {error}") from error
    if not isinstance(proposal, Proposal):
        raise RuntimeError(f"method {method}: must return a Proposal; got {proposal!r:.60}")
    return scored(proposal, case.truth, case.subject, rng)


def _without_seed(rng: np.random.Generator) -> np.random.Generator:
    """The same stream, that does not tell of which seed it is: the truth is made from that."""
    hidden = np.random.default_rng(0)
    hidden.bit_generator.state = rng.bit_generator.state
    return hidden


def controls(truth: Truth, rng: np.random.Generator) -> Controls:
    """Of one organism's truth."""
    true = perfect(truth)
    planted = truth.basis != "causal"
    return Controls(
        perfect=score(true, truth),
        rescaled=score(rescaled(true, rng), truth) if planted else None,
        wrong=score(true, with_wrong_entry(truth, rng)),
    )


def rescaled(true: Proposal, rng: np.random.Generator) -> Proposal:
    """The components in random order, as loadings of random scales, signs and offsets."""
    components = true.read.shape[1]
    order = rng.permutation(components)
    scale = rng.choice([-1.0, 1.0], components) * np.exp(rng.uniform(-3.0, 3.0, components))
    offset = rng.standard_normal(components)
    read, write = (mask[:, order] * scale + offset for mask in (true.read, true.written))
    return of_loadings(read, write=write)


def with_wrong_entry(truth: Truth, rng: np.random.Generator) -> Truth:
    """The truth with one entry of one of its bits turned over."""
    unit = rng.choice(np.flatnonzero(truth.live & (truth.orientation != NEITHER)))
    read = truth.read.copy()
    read[rng.integers(len(read)), unit] ^= True
    return replace(truth, read=read)
