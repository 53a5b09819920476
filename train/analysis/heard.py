"""Which tokens are never output, and which are output whatever the input: every token's turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.network import ReluNetwork, membership
from simulate.sampling import random_coefficients, random_sets
from train.analysis.outcomes import Hashes, is_code
from train.reading.subject import Subject

# a member with less than this share of the largest probability is not output
QUIET = 0.1
# a token that is output on more than this share of the inputs, without being in them, or covered
LOUD = 0.5
# of the inputs that hold every token once, at least so many sets, and at most so many logits
ROUNDS, _MOST_LOGITS = 8, 2**25
_BLOCK_ENTRIES = 2**21
# more silent or loud tokens than this share are counted, not looked at one by one
NAMED_SHARE = 0.25
# inputs on which it is seen how often the masks cover a token
_COVERED = 512


@dataclass(frozen=True)
class Heard:
    """silent: tokens that are never output, as members they stay below a tenth of the largest
    probability. loud: tokens that stand at or above a member on most inputs that neither hold nor,
    by the masks, cover them. uninvited: [n], the share of the inputs without it that a token does.
    """

    silent: Int[np.ndarray, " tokens"]
    loud: Int[np.ndarray, " others"]
    uninvited: Float[np.ndarray, " n"]


def heard(subject: Subject, hashes: Hashes, rng: np.random.Generator) -> Heard:
    """Every token is a member of one input of each round, which deals all out at random.

    So each input is a random set of k. Eight rounds, fewer where they would take over 2^25 logits,
    and one at least; what is silent in all of them is tried eight times more.
    """
    network, k, c = subject.network, subject.k, subject.c
    n = network.n
    inputs = -(-n // k)
    rounds = int(np.clip(_MOST_LOGITS // (inputs * n), 1, ROUNDS))
    output, above, without = np.zeros(n, dtype=bool), np.zeros(n), np.zeros(n)
    for _ in range(rounds):
        order = rng.permutation(n)
        # the last input is filled up with tokens of the first, which are not in it
        tokens = np.concatenate([order, order[: inputs * k - n]]).reshape(inputs, k)
        as_member, as_other = _output_on(network, tokens, random_coefficients(rng, inputs, k, c))
        output |= as_member
        above += as_other
        without += inputs - np.bincount(tokens.ravel(), minlength=n)
    suspects = np.flatnonzero(~output)
    if suspects.size <= NAMED_SHARE * n:
        for token in suspects:
            others = np.array([rng.choice(n - 1, k - 1, replace=False) for _ in range(ROUNDS)])
            others = others.reshape(ROUNDS, k - 1).astype(np.int64)
            tokens = np.hstack([np.full((ROUNDS, 1), token), others + (others >= token)])
            as_member, _ = _output_on(network, tokens, random_coefficients(rng, ROUNDS, k, c))
            output[token] = as_member[token]
    uninvited = above / np.maximum(without, 1.0)
    loud = np.flatnonzero(uninvited > LOUD)
    if is_code(hashes):
        tokens = random_sets(rng, _COVERED, n, k)
        lacking = ~np.logical_or.reduce(hashes[tokens], axis=1)
        missing = lacking.astype(np.float32) @ hashes[loud].T.astype(np.float32)
        loud = loud[uninvited[loud] - (missing == 0).mean(axis=0) > LOUD]
    return Heard(np.flatnonzero(~output), loud, uninvited)


def _output_on(
    network: ReluNetwork, tokens: Int[np.ndarray, "inputs k"], alpha: Float[np.ndarray, "inputs k"]
) -> tuple[Bool[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Whether each token is output as a member of one of the inputs; on how many as another."""
    n = network.n
    output, above = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
    block = max(1, _BLOCK_ENTRIES // n)
    for start in range(0, len(tokens), block):
        members = tokens[start : start + block]
        logits = network.logits(members, alpha[start : start + block])
        own = np.take_along_axis(logits, members, axis=1)
        high = own - logits.max(axis=1, keepdims=True) > np.log(QUIET)
        output[members[high]] = True
        others = (logits >= own.min(axis=1, keepdims=True)) & ~membership(members, n)
        above += np.count_nonzero(others, axis=0)
    return output, above
