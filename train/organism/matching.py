"""A proposal against the truth: components are matched with true bits, one to one, and compared.

A true bit is a live unit of a clamp or a complement. Its entries are, for every token, whether the
token owns it as the network reads it and as it writes it. Components and bits are matched so that
the sum of Cohen's kappa over the pairs is largest (linear assignment).

- score: mean kappa over the true bits; a bit without a partner counts 0, and so does a kappa below
  0. Where more components are proposed than there are bits, only as many count as there are bits,
  those that the method itself scores highest.
- chance: the score of the same proposal with its tokens in random order, a mean over 10 orders. It
  is what masks of these densities score that know nothing of the network. Few entries that are
  right score little, and by chance less still; so methods are compared by the score above chance,
  (score - chance) / (1 - chance).
- bits: entries. Precision is the share of true ones among all that are proposed, recall the share
  of the true ones that are proposed; an entry of a component without a partner is a false one.
- units: a bit is found where kappa is at least 0.8 ("almost perfect", Landis & Koch 1977).
  Precision is the share of all components that find one, recall the share of bits that are found.
- tokens: a token is found where all its entries are right, over all bits. Precision is over the
  tokens of which anything is proposed, recall over those that own a bit.
- orientation: the share of the bits whose partner says rightly whether it is a clamp or a
  complement; None where the method does not say.
- failures: kappa of the inputs that the proposed masks of reading say fail, because a token outside
  is covered, and those that do fail, over 4,096 fresh inputs.

A perfect proposal scores 1 in all of them (failures: 1 where the network fails just where its masks
say, as the exact ones do), in any order and at any scale of its components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.kernels import PackedHashes
from simulate.sampling import random_coefficients, random_sets
from theory.domain import DomainError
from train.analysis.outcomes import mass_on
from train.organism.agreement import cohens_kappa, pairwise_kappa
from train.organism.proposal import Proposal
from train.organism.truth import Truth
from train.reading.failure import fails
from train.reading.masks import NEITHER
from train.reading.subject import Subject

FOUND = 0.8
ORDERS = 10
FAILURE_INPUTS = 4096


@dataclass(frozen=True)
class Rates:
    """Shares in [0, 1]; precision is 0 where nothing is proposed, recall where nothing is true."""

    precision: float
    recall: float


@dataclass(frozen=True)
class Scores:
    """What a proposal is worth, see the module. components: how many were proposed."""

    score: float
    chance: float
    bits: Rates
    units: Rates
    tokens: Rates
    orientation: float | None
    failures: float
    components: int

    @property
    def above_chance(self) -> float:
        """The score on a scale where chance is 0 and everything is 1."""
        return (self.score - self.chance) / (1.0 - self.chance) if self.chance < 1.0 else 0.0


def perfect(truth: Truth) -> Proposal:
    """The proposal that says what is true: one component for each bit."""
    bits = np.flatnonzero(truth.live & (truth.orientation != NEITHER))
    return Proposal(
        truth.read[:, bits], np.ones(len(bits)), truth.write[:, bits], truth.orientation[bits]
    )


def scored(proposal: Proposal, truth: Truth, subject: Subject, rng: np.random.Generator) -> Scores:
    """All measures of a proposal about that subject. Raises DomainError for other tokens."""
    if len(proposal.read) != len(truth.read):
        raise DomainError(
            f"read must have a row for each of {len(truth.read)} tokens; got {len(proposal.read)}"
        )
    true = perfect(truth)
    best = proposal.best(true.read.shape[1])
    own = _matched(best, true)
    orders = [rng.permutation(len(truth.read)) for _ in range(ORDERS)]
    return Scores(
        score=own.score,
        chance=float(np.mean([_matched(best.with_tokens(to), true).score for to in orders])),
        bits=_of_bits(proposal, true),
        units=_of_units(proposal, true),
        tokens=_of_tokens(best, true, own),
        orientation=_orientation(best, true, own),
        failures=failure_agreement(best, subject, rng),
        components=proposal.read.shape[1],
    )


@dataclass(frozen=True)
class _Matching:
    """Pairs of a component and a bit, each of them once, with their kappa."""

    components: Int[np.ndarray, " pairs"]
    bits: Int[np.ndarray, " pairs"]
    kappa: Float[np.ndarray, " pairs"]
    score: float


def score(proposal: Proposal, truth: Truth) -> float:
    """The score alone, without chance and the other measures."""
    true = perfect(truth)
    return _matched(proposal.best(true.read.shape[1]), true).score


def _matched(proposal: Proposal, true: Proposal) -> _Matching:
    from scipy.optimize import linear_sum_assignment

    kappa = np.maximum(pairwise_kappa(proposal.entries, true.entries), 0.0)
    components, bits = linear_sum_assignment(kappa, maximize=True)
    pairs = kappa[components, bits]
    return _Matching(components, bits, pairs, float(pairs.sum() / max(true.read.shape[1], 1)))


def _share(right: int | np.integer, of: int | np.integer) -> float:
    return float(right / of) if of else 0.0


def _of_bits(proposal: Proposal, true: Proposal) -> Rates:
    own = _matched(proposal, true)
    both = proposal.entries[:, own.components] & true.entries[:, own.bits]
    right = np.count_nonzero(both)
    return Rates(
        _share(right, np.count_nonzero(proposal.entries)),
        _share(right, np.count_nonzero(true.entries)),
    )


def _of_units(proposal: Proposal, true: Proposal) -> Rates:
    found = np.count_nonzero(_matched(proposal, true).kappa >= FOUND)
    return Rates(_share(found, proposal.read.shape[1]), _share(found, true.read.shape[1]))


def _of_tokens(best: Proposal, true: Proposal, own: _Matching) -> Rates:
    n = len(true.read)
    wanted = true.entries
    proposed = np.zeros_like(wanted)
    proposed[:, own.bits] = best.entries[:, own.components]

    def of_token(entries: Bool[np.ndarray, "entries bits"]) -> Bool[np.ndarray, " n"]:
        return np.asarray(entries.any(axis=1).reshape(2, n).any(axis=0))

    owns, claimed = of_token(wanted), of_token(proposed)
    right = np.count_nonzero(owns & ~of_token(wanted != proposed))
    return Rates(_share(right, np.count_nonzero(claimed)), _share(right, np.count_nonzero(owns)))


def _orientation(best: Proposal, true: Proposal, own: _Matching) -> float | None:
    if best.orientation is None:
        return None
    assert true.orientation is not None
    right = best.orientation[own.components] == true.orientation[own.bits]
    return _share(np.count_nonzero(right), true.read.shape[1])


def failure_agreement(proposal: Proposal, subject: Subject, rng: np.random.Generator) -> float:
    """Kappa of the inputs that the masks say fail and those that do; 0 where only one varies."""
    network, k = subject.network, subject.k
    tokens = random_sets(rng, FAILURE_INPUTS, network.n, k)
    alpha = random_coefficients(rng, FAILURE_INPUTS, k, subject.c)
    does = fails(mass_on(network.logits(tokens, alpha), tokens), k)
    if not proposal.read.shape[1]:
        return 0.0
    says = PackedHashes.of(proposal.read).count_false_positives(tokens) > 0
    return float(cohens_kappa(says[:, None], does[:, None])[0])
