"""Failures of one fixed network that are too rare to count: unbiased, whatever the masks miss.

A network whose code is `hashes` is expected to fail where the union of k tokens covers a further
token. Inputs are drawn from a mixture of two laws. The guide draws a token t and then members that
cover it one after the other, each with a probability that grows with the bits of t that it adds;
the other law is uniform. Every input counts with the ratio of its uniform probability to that of
the mixture, so the mean of weight times failure is the failure rate of the *network*: an input that
fails although the masks do not foresee it is still drawn by the uniform part, and no weight exceeds
1/UNIFORM_SHARE.

The guide's density is known for t and its members in an order. Over the orders it is summed where
k is small; otherwise the uniform law is extended by a uniformly drawn order, and in either case by
one of the tokens that the input covers, uniformly drawn. The ratio in the extended space has the
same mean (Owen, Monte Carlo theory, methods and examples, chapter 9).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.jobs.intervals import Share
from simulate.sampling import random_sets
from theory.domain import DomainError, check_integer, check_task

UNIFORM_SHARE = 0.25
# up to here the guide's orders of members, all k! of them, are summed over
MOST_SUMMED = 5
# entries of the inputs' tables over all tokens that are held at once
_BLOCK_ENTRIES = 2**23

Hashes = Bool[np.ndarray, "n bits"]
Tokens = Int[np.ndarray, "inputs k"]
Fails = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RareFailure:
    """failure: the network's failure rate. covered: how often its masks cover a further token.

    foreseen: the share of the failure rate that comes from inputs with a covered token. effective:
    the number of equally weighted inputs that would be worth as much as those that failed.
    """

    failure: Share
    covered: Share
    foreseen: float
    effective: float


@dataclass(frozen=True)
class _Guide:
    """The law that covers a token on purpose, for inputs of k tokens.

    If bits were independent, r random tokens would cover bit u with probability
    q_u = 1 - (1 - p_u)^r, p_u its share of tokens. So t is drawn with a probability proportional to
    the product of q_u over its bits, at r = k, and each member to the product over the bits that it
    leaves, r the number of members still to come. With independent bits all weights would be equal.
    """

    hashes: Hashes
    k: int

    def _gain(self, to_come: int) -> Float[np.ndarray, " bits"]:
        """-ln q_u: what covering bit u is worth when `to_come` members follow."""
        n = len(self.hashes)
        share = (self.hashes.sum(axis=0) + 0.5) / (n + 1.0)
        return -np.log(-np.expm1(to_come * np.log1p(-share)))

    def first(self) -> Float[np.ndarray, " n"]:
        """The probabilities of t."""
        log = -(self.hashes @ self._gain(self.k))
        weight = np.exp(log - log.max())
        return weight / weight.sum()

    def weights(
        self,
        left: Bool[np.ndarray, "inputs bits"],
        taken: Int[np.ndarray, "inputs taken"],
    ) -> Float[np.ndarray, "inputs n"]:
        """Relative probabilities of the next member, given the bits of t that are left to cover.

        taken: t and the members so far, which cannot be drawn. The last member covers all that is
        left; where no token does, all are 0.
        """
        to_come = self.k - taken.shape[1]
        bits = self.hashes.T.astype(np.float32)
        if to_come == 0:
            added = left.astype(np.float32) @ bits
            weight = (added > left.sum(axis=1)[:, None] - 0.5).astype(np.float32)
        else:
            gain = self._gain(to_come).astype(np.float32)
            weight = (left * gain) @ bits
            weight -= weight.max(axis=1, keepdims=True)
            np.exp(weight, out=weight)
        np.put_along_axis(weight, taken, 0.0, axis=1)
        return weight

    def next(
        self,
        left: Bool[np.ndarray, "inputs bits"],
        taken: Int[np.ndarray, "inputs taken"],
    ) -> Float[np.ndarray, "inputs n"]:
        """Cumulative probabilities of the next member, all 0 where there can be none."""
        reached = self.weights(left, taken).cumsum(axis=1, dtype=np.float64)
        total = reached[:, -1:].copy()
        return np.divide(reached, total, out=reached, where=total > 0.0)

    def follow(
        self,
        t: Int[np.ndarray, " inputs"],
        choose: Callable[[int, Float[np.ndarray, "inputs n"]], Int[np.ndarray, " inputs"]],
    ) -> tuple[Tokens, Float[np.ndarray, " inputs"]]:
        """Members as `choose(place, cumulative)` picks them, and ln of the probability of t and
        them in this order; -inf where they cannot be."""
        left, taken = self.hashes[t].copy(), t[:, None]
        log = np.log(self.first()[t])
        rows = np.arange(len(t))
        for place in range(self.k):
            reached = self.next(left, taken)
            chosen = choose(place, reached)
            below = np.where(chosen > 0, reached[rows, chosen - 1], 0.0)
            with np.errstate(divide="ignore"):
                log += np.log(reached[rows, chosen] - below)
            left &= ~self.hashes[chosen]
            taken = np.column_stack([taken, chosen])
        return taken[:, 1:], log

    def draw(
        self, rng: np.random.Generator, inputs: int
    ) -> tuple[Int[np.ndarray, " inputs"], Tokens, Float[np.ndarray, " inputs"]]:
        """t, the members in order, and ln of their probability; -inf for draws to be dropped."""
        n = len(self.hashes)
        t = rng.choice(n, size=inputs, p=self.first())

        def choose(_: int, reached: np.ndarray) -> np.ndarray:
            at = rng.random(inputs)[:, None]
            return np.minimum((reached <= at).sum(axis=1), n - 1)

        tokens, log = self.follow(t, choose)
        return t, tokens, log

    def log_density(self, t: Int[np.ndarray, " inputs"], tokens: Tokens) -> np.ndarray:
        """ln of the probability of drawing this t and then these members in this order."""
        return self.follow(t, lambda place, _: tokens[:, place])[1]

    def log_density_of_set(self, t: Int[np.ndarray, " inputs"], tokens: Tokens) -> np.ndarray:
        """ln of the probability of drawing this t and then these members in any order.

        The probability of every set of first members follows from those with one member fewer, so
        2^k scans of the tokens do for k! orders.
        """
        rows = np.arange(len(t))
        first = np.zeros((1 << self.k, len(t)))
        first[0] = self.first()[t]
        for chosen in range((1 << self.k) - 1):
            members = [place for place in range(self.k) if chosen >> place & 1]
            union = self.hashes[tokens[:, members]].any(axis=1)
            taken = np.column_stack([t, tokens[:, members]])
            weight = self.weights(self.hashes[t] & ~union, taken)
            total = weight.sum(axis=1, dtype=np.float64)
            for place in range(self.k):
                if not chosen >> place & 1:
                    own = weight[rows, tokens[:, place]]
                    share = np.divide(own, total, out=np.zeros(len(t)), where=total > 0.0)
                    first[chosen | 1 << place] += first[chosen] * share
        with np.errstate(divide="ignore"):
            return np.log(first[-1])


def rare_failures(
    rng: np.random.Generator, fails: Fails, hashes: Hashes, k: int, inputs: int = 100_000
) -> RareFailure:
    """The failure rate of a network, unbiased down to rates that counting never sees.

    fails: for int64 tokens [inputs, k] whether the network fails on each, bool; it draws the
    coefficients itself. hashes: what the network's masks say, bool [n, bits]; however wrong they
    are the estimate is unbiased, and it is the sharper the truer they are. inputs: at least 1,000.
    The interval is Student's t, asymptotic in the number of inputs that fail: see `effective`.
    Raises DomainError outside 1 <= k < n.
    """
    n = len(hashes)
    check_task(n, k)
    check_integer("inputs", inputs, 1000)
    if k >= n:
        raise DomainError(f"k must be below n = {n}; got {k}")
    hashes = np.asarray(hashes, dtype=bool)
    guide = _Guide(hashes, k)
    values, covers = [], []
    foreseen = 0.0
    at_once = min(2048, max(16, _BLOCK_ENTRIES // n))
    for start in range(0, inputs, at_once):
        batch = min(at_once, inputs - start)
        tokens, weight, is_covered = _weighted_inputs(rng, guide, batch)
        failing = np.zeros(batch, dtype=bool)
        use = weight > 0.0
        failing[use] = fails(tokens[use])
        values.append(weight * failing)
        covers.append(weight * is_covered)
        foreseen += float((weight * failing * is_covered).sum())
    value, cover = np.concatenate(values), np.concatenate(covers)
    total = float(value.sum())
    return RareFailure(
        failure=Share.of(value),
        covered=Share.of(cover),
        foreseen=foreseen / total if total else 0.0,
        effective=total**2 / float(value @ value) if total else 0.0,
    )


def _weighted_inputs(
    rng: np.random.Generator, guide: _Guide, inputs: int
) -> tuple[Tokens, np.ndarray, np.ndarray]:
    """Inputs of the mixture, their weights, and whether their union covers a further token.

    A guided draw that could not be completed has weight 0.
    """
    n, k = len(guide.hashes), guide.k
    guided = int(rng.binomial(inputs, 1.0 - UNIFORM_SHARE))
    t, tokens, log_guide = guide.draw(rng, guided)
    uniform = rng.permuted(_sets(rng, inputs - guided, n, k), axis=1)
    dropped = np.isneginf(log_guide)
    tokens[dropped] = _sets(rng, int(dropped.sum()), n, k)
    every = np.vstack([tokens, uniform])
    count, one_covered = _covered(rng, guide.hashes, every)
    t = np.concatenate([t, one_covered[guided:]])
    log_uniform = -np.log(n - np.arange(k)).sum() - np.log(np.maximum(count, 1))
    log_density = np.concatenate([log_guide, np.full(inputs - guided, -np.inf)])
    if k <= MOST_SUMMED:
        log_uniform += math.lgamma(k + 1)
        some = np.flatnonzero((count > 0) & ~np.isin(np.arange(inputs), np.flatnonzero(dropped)))
        log_density[some] = guide.log_density_of_set(t[some], every[some])
    else:
        some = guided + np.flatnonzero(count[guided:] > 0)
        log_density[some] = guide.log_density(t[some], every[some])
    weight = 1.0 / (UNIFORM_SHARE + (1.0 - UNIFORM_SHARE) * np.exp(log_density - log_uniform))
    weight[:guided][dropped] = 0.0
    return every, weight, count > 0


def _sets(rng: np.random.Generator, sets: int, n: int, k: int) -> Tokens:
    """Uniform sets of tokens, or none."""
    return random_sets(rng, sets, n, k) if sets else np.empty((0, k), dtype=np.int64)


def _covered(
    rng: np.random.Generator, hashes: Hashes, tokens: Tokens
) -> tuple[np.ndarray, np.ndarray]:
    """How many further tokens each union covers, and one of these, uniformly drawn (else 0)."""
    union = hashes[tokens].any(axis=1)
    missing = (~union).astype(np.float32) @ hashes.T.astype(np.float32)
    covered = missing < 0.5
    np.put_along_axis(covered, tokens, False, axis=1)
    count = covered.sum(axis=1)
    which = rng.integers(np.maximum(count, 1))
    place = (covered.cumsum(axis=1) > which[:, None]).argmax(axis=1)
    return count, place
