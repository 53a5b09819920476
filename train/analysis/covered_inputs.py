"""Inputs that cover a non-member by a network's masks: on which of them it fails, and what helps.

An exact filter cannot tell a covered non-member from a member, so it fails on all of them. What a
trained network has besides its masks is taken away step by step (`construction_path`).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from train.analysis import construction_path
from train.analysis.outcomes import Alpha, Tokens, hashes_of, mass_on
from train.reading.failure import fails
from train.reading.masks import Masks

_BLOCK = 2048


def covered_inputs(
    rng: np.random.Generator, masks: Masks, k: int, c: float, inputs: int
) -> tuple[Tokens, Alpha]:
    """Those of `inputs` random inputs whose union covers a non-member: tokens and coefficients."""
    hashes = hashes_of(masks)
    tokens = random_sets(rng, inputs, len(hashes), k)
    tokens = tokens[PackedHashes.of(hashes).count_false_positives(tokens) > 0]
    return tokens, random_coefficients(rng, len(tokens), k, c)


def failing_on_the_way(
    network: ReluNetwork, masks: Masks, k: int, c: float, tokens: Tokens, alpha: Alpha
) -> Bool[np.ndarray, "places inputs"]:
    """Whether each input fails: in the network as it is, and after each of the path's STEPS.

    masks: with at least one clamp or complement unit.
    """
    found = list(construction_path.path(network.astype(np.float64), masks, k, c, parts=1))
    failed = np.zeros((len(found), len(tokens)), dtype=bool)
    for start in range(0, len(tokens), _BLOCK):
        at = slice(start, start + _BLOCK)
        for place, (_, tables) in enumerate(found):
            failed[place, at] = fails(mass_on(tables.logits(tokens[at], alpha[at]), tokens[at]), k)
    return failed
