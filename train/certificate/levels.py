"""Enclosures of every token's logit by its number of missing bits, over all inputs, unenumerated.

Logits are taken relative to a reference, the same for all tokens of one input, which no softmax
sees: sum_j alpha_j g_j - sum_u q_u f_u with any g and q (medians over the tokens). In the normal
form (see `normal_form`), with rho = cost - q and lean = direct - g,

    l_t = constant_t + sum_j alpha_j lean_jt - sum_u rho_ut f_u.

Token t's own units. Hit, f_u lies in [0, E_u], and E_u = 0 where the gate is proved; missed, in
[low_u, high_u]; all from sorted sums over exactly k tokens. Each missing bit so costs at least
rho_ut low_u.

The other units, of which there are more but with small rho, are followed token by token. Let
ã_ju = read_ju for the tokens that do not own u, any level (the median) for those that do, and
ỹ_u = bias_u + sum_j alpha_j ã_ju. Missed, y_u = ỹ_u, and f_u exceeds it by at most
D_u = max(0, -min y_u), which is 0 where the gate is proved; hit, f_u lies in
ỹ_u + [-max ỹ_u, max(0, E_u - min ỹ_u)]. So l_t is affine in alpha, up to a price for each active
token that hits such units: a sum over the k active tokens again, bounded by sorting.

Two weaker ways stand beside this for comparison: `separate` takes each unit at its own worst input
instead of following the tokens, and `plain` besides allows every other token to be active, at any
coefficient in [0, c], as interval arithmetic on the input would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from train.reading.balls import Balls, Floats
from train.reading.normal_form import NormalForm

# columns of the n x n tables that are worked on at a time
_BLOCK = 256

Way = Literal["followed", "separate", "plain"]
WAYS: tuple[Way, ...] = ("followed", "separate", "plain")


@dataclass(frozen=True)
class Levels:
    """Bounds on l_t, the logits relative to one reference, valid for every input and alpha.

    member_low, member_high [n]: on l_a when a is active. low, high [bits + 1, n]: on l_t when t is
    not active and misses exactly s = 0..bits of its bits; inf and -inf where it cannot miss so
    many.
    hit_high [h]: f_u when an active token owns u is in [0, hit_high]. missed_low, missed_high [h]:
    on f_u when none does. All rigorous.
    """

    member_low: np.ndarray
    member_high: np.ndarray
    low: np.ndarray
    high: np.ndarray
    hit_high: np.ndarray
    missed_low: np.ndarray
    missed_high: np.ndarray

    @property
    def margin(self) -> np.ndarray:
        """Lower bounds on the margin: the smallest l_a - l_t over all members a and tokens t that
        miss at least s bits, index s = 0..bits; inf where no token has so many.
        """
        most = np.maximum.accumulate(self.high.max(axis=1)[::-1])[::-1]
        return difference_low(self.member_low.min(), most)

    @property
    def member_spread(self) -> float:
        """Upper bound on the difference of two members' logits on one input."""
        return -float(difference_low(self.member_low.min(), self.member_high.max()))

    @property
    def covered_gap(self) -> float:
        """Upper bound on l_a - l_t for a member a and a covered non-member t (no bit missing)."""
        return -float(difference_low(self.low[0].min(), self.member_high.max()))

    def doubled(self) -> Levels:
        """Those of the network with twice its W_U, exactly."""
        return replace(
            self,
            member_low=2.0 * self.member_low,
            member_high=2.0 * self.member_high,
            low=2.0 * self.low,
            high=2.0 * self.high,
        )

    @property
    def certified_share(self) -> float:
        """Share of the tokens that, missing a bit or more, are proved below every member."""
        highest = self.high[1:].max(axis=0, initial=-np.inf)
        return float((difference_low(self.member_low.min(), highest) > 0.0).mean())


def difference_low(a: Floats, b: Floats) -> np.ndarray:
    """A lower bound on a - b, exact where float64 holds it; inf where b is -inf."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        low = (Balls.exact(np.where(finite, a, 0.0)) - Balls.exact(np.where(finite, b, 0.0))).low
        return np.where(finite, low, np.where(np.isneginf(b), np.inf, -np.inf))


def levels(form: NormalForm, way: Way = "followed") -> Levels:
    """The enclosures. Cost O(n^2 h), memory about 100 bytes x n x 256."""
    active = _Active(form, way)
    q, g = form.reference["q"], form.reference["g"]
    n, bits = form.n, int(form.owners.sum(axis=1).max(initial=0))
    members_low, members_high = np.empty(n), np.empty(n)
    low, high = np.empty((bits + 1, n)), np.empty((bits + 1, n))
    for start in range(0, n, _BLOCK):
        block = slice(start, min(start + _BLOCK, n))
        found = _block(form, active, q, g, block, bits)
        members_low[block], members_high[block], low[:, block], high[:, block] = found
    return Levels(
        members_low,
        members_high,
        low,
        high,
        active.hit_high,
        active.missed_low,
        active.missed_high,
    )


class _Active:
    """What k active tokens can do: sorted sums, and from them the ranges of f_u and ỹ_u."""

    def __init__(self, form: NormalForm, way: Way) -> None:
        self.k, self.way = form.k, way
        owners, read = form.owners, form.read
        high, low = form.times_alpha(read, largest=True), form.times_alpha(read, largest=False)
        bias = form.bias

        # owned by member a, whose coefficient is its own: [n, h]
        others = self.largest(high, form.k - 1, leave_out=True)
        with_member = Balls.exact(high) + Balls.exact(others) + bias
        self.member_hit_high = np.maximum(with_member.high, 0.0)
        owned = np.where(owners, self.member_hit_high, 0.0)
        self.hit_high = owned.max(axis=0)
        lowest = self.largest(np.where(owners, -np.inf, -low), form.k)
        missed = (Balls.exact(-lowest) + bias).low
        self.missed_low = np.maximum(missed, 0.0)
        # else every input hits the unit
        self.can_be_missed = (~owners).sum(axis=0) >= form.k
        self.missed_high = np.maximum(
            (Balls.exact(self.largest(np.where(owners, -np.inf, high), form.k)) + bias).high, 0.0
        )

        typical = np.where(owners, form.reference["typical"], read.mid)
        self.even = Balls(typical, np.where(owners, 0.0, read.rad))
        most = Balls.exact(self.largest(form.times_alpha(self.even, True), form.k)) + bias
        least = Balls.exact(-self.largest(-form.times_alpha(self.even, False), form.k)) + bias
        # f_u - ỹ_u lies in [0, miss_over] if missed, in [-hit_under, hit_over] if hit
        self.miss_over = np.where(self.can_be_missed, np.maximum(-missed, 0.0), 0.0)
        self.hit_under = np.maximum(most.high, 0.0)
        self.hit_over = np.maximum((Balls.exact(self.hit_high) - Balls.exact(least.low)).high, 0.0)

    def largest(self, term: np.ndarray, count: int, leave_out: bool = False) -> np.ndarray:
        """Upper bounds on the sum of the `count` largest rows in each column of `term` [n, ...].

        leave_out: for each row the sum over the others, of the shape of `term`. -inf entries are
        rows that are not there; they do not add. Plain: of all positive rows instead.
        """
        if self.way == "plain":
            kept = np.maximum(term, 0.0)
            total = Balls.exact(kept).sum(axis=0)
            return (total - Balls.exact(kept)).high if leave_out else total.high
        if count == 0:
            return np.zeros(term.shape if leave_out else term.shape[1:])
        size = count + leave_out
        top = -np.sort(np.partition(-term, size - 1, axis=0)[:size], axis=0)
        top = np.where(np.isneginf(top), 0.0, top)
        total = Balls.exact(top[:count]).sum(axis=0)
        if not leave_out:
            return total.high
        # a row among the largest is replaced by the next one
        inside = term >= top[count - 1]
        replaced = total - Balls.exact(np.where(inside, term, 0.0)) + Balls.exact(top[count])
        return np.where(inside, replaced.high, total.high)


def _block(
    form: NormalForm, active: _Active, q: np.ndarray, g: np.ndarray, block: slice, bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """member_low, member_high [block]; low, high [bits + 1, block]."""
    constant = form.constant[block]
    direct = form.direct(block) - Balls.exact(g[:, None])
    rho = form.cost[:, block] - Balls.exact(q[:, None])
    member_high, high = _upper(form, active, constant, direct, rho, block, bits)
    # a lower bound on l is an upper bound on -l, which is as linear in the three tables
    member_low, low = _upper(form, active, -constant, -direct, -rho, block, bits)
    return -member_low, member_high, -low, high


def _upper(
    form: NormalForm,
    active: _Active,
    constant: Balls,
    direct: Balls,
    rho: Balls,
    block: slice,
    bits: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Upper bounds on l_t: as a member [block], and by missing bits [bits + 1, block]."""
    tokens, columns = np.arange(block.start, block.stop), np.arange(block.stop - block.start)
    own = form.owners[tokens].T
    far = rho.where(~own)

    if active.way == "followed":
        lean = direct - active.even @ far
        base = constant - form.bias @ far + _price(-far, active.miss_over).sum(axis=0)
        hit = np.maximum(_price(far, active.hit_under).mid, _price(-far, active.hit_over).mid)
        price = Balls.exact(form.owners) @ Balls.exact(hit)
        up = (Balls.exact(form.times_alpha(lean, largest=True)) + price).high
    else:
        largest = np.maximum(active.hit_high, active.missed_high)
        base = constant + _price(-far, largest).sum(axis=0)
        up = form.times_alpha(direct, largest=True)
    itself = Balls.exact(up[tokens, columns])
    up[tokens, columns] = -np.inf

    of_own = _price(-rho.where(own), active.member_hit_high[tokens].T).sum(axis=0)
    member = base + itself + Balls.exact(active.largest(up, form.k - 1)) + of_own
    other = base + Balls.exact(active.largest(up, form.k))
    return member.high, _by_missing_bits(active, rho, own, other, bits)


def _price(rho: Balls, most: np.ndarray) -> Balls:
    """Upper bounds on max(rho, 0) times `most` >= 0, [h] or as rho; exact balls."""
    if most.ndim == 1:
        most = most[:, None]
    return Balls.exact((Balls.exact(np.maximum(rho.high, 0.0)) * Balls.exact(most)).high)


def _by_missing_bits(
    active: _Active, rho: Balls, own: np.ndarray, base: Balls, bits: int
) -> np.ndarray:
    """Upper bounds [bits + 1, block]: which s of the own bits are missing is chosen at worst."""

    def taken(f: np.ndarray) -> np.ndarray:
        return (-(rho * Balls.exact(f[:, None]))).high

    on_miss = np.maximum(taken(active.missed_low), taken(active.missed_high))
    on_hit = np.maximum(taken(active.hit_high), 0.0)
    covered = base + Balls.exact(np.where(own, on_hit, 0.0)).sum(axis=0)
    can = own & active.can_be_missed[:, None]
    change = np.where(can, (Balls.exact(on_miss) - Balls.exact(on_hit)).high, -np.inf)
    change = -np.sort(-change, axis=0)[:bits]
    missing, count = np.arange(bits)[:, None], can.sum(axis=0)
    found = []
    for s in range(bits + 1):
        chosen = np.where(missing < np.minimum(s, count), change, 0.0)
        bound = (covered + Balls.exact(chosen).sum(axis=0)).high if bits else covered.high
        found.append(np.where(s <= count, bound, -np.inf))
    return np.array(found)
