"""Bounds on the logits of single inputs over a box of coefficients, many inputs at a time.

An input's k tokens are given and alpha_j runs over [low_j, high_j]. Here z_u is that of the normal
form with its sign; it is affine in alpha, and f_u = ReLU(z_u) is share z_u + e_u with share 0 or 1,
whichever is nearer, and 0 <= e_u <= excess; excess is 0 where the unit's gate does not change in
the box. So every logit is affine in alpha up to an interval, and matrix products give centre,
slopes and interval for all tokens at once, in float32 (`screen`). For the few pairs of tokens on
which something hangs, `margin_low` bounds the difference of their logits by itself, in float64.
Splitting the box closes the intervals.

Each logit is taken relative to an affine function of alpha that is the same for all tokens of one
input (the members' mean), which no softmax sees. Rounding is bounded once for all inputs and
counted in every bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.reading.normal_form import NormalForm

# corners of the box are looked at in at most this many coefficients
_MOST_ENDS = 4


@dataclass(frozen=True)
class Gates:
    """B boxes and the hidden units over them, float64.

    tokens int [B, k]. centre, radius [B, k]: the box of alpha. read [B, k, h]: the members' rows.
    z [B, h]: s_u z_u at the centre. width [B, h]: the largest deviation from it, rounding included.
    """

    tokens: np.ndarray
    centre: np.ndarray
    radius: np.ndarray
    read: np.ndarray
    z: np.ndarray
    width: np.ndarray

    @property
    def undecided(self) -> np.ndarray:
        """Units whose gate may change within the box, bool [B, h]."""
        return np.abs(self.z) < self.width

    @property
    def share(self) -> np.ndarray:
        """1.0 for the units that are mostly on in the box, else 0.0, [B, h]."""
        return (self.z > 0.0).astype(np.float64)

    @property
    def excess(self) -> np.ndarray:
        """Upper bounds on e_u, [B, h]."""
        return np.maximum(self.width - np.abs(self.z), 0.0)

    def mean_excess(self) -> np.ndarray:
        """Upper bounds on the mean of e_u over alpha uniform on the box, [B, h].

        e_u is the positive part of something affine in alpha. Over the coefficient that moves it
        most its mean is an integral; over the next ones, as it is convex, at most the mean of the
        ends; over the rest, at most the largest value.
        """
        inside = self.width - np.abs(self.z)
        box, unit = np.nonzero(inside > 0.0)
        reach = self.radius[box] * np.abs(self.read[box, :, unit])
        reach = -np.sort(-reach, axis=1)[:, :_MOST_ENDS]
        first, ends = reach[:, 0], corners(reach.shape[1] - 1)
        # uniform on [top - 2 first, top], the others at these ends
        top = inside[box, unit, None] - reach[:, 1:] @ (1.0 - ends.T)
        bottom = np.maximum(top - 2.0 * first[:, None], 0.0)
        top = np.maximum(top, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (top + bottom) * ((top - bottom) / (4.0 * first[:, None]))
        mean = np.fmin(mean, top).mean(axis=1)
        found = np.zeros_like(inside)
        found[box, unit] = mean * (1.0 + 2.0**-40)
        return found


@dataclass(frozen=True)
class Screen:
    """B boxes' logits relative to one reference for each box, float32; rounding is in the bounds.

    low, high [B, n]: bounds on l_t over the box. log_mean [B, n]: upper bounds on
    ln E exp(l_t), alpha uniform on the box. member_value [B, k], member_slopes [B, k, k] (slope,
    member): the members' affine parts, slopes times the radius of the box.
    """

    low: np.ndarray
    high: np.ndarray
    log_mean: np.ndarray
    member_value: np.ndarray
    member_slopes: np.ndarray


class Boxes:
    """The tables of one network."""

    def __init__(self, form: NormalForm) -> None:
        self.form = form
        cost, direct, constant = form.cost, form.direct(), form.constant
        # what all tokens share cancels; without it less is rounded
        self.cost = cost.mid - np.median(cost.mid, axis=1, keepdims=True)
        self.direct = direct.mid - np.median(direct.mid, axis=1, keepdims=True)
        self.constant = constant.mid - np.median(constant.mid)
        self.read, self.bias = form.read.mid, form.bias.mid
        self.cost_by_token = np.ascontiguousarray(self.cost.T)

        single = np.float32
        self._cost = self.cost.astype(single)
        self._gain, self._loss = np.maximum(-self._cost, 0.0), np.maximum(self._cost, 0.0)
        self._direct = self.direct.astype(single)
        self._constant = self.constant.astype(single)

        # Rounding, by the standard model: fewer than `steps` operations lie between the tables and
        # a bound, and the sizes of what they add up to are at most `sizes`; eps is twice the unit
        # roundoff, which covers terms of second order and the differences of two logits.
        steps = form.h + 6 * form.k + 32
        double, eps = 2.0**-52, float(np.finfo(single).eps)
        largest = form.k * form.c * np.abs(self.read).max(axis=0) + np.abs(self.bias)
        self.gate_error = form.k * form.c * read_error(form) + double * steps * largest
        # f_u, share z_u + gap / 2 and share x width are at most twice the largest f_u
        top = np.sort(form.times_alpha(form.read, largest=True), axis=0)[-form.k :].sum(axis=0)
        most = np.maximum(top + self.bias, 0.0) + double * steps * largest + self.gate_error
        size = 4.0 * (most @ np.abs(self.cost)).max()
        size += 2.0 * form.k * form.c * np.abs(self.direct).max() + np.abs(self.constant).max()
        # in the tables themselves, and from z_u on
        tables = 2.0 * (most @ (cost.rad + double * np.abs(cost.mid))).max()
        tables += 2.0 * form.k * form.c * (direct.rad + double * np.abs(direct.mid)).max()
        tables += (constant.rad + double * np.abs(constant.mid)).max()
        tables += 2.0 * (self.gate_error @ np.abs(self.cost)).max()
        self.error = 2.0 * (eps * steps * size + tables)
        # there bias and reads are summed apart, so that sizes beyond the largest f_u occur
        size += 4.0 * (largest @ np.abs(self.cost)).max()
        self.pair_error = 4.0 * (double * steps * size + tables) + 2.0**-900
        # what underflows; and nothing is said where float32 might overflow
        self.error += 2.0**-140 * steps * (1.0 + most.sum() + form.k * form.c)
        if max(size, most.max(initial=0.0), largest.max(initial=0.0)) > 2.0**100:
            self.error = np.inf

    def gates(self, tokens: np.ndarray, low: np.ndarray, high: np.ndarray) -> Gates:
        """tokens int [B, k], distinct in each row; low, high float64 [B, k], within [1, c]."""
        centre, radius = (low + high) / 2.0, (high - low) / 2.0
        # the centre is rounded, unless the box is a point
        radius = np.where(radius > 0.0, radius + 2.0**-50 * self.form.c, 0.0)
        read = self.read[tokens]
        z = np.einsum("bk,bkh->bh", centre, read) + self.bias
        width = np.einsum("bk,bkh->bh", radius, np.abs(read)) + self.gate_error
        return Gates(tokens, centre, radius, read, z, width)

    def screen(self, gates: Gates) -> Screen:
        """Bounds on all logits of each box."""
        tokens, form = gates.tokens, self.form
        count, k = tokens.shape
        share, excess = gates.share, gates.excess.astype(np.float32)
        rows = np.empty((count, k + 1, form.h), dtype=np.float32)
        rows[:, 0] = share * gates.z
        rows[:, 1:] = (share[:, None, :] * gates.radius[:, :, None]) * gates.read
        products = (rows.reshape(-1, form.h) @ self._cost).reshape(count, k + 1, form.n)
        centre, radius = gates.centre.astype(np.float32), gates.radius.astype(np.float32)

        value = self._constant - products[:, 0]
        wide = np.full_like(value, self.error)
        log_mean = excess @ self._gain
        member_slopes = np.empty((count, k, k), dtype=np.float32)
        scratch = np.empty_like(value)
        for j in range(k):
            slope = self._direct[tokens[:, j]]
            np.multiply(slope, centre[:, j, None], out=scratch)
            value += scratch
            slope *= radius[:, j, None]
            slope -= products[:, j + 1]
            of_members = np.take_along_axis(slope, tokens, axis=1)
            mean = of_members.mean(axis=1, keepdims=True)
            member_slopes[:, j] = of_members - mean
            slope -= mean
            np.abs(slope, out=slope)
            wide += slope
            # E exp(s x) = sinh(s) / s <= exp(s^2 / 6) for x uniform on [-1, 1]
            slope *= slope
            slope *= np.float32(1.0 / 6.0 + 1e-6)
            log_mean += slope
        member_value = np.take_along_axis(value, tokens, axis=1)
        mean = member_value.mean(axis=1, keepdims=True)
        value -= mean
        high = excess @ self._gain
        high += value
        high += wide
        log_mean += value
        log_mean += np.float32(self.error)
        value -= excess @ self._loss
        value -= wide
        return Screen(value, high, log_mean, member_value - mean, member_slopes)

    def margin_low(
        self, gates: Gates, box: np.ndarray, member: np.ndarray, other: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower bounds on l_member - l_other, float64 [P], and a corner alpha [P, k] that is bad.

        box, member, other int [P]: which box, and the two tokens. A unit that lowers the difference
        makes it concave, so that it is least at a corner; one that raises it is bounded by 0 or
        z_u. At the corner the bound is attained but for the latter.
        """
        tokens, z = gates.tokens[box], gates.z[box]
        centre, radius = gates.centre[box], gates.radius[box]
        cost = self.cost_by_token[member] - self.cost_by_token[other]
        concave = gates.undecided[box] & (cost > 0.0)
        share = np.where(concave, 0.0, gates.share[box])
        slopes = self.direct[tokens, member[:, None]] - self.direct[tokens, other[:, None]]
        slopes = slopes - np.einsum("ph,pkh->pk", cost * share, gates.read[box])
        level = self.constant[member] - self.constant[other] + (slopes * centre).sum(axis=1)
        level = level - (cost * share) @ self.bias

        pair, unit = np.nonzero(concave)
        moved = radius[pair] * gates.read[box[pair], :, unit]
        # the coefficients whose corners are looked at; the others are at their worst
        count = min(_MOST_ENDS, tokens.shape[1])
        weight = np.zeros_like(radius)
        np.add.at(weight, pair, np.abs(moved))
        chosen = np.argsort(-(weight + np.abs(slopes) * radius), axis=1)[:, :count]
        ends = corners(count)
        near = np.take_along_axis(moved, chosen[pair], axis=1)
        rest = np.abs(moved).sum(axis=1) - np.abs(near).sum(axis=1)
        lost = np.maximum(z[pair, unit, None] + rest[:, None] + near @ ends.T, 0.0)
        lost *= cost[pair, unit, None]
        swing = slopes * radius
        near = np.take_along_axis(swing, chosen, axis=1)
        at = (level - (np.abs(swing).sum(axis=1) - np.abs(near).sum(axis=1)))[:, None]
        at = at + near @ ends.T
        np.subtract.at(at, pair, lost)
        worst = at.argmin(axis=1)
        alpha = centre - np.sign(slopes) * radius
        np.put_along_axis(
            alpha,
            chosen,
            np.take_along_axis(centre, chosen, 1)
            + ends[worst] * np.take_along_axis(radius, chosen, 1),
            axis=1,
        )
        return at[np.arange(len(at)), worst] - self.pair_error, alpha

    def influence(
        self, gates: Gates, box: np.ndarray, member: np.ndarray, other: np.ndarray
    ) -> np.ndarray:
        """How much each coefficient's interval moves l_member - l_other, estimated, [P, k]."""
        tokens, reach = gates.tokens[box], np.abs(gates.read[box]) * gates.radius[box][:, :, None]
        cost = self.cost_by_token[member] - self.cost_by_token[other]
        direct = self.direct[tokens, member[:, None]] - self.direct[tokens, other[:, None]]
        share = gates.share[box]
        slopes = direct - np.einsum("ph,pkh->pk", cost * share, gates.read[box])
        open_units = np.where(gates.undecided[box], np.abs(cost), 0.0)
        return np.abs(slopes) * gates.radius[box] + np.einsum("ph,pkh->pk", open_units, reach)


def corners(count: int) -> np.ndarray:
    """All rows of `count` signs, float64 [2^count, count]."""
    return (
        np.array(list(np.ndindex(*(2,) * count)), dtype=np.float64).reshape(2**count, count) * 2.0
        - 1.0
    )


def read_error(form: NormalForm) -> np.ndarray:
    """Largest radius of the entries of each unit's column, [h]."""
    return form.read.rad.max(axis=0)
