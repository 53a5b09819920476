"""The hash masks of a network, unit by unit: which tokens own a hidden unit, and what it does.

Hidden unit j reads token i with weight A_ij = (W_E W_in)_ij and writes B_ji = (W_out W_U)_ji into
token i's logit. In a Bloom filter both have two modes, and the same tokens are in the same modes:

- clamp: the tokens that own the unit push it on, one of them is enough, and its firing lowers
  their logits below the others'. With the residual path this is x - ReLU(x - 1).
- complement: the tokens that own the unit push it off, one of them is enough, and its firing
  lowers their logits.

Only the order of modes is used, never a sign: adding one vector to all columns of W_U moves every
B_ji of a unit alike, and changes no output. Rotations of the residual stream leave A and B as they
are; permuting hidden units or rescaling one by a positive number permutes or rescales columns.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.network import ReluNetwork
from theory.domain import check_integer, check_real, check_task

CLAMP, COMPLEMENT, NEITHER = 1, -1, 0
# a column has two modes where fewer normal samples than this split as well; a unit of a random
# network passes for a clamp or a complement where both its columns do, by the same tokens
LEVEL = 0.05
# a unit whose two splits are correlated less than this reads one mask and writes another
LEAST_LINK = 0.5
_NULL_DRAWS = 1999
# share of the variance between two modes that rounding of a constant cannot imitate
_EXACT = 1.0 - 1e-9
# a gap this many times as wide as the larger group's range parts two modes
_TIGHT = 2.0
# share of the inputs that a bit must leave open
_LEAST_OPEN = 1e-3
# a unit that moves logits by less than this share of what the most effective one does is faint
LEAST_EFFECT = 1e-3
# entries of a table of tokens and units that are split at once
_BLOCK_ENTRIES = 2**21
# the null is simulated for at most this many tokens: its quantiles in nats hardly change beyond
_MOST_NULL_TOKENS = 2048


@dataclass(frozen=True)
class Modes:
    """Two groups of values in each column of a matrix [n, h], split by a threshold of its own.

    constant: the column has one value, hence one group, low. high: the values above the threshold,
    which is half-way between the groups. low_mean, high_mean: means of the groups. gap: least value
    of the high group less the largest of the low one. explained: share of the column's variance
    that lies between the groups. nats: gain in log likelihood of two normal modes over one, per
    token. p_value: share of normal samples that gain as much; 1 for a constant column. A skewed or
    heavy-tailed column beats normal samples too: its separation and gap stay small.
    """

    constant: Bool[np.ndarray, " h"]
    high: Bool[np.ndarray, "n h"]
    threshold: Float[np.ndarray, " h"]
    low_mean: Float[np.ndarray, " h"]
    high_mean: Float[np.ndarray, " h"]
    gap: Float[np.ndarray, " h"]
    explained: Float[np.ndarray, " h"]
    nats: Float[np.ndarray, " h"]
    p_value: Float[np.ndarray, " h"]

    @property
    def separation(self) -> Float[np.ndarray, " h"]:
        """Distance of the groups' means in standard deviations within them; inf for exact modes.

        2.65 for a normal column cut in half.
        """
        share = self.high.mean(axis=0)
        within = np.sqrt((1.0 - self.explained) * share * (1.0 - share))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.constant, 0.0, np.sqrt(self.explained) / within)

    @property
    def two(self) -> Bool[np.ndarray, " h"]:
        """Whether the column has two modes."""
        return self.p_value < LEVEL

    @property
    def minority(self) -> Bool[np.ndarray, "n h"]:
        """The smaller group of each column; the high one of two equal ones, none of one."""
        return self.high == (2 * self.high.sum(axis=0) <= len(self.high))


@dataclass(frozen=True)
class Masks:
    """Which tokens own which hidden units, as the network reads them and as it writes them.

    read, write: the minority mask of each column of W_E W_in and of W_out W_U transposed; no token
    in a unit that is not live. In a clamp or complement unit that most tokens own, the masks are
    the owners all the same. orientation: +1 clamp, -1 complement, 0 neither or not live.
    live: the unit fires on some ordinary input, not on all alike, and this changes the output; an
    ordinary input has at most two unusual tokens, the others at the median of the unit's column.
    effect: by how much what it reads of ordinary inputs can part two tokens' logits, were it always
    on, nats; one whose effect is under a thousandth of the largest is faint, and not live.
    always_on: the unit fires on every ordinary input, which makes it linear.
    hits_to_switch: how many tokens of the read's high mode, at the mean coefficient, bring the
    unit to its threshold; NaN for a constant column. link: correlation of the unit's two splits,
    -1 to 1; above 0 where the high modes are the same tokens, 0 for a constant column.
    read_modes, write_modes: the modes of both, of all units.
    """

    read: Bool[np.ndarray, "n h"]
    write: Bool[np.ndarray, "n h"]
    orientation: Int[np.ndarray, " h"]
    live: Bool[np.ndarray, " h"]
    effect: Float[np.ndarray, " h"]
    faint: Bool[np.ndarray, " h"]
    always_on: Bool[np.ndarray, " h"]
    hits_to_switch: Float[np.ndarray, " h"]
    link: Float[np.ndarray, " h"]
    read_modes: Modes
    write_modes: Modes


def code_of(masks: Masks) -> Bool[np.ndarray, "n bits"]:
    """The code that the masks describe: the owners of each clamp or complement unit, in order.

    Units that the same tokens own are one bit: together they close or open at the same inputs.
    """
    read = masks.read[:, masks.live & (masks.orientation != NEITHER)]
    keys = (column.tobytes() for column in np.packbits(read.T, axis=1))
    first = {key: at for at, key in reversed(list(enumerate(keys)))}
    return read[:, sorted(first.values())]


def read_weights(network: ReluNetwork) -> Float[np.ndarray, "n h"]:
    """W_E W_in in float64: how token i at coefficient 1 moves hidden unit j."""
    return network.W_E.astype(np.float64) @ network.W_in.astype(np.float64)


def write_weights(network: ReluNetwork) -> Float[np.ndarray, "n h"]:
    """W_out W_U transposed, in float64, less each unit's mean over the tokens.

    How much hidden unit j, firing at 1, moves token i's logit against the average token's.
    """
    W_out, W_U = network.W_out.astype(np.float64), network.W_U.astype(np.float64)
    # before the product: what all tokens share would only cost digits
    return (W_out @ (W_U - W_U.mean(axis=1, keepdims=True))).T


def extract(network: ReluNetwork, k: int, c: float) -> Masks:
    """The masks of a network whose inputs have k of its n tokens, coefficients in [1, c].

    Exact arithmetic in float64, no randomness but the fixed null distribution. Cost O(n h log n).
    Raises DomainError outside 1 <= k <= n, c >= 1.
    """
    n = check_integer("n", network.n, 2)
    n, k = check_task(n, k)
    check_real("c", c, 1.0, closed=True)
    outside = _Outside.of(network)
    room = max(1, _BLOCK_ENTRIES // n)
    blocks = [slice(start, start + room) for start in range(0, max(network.h, 1), room)]
    parts = [
        _extracted(outside, network.W_in[:, units], network.b_in[units], network.W_out[units], k, c)
        for units in blocks
    ]
    return _without_faint(parts[0] if len(parts) == 1 else _joined(Masks, parts))


def _without_faint(masks: Masks) -> Masks:
    """The same masks; a unit that does next to nothing beside the others is not live."""
    faint = masks.live & (masks.effect < LEAST_EFFECT * masks.effect.max(initial=0.0))
    live = masks.live & ~faint
    return replace(
        masks,
        read=masks.read & live,
        write=masks.write & live,
        orientation=masks.orientation * live,
        live=live,
        faint=faint,
        always_on=masks.always_on & live,
    )


@dataclass(frozen=True)
class _Outside:
    """What all units share: where they read, and where they write, W_U less its mean, in float64.

    longest_read, longest_write: of the rows of W_E, and of the columns of W_U. longest_given: of
    those with their mean. eps: of the weights' own dtype.
    """

    W_E: Float[np.ndarray, "n d"]
    W_U: Float[np.ndarray, "d n"]
    longest_read: float
    longest_write: float
    longest_given: float
    eps: float

    @classmethod
    def of(cls, network: ReluNetwork) -> _Outside:
        W_E, W_U = network.W_E.astype(np.float64), network.W_U.astype(np.float64)
        given = float(_norms(W_U, 0).max())
        # before any product: what all tokens share would only cost digits
        W_U -= W_U.mean(axis=1, keepdims=True)
        longest = float(_norms(W_E, 1).max()), float(_norms(W_U, 0).max())
        return cls(W_E, W_U, *longest, given, float(np.finfo(network.dtype).eps))


def _joined(of: type, parts: list[Any]) -> Any:
    """The parts' arrays side by side: the last axis is that of the units."""
    found = {}
    for field in fields(of):
        own = [getattr(part, field.name) for part in parts]
        one = own[0]
        found[field.name] = (
            np.concatenate(own, axis=-1) if isinstance(one, np.ndarray) else _joined(type(one), own)
        )
    return of(**found)


def _extracted(
    outside: _Outside, W_in: np.ndarray, b_in: np.ndarray, W_out: np.ndarray, k: int, c: float
) -> Masks:
    """The masks of so few units that a few tables [n, h] fit into memory."""
    W_in, b_in, W_out = (weights.astype(np.float64) for weights in (W_in, b_in, W_out))
    A, B = outside.W_E @ W_in, (W_out @ outside.W_U).T
    # bounds on what rounding of the weights does to the entries of each column
    read_noise = 4.0 * outside.eps * _norms(W_in, 0) * outside.longest_read
    written = 4.0 * outside.eps * _norms(W_out, 1)
    read = two_modes(A, read_noise)
    write = two_modes(B, written * outside.longest_write, written * outside.longest_given)

    least, most = _ordinary_range(A, k, c)
    room = (k * c) * read_noise + outside.eps * np.abs(b_in)
    moves = ~read.constant & ~write.constant
    live = moves & (b_in + most >= -room)
    always_on = moves & (b_in + least > room)

    middle = (1.0 + c) / 2.0
    step = np.where(read.constant, np.nan, read.high_mean - read.low_mean)
    hits_to_switch = (-b_in / middle - k * read.low_mean) / step
    link = _correlation(read.high, write.high)

    gates = live & ~always_on & read.two & write.two & (np.abs(link) > LEAST_LINK)
    # one owner is enough to switch the unit: fewer than half of the k, but for rounding
    enough = max(k / 2.0, 1.0) + 1e-6
    with np.errstate(invalid="ignore"):
        one_on = (hits_to_switch > 0.0) & (hits_to_switch <= enough)
        one_off = (hits_to_switch < k) & (k - hits_to_switch <= enough)
    clamp, complement = gates & (link < 0.0) & one_on, gates & (link > 0.0) & one_off
    # a bit that nearly every union holds tells nothing: such a unit knows single inputs by heart
    n = len(A)
    owners = np.where(clamp, read.high.sum(axis=0), n - read.high.sum(axis=0))
    left_open = _left_open(owners, n, k)
    telling = (left_open >= _LEAST_OPEN) & ((left_open >= 10 * _LEAST_OPEN) | (n - owners > k))
    clamp, complement = clamp & telling, complement & telling
    oriented = clamp | complement
    return Masks(
        read=np.where(oriented, read.high == clamp, read.minority) & live,
        write=np.where(oriented, ~write.high, write.minority) & live,
        orientation=CLAMP * clamp.astype(np.int64) + COMPLEMENT * complement.astype(np.int64),
        live=live,
        effect=np.where(live, (most - least) * np.ptp(B, axis=0), 0.0),
        faint=np.zeros(len(live), dtype=bool),
        always_on=always_on & live,
        hits_to_switch=hits_to_switch,
        link=link,
        read_modes=read,
        write_modes=write,
    )


def two_modes(
    values: Float[np.ndarray, "n h"],
    noise: Float[np.ndarray, " h"] | float = 0.0,
    offset_noise: Float[np.ndarray, " h"] | float = 0.0,
) -> Modes:
    """The split of each column into two groups, and whether they are modes; n at least 2.

    Of all n - 1 thresholds the one at which two normal modes of one standard deviation and any
    shares explain the column best (largest classification likelihood: Symons 1981). The shares
    matter: with equal ones (2-means; Otsu 1979) a mode of few tokens is overlooked, and with a
    standard deviation for each the wider mode takes the other's edge. A column that gains no more
    than normal samples do has one mode; it is halved by 2-means.

    noise: values that differ by no more are equal, but for rounding. offset_noise: what rounding
    beside a common offset can do; a column within it is constant unless its two modes are exact,
    which no rounding makes.
    """
    n, h = values.shape
    columns = np.arange(h)
    ordered = np.ascontiguousarray(np.sort(values.T, axis=1).T)
    nats, explained = _gains(ordered, noise)
    within = ordered[-1] - ordered[0] <= offset_noise
    blurred = within & (explained.max(axis=0) < _EXACT)
    nats[:, blurred] = -np.inf
    best = nats.argmax(axis=0)
    gained = nats[best, columns]
    constant = gained == -np.inf
    null = null_gains(min(n, _MOST_NULL_TOKENS))
    # compared as nats of all tokens, whose law depends least on how many there are
    as_large = null.size - np.searchsorted(null, gained * n, side="left")
    p_value = np.where(constant, 1.0, (1 + as_large) / (1 + null.size))
    cut = np.where(p_value < LEVEL, best, explained.argmax(axis=0))
    tight, apart = _tightest(ordered, noise)
    cut = np.where((p_value < LEVEL) & (apart > _TIGHT), tight, cut)

    below, above = ordered[cut, columns], ordered[cut + 1, columns]
    explained = explained[cut, columns]
    high = (values > below) & ~constant
    count = high.sum(axis=0)
    total = np.where(high, values, 0.0).sum(axis=0)
    low_mean = np.where(high, 0.0, values).sum(axis=0) / (n - count)
    return Modes(
        constant=constant,
        high=high,
        threshold=np.where(constant, ordered[-1], (below + above) / 2.0),
        low_mean=low_mean,
        high_mean=np.where(constant, low_mean, total / np.maximum(count, 1)),
        gap=np.where(constant, 0.0, above - below),
        explained=np.where(constant, 0.0, explained),
        nats=np.where(constant, 0.0, gained),
        p_value=p_value,
    )


@lru_cache(maxsize=32)
def null_gains(n: int) -> Float[np.ndarray, " draws"]:
    """What a split gains on n normal values: nats over all n, ascending, from a fixed stream.

    1,999 samples, so that a p-value of LEVEL is known to within a tenth of itself. Read-only.
    """
    rng = np.random.default_rng(0)
    gains = np.empty(_NULL_DRAWS)
    at_once = max(1, 2**21 // n)
    for start in range(0, _NULL_DRAWS, at_once):
        count = min(at_once, _NULL_DRAWS - start)
        sample = np.sort(rng.standard_normal((n, count)), axis=0)
        gains[start : start + count] = n * _gains(sample, 0.0)[0].max(axis=0)
    gains.sort()
    gains.flags.writeable = False
    return gains


def _gains(
    ordered: Float[np.ndarray, "n h"], noise: Float[np.ndarray, " h"] | float
) -> tuple[np.ndarray, np.ndarray]:
    """For each cut of the ascending columns, float64 [n - 1, h]: nats per token, and explained.

    -inf where the values on both sides of the cut are equal.
    """
    n = len(ordered)
    centred = ordered - ordered.mean(axis=0)
    low = np.arange(1, n)[:, None] / n
    # means of the groups from cumulative sums; the two groups' sums cancel
    cumulative = np.cumsum(centred, axis=0)[:-1] / n
    between = cumulative**2 / (low * (1.0 - low))
    total = np.maximum((centred**2).mean(axis=0), np.finfo(np.float64).tiny)
    equal = np.diff(ordered, axis=0) <= noise
    explained = np.where(equal, -np.inf, np.minimum(between / total, 1.0))
    # what is left cannot be known better than to the rounding of the sums
    left = np.maximum(1.0 - explained, n * np.finfo(np.float64).eps)
    shares = low * np.log(low) + (1.0 - low) * np.log1p(-low)
    return np.where(equal, -np.inf, shares - 0.5 * np.log(left)), explained


def _tightest(
    ordered: Float[np.ndarray, "n h"], noise: Float[np.ndarray, " h"] | float
) -> tuple[Int[np.ndarray, " h"], Float[np.ndarray, " h"]]:
    """The cut whose gap is widest against the range of the larger group, and that ratio.

    Owners whose weights differ among themselves, beside others that are all alike, are one mode:
    the likelihood of two equally wide ones would give the lowest of them away.
    """
    n = len(ordered)
    gap = np.diff(ordered, axis=0)
    low = np.arange(1, n)[:, None] > n // 2
    width = np.where(low, ordered[:-1] - ordered[0], ordered[-1] - ordered[1:])
    floor = np.maximum(noise, np.finfo(np.float64).tiny)
    ratio = np.where(gap > noise, gap / np.maximum(width, floor), 0.0)
    best = ratio.argmax(axis=0)
    return best, ratio[best, np.arange(ordered.shape[1])]


def _left_open(owners: Int[np.ndarray, " h"], n: int, k: int) -> Float[np.ndarray, " h"]:
    """The share of inputs without an owner of the unit, C(n - owners, k) / C(n, k)."""
    drawn = np.arange(k)[:, None]
    return np.prod(np.clip((n - owners - drawn) / (n - drawn), 0.0, 1.0), axis=0)


def _ordinary_range(
    A: Float[np.ndarray, "n h"], k: int, c: float
) -> tuple[Float[np.ndarray, " h"], Float[np.ndarray, " h"]]:
    """Least and largest input of each unit, without bias, over inputs of two unusual tokens.

    The other k - 2 tokens are at the median, with the mean coefficient. Over all inputs k tokens
    could be extreme, which no sample of inputs shows: a unit that training has switched off for
    good is on for some of those.
    """
    unusual = min(k, 2)
    n = len(A)
    middle = [(n - 1) // 2, n // 2]
    parted = np.partition(A.T, [*range(unusual), *middle, *range(n - unusual, n)], axis=1).T
    others = (k - unusual) * (1.0 + c) / 2.0 * parted[middle].mean(axis=0)
    lowest, highest = parted[:unusual], parted[-unusual:]
    least = np.minimum(lowest, c * lowest).sum(axis=0) + others
    most = np.maximum(highest, c * highest).sum(axis=0) + others
    return least, most


def _norms(matrix: np.ndarray, axis: int) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->" + "ji"[axis], matrix, matrix))


def _correlation(a: Bool[np.ndarray, "n h"], b: Bool[np.ndarray, "n h"]) -> Float[np.ndarray, " h"]:
    """Pearson correlation of two masks, column by column; 0 where one of them is constant."""
    p, q = a.mean(axis=0), b.mean(axis=0)
    spread = np.sqrt(p * (1.0 - p) * q * (1.0 - q))
    covariance = (a & b).mean(axis=0) - p * q
    return np.where(spread > 0.0, covariance / np.where(spread > 0.0, spread, 1.0), 0.0)
