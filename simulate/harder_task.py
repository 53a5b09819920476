"""The harder task: a network that reproduces any target distribution over its k active tokens.

`with_target` makes it from any Bloom filter network, weights and all. `near_misses` and
`fresh_outcomes` draw the same outputs without matrices of n rows, each input with hashes and signs
of its own, for a million tokens and more. `direct_outcomes` draws those of the rival without a
layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from simulate.network import Alpha, Logits, ReluNetwork, Residual, Tokens, membership
from simulate.sampling import random_hashes
from theory.domain import DomainError, check_integer, check_real, check_sizes
from theory.harder_task import target

# the weight of all the non-members that are left out, relative to a member's at l = 0
_NEGLIGIBLE = 1e-12
_MOST_MEMBERS = 12  # the direct rival's code is drawn by its 2^(k-1) patterns of members' signs


@dataclass(frozen=True)
class TargetNetwork:
    """A ReLU network with a second embedding: x = sum_j alpha_j W_E[i_j] + sum_j l_j V[i_j].

    V: [n, d], of the network's dtype. Raises DomainError for a V of another shape or dtype.
    """

    network: ReluNetwork
    V: Float[np.ndarray, "n d"]

    def __post_init__(self) -> None:
        wanted = (self.network.n, self.network.d)
        if self.V.shape != wanted or self.V.dtype != self.network.dtype:
            raise DomainError(
                f"V must have shape {wanted} and dtype {self.network.dtype}; "
                f"got {self.V.shape} and {self.V.dtype}"
            )

    def residual(self, tokens: Tokens, alpha: Alpha, target_logits: Alpha) -> Residual:
        """The residual stream before the layer. target_logits: l, [sets, k], nats.

        Raises DomainError for what `ReluNetwork.residual` refuses, or an l that is not finite.
        """
        if not np.isfinite(target_logits).all():
            raise DomainError("target_logits must be finite")
        logits = target_logits.astype(self.network.dtype)
        carried = np.einsum("sk,skd->sd", logits, self.V[tokens])
        return self.network.residual(tokens, alpha) + carried

    def logits(self, tokens: Tokens, alpha: Alpha, target_logits: Alpha) -> Logits:
        """The forward pass, float [sets, n]; the softmax over the members should be softmax(l)."""
        x = self.residual(tokens, alpha, target_logits)
        return self.network.read_out(self.network.after_layer(x))


def with_target(network: ReluNetwork, signs: Float[np.ndarray, "n dprime"]) -> TargetNetwork:
    """The network with d' more coordinates: logit_i gains <V_i, y>, y = sum_j l_j V_{i_j}.

    signs: the rows V_i, unit vectors such as `dense_codes.random_signs`. With 0 for a block of
    zeros: W_E = [W_E, 0], W_in = [W_in; 0], W_out = [W_out, 0], W_U = [W_U; V^T], and the second
    embedding is [0, V].

    Proof. W_E has nothing in the new coordinates, which hold y before the layer; W_in reads
    nothing there and W_out writes nothing there, so the layer leaves y alone and does elsewhere
    what it did. The readout adds <V_i, y>. For a member that is l_i |V_i|^2 = l_i, and the error
    eta_i = sum_{j != i} l_j <V_i, V_{i_j}>.
    """
    signs = signs.astype(network.dtype)
    dprime = signs.shape[1]

    def zeros(rows: int, columns: int) -> np.ndarray:
        return np.zeros((rows, columns), dtype=network.dtype)

    wider = replace(
        network,
        W_E=np.hstack([network.W_E, zeros(network.n, dprime)]),
        W_in=np.vstack([network.W_in, zeros(dprime, network.h)]),
        W_out=np.hstack([network.W_out, zeros(network.h, dprime)]),
        W_U=np.vstack([network.W_U, signs.T]),
    )
    return TargetNetwork(wider, np.hstack([zeros(network.n, network.d), signs]))


@dataclass(frozen=True)
class TargetDivergence:
    """Distance of outputs from softmax(l): total_variation, in [0, 1], and kl(target || output)."""

    total_variation: Float[np.ndarray, " *outputs"]
    kl: Float[np.ndarray, " *outputs"]


def target_divergence(
    member_logits: Float[np.ndarray, "*outputs k"],
    log_leak: Float[np.ndarray, " *outputs"],
    target_logits: Float[np.ndarray, " k"],
) -> TargetDivergence:
    """The definitions themselves. log_leak: ln of the sum of e^logit over the non-members.

    Total variation is the sum of the amounts by which the output falls short of the target; it
    does nowhere but on the members.
    """
    log_partition = np.logaddexp(np.logaddexp.reduce(member_logits, axis=-1), log_leak)
    log_output = member_logits - log_partition[..., None]
    tau = target(target_logits)
    return TargetDivergence(
        np.maximum(tau - np.exp(log_output), 0.0).sum(axis=-1),
        (np.log(tau) - log_output) @ tau,
    )


def logits_divergence(
    logits: Logits, tokens: Tokens, target_logits: Float[np.ndarray, " k"]
) -> TargetDivergence:
    """The distance of the softmax of a network's logits from softmax(l), float64 [sets]."""
    logits = logits.astype(np.float64)
    others = np.where(membership(tokens, logits.shape[1]), -np.inf, logits)
    members = np.take_along_axis(logits, tokens, axis=1)
    return target_divergence(members, np.logaddexp.reduce(others, axis=1), target_logits)


# --- fresh hashes and signs, without matrices of n rows -------------------------------------------


def near_misses(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, most: int
) -> Int[np.ndarray, " near"]:
    """Missing bits of those non-members of one random input that lack at most `most`.

    The union is that of k random hashes, and the overlap of each of the n - k other tokens' random
    hash with it is drawn: a hypergeometric number. Entries of 0 are false positives. Memory 16 n
    bytes, 0.1 s per million tokens.
    """
    check_sizes(n, k, d, m)
    union = int(random_hashes(rng, k, d, m).any(axis=0).sum())
    missing = m - rng.hypergeometric(union, d - union, m, size=n - k)
    return missing[missing <= most]


def most_missing(n: int, beta: float, target_logits: Float[np.ndarray, " k"]) -> int:
    """The bits from which on tokens weigh at most 1e-12 of a member together: |<V_i, y>| <= |l|_1.

    Raises DomainError for beta outside (0, inf).
    """
    check_real("beta", beta, 0.0)
    one_norm = float(np.abs(target_logits).sum())
    return math.ceil((math.log(n) + one_norm - math.log(_NEGLIGIBLE)) / beta)


@dataclass(frozen=True)
class FreshOutcomes:
    """Outputs for inputs that each have several independent sign codes.

    errors: eta, [inputs, codes, k]. divergence: of the output from the target, [inputs, codes].
    """

    errors: Float[np.ndarray, "inputs codes k"]
    divergence: TargetDivergence


def fresh_outcomes(
    rng: np.random.Generator,
    near: Sequence[Int[np.ndarray, " _"]],
    dprime: int,
    beta: float,
    target_logits: Float[np.ndarray, " k"],
    codes: int = 1,
) -> FreshOutcomes:
    """Outputs of `with_target(clamp(hashes, beta), signs)`, drawn without its matrices.

    near: the `near_misses` of each input, up to `most_missing` bits. Only their signs and the
    members' are drawn; the tokens left out could not change an output by 1e-12. Codes of one input
    share its hashes; member errors are independent all the same.
    """
    k = len(target_logits)
    check_integer("dprime", dprime, 1)
    readouts = np.empty((len(near), codes, k))
    log_leak = np.empty((len(near), codes))
    for place, missing in enumerate(near):
        signs = random_sign_bits(rng, codes, k + len(missing), dprime)
        carried = np.einsum("k,ckd->cd", target_logits, signs[:, :k])
        read = np.einsum("cid,cd->ci", signs, carried) / dprime
        readouts[place] = read[:, :k]
        log_leak[place] = np.logaddexp.reduce(read[:, k:] - beta * missing, axis=1, initial=-np.inf)
    return FreshOutcomes(
        readouts - target_logits, target_divergence(readouts, log_leak, target_logits)
    )


def random_sign_bits(
    rng: np.random.Generator, codes: int, tokens: int, dprime: int
) -> Float[np.ndarray, "codes tokens dprime"]:
    """Independent signs +-1, float32, from one random bit each."""
    count = codes * tokens * dprime
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-count // 8)), dtype=np.uint8), count=count)
    return (2.0 * bits - 1.0).astype(np.float32).reshape(codes, tokens, dprime)


# --- the direct rival -----------------------------------------------------------------------------


def direct_outcomes(
    rng: np.random.Generator,
    n: int,
    d: int,
    lift: float,
    target_logits: Float[np.ndarray, " k"],
    inputs: int,
) -> TargetDivergence:
    """One dense code and no layer: logit_i = <V_i, sum_j (lift + l_j) V_{i_j}>, all n tokens read.

    Each input has its own code of d signs a token. Coordinates in which the members' signs agree
    up to a common sign are drawn together, as multinomial numbers of coordinates and binomial
    numbers of a non-member's signs: the exact law, at a cost of O(n 2^k) an input whatever d.
    DomainError for more than 12 members.
    """
    k = check_integer("k", len(target_logits), 1, _MOST_MEMBERS)
    patterns = np.array(list(product([1.0], *[[1.0, -1.0]] * (k - 1))))
    carried = patterns @ (lift + target_logits)
    counts = rng.multinomial(d, np.full(len(patterns), 1.0 / len(patterns)), size=inputs)
    members = (counts * carried) @ patterns / d
    log_leak = np.empty(inputs)
    for place, count in enumerate(counts):
        agreeing = rng.binomial(count, 0.5, size=(n - k, len(count)))
        read = (2 * agreeing - count) @ carried / d
        log_leak[place] = np.logaddexp.reduce(read, initial=-np.inf)
    return target_divergence(members, log_leak, target_logits)
