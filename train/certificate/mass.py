"""From bounds on an input's logits to its mass off the members, failure and total variation.

With l the logits, T = sum over the non-members of exp(l_t) and q the output given that a member is
drawn, leak = T / sum over members of exp(l_a) and

    TV <= TV(q, uniform) + leak / (1 + leak),      TV >= leak / (1 + leak),

the latter being the mass off the members. The input fails where leak exceeds 1/(2k + 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.certificate.boxes import Boxes, Gates, Screen
from train.certificate.boxes import corners as corners_of

# relative error of a float32 exponential whose argument was shifted, below 88, and of summing n
_ROUNDING = 2.0**-15
# what n exponentials that underflow add up to, at most
_UNDERFLOW = 2.0**-100
# corners of the box are looked at in at most this many coefficients
_MOST_ENDS = 8


@dataclass(frozen=True)
class Mass:
    """Bounds over each of B boxes, float64 [B].

    failure_low, failure_high: on the share of the box on which the input fails; equal to 1 or 0
    where this is certain for all of it. tv_low, tv_high: on the mean of the total variation over
    alpha uniform on the box.
    """

    failure_low: np.ndarray
    failure_high: np.ndarray
    tv_low: np.ndarray
    tv_high: np.ndarray


def mass(boxes: Boxes, gates: Gates, screen: Screen) -> Mass:
    """Bounds on failure and TV."""
    tokens = gates.tokens
    k = tokens.shape[1]
    slack = screen.low.shape[1] * 2.0**-23 + _ROUNDING
    low = np.take_along_axis(screen.low, tokens, axis=1).astype(np.float64)
    high = np.take_along_axis(screen.high, tokens, axis=1).astype(np.float64)
    # so that exponentials of members do not overflow; where others' do, the input fails
    shift = high.max(axis=1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        least = _sum_of_exp(screen.low, tokens, shift) * (1.0 - slack)
        least = np.maximum(least - _UNDERFLOW, 0.0)
        most = _sum_of_exp(screen.high, tokens, shift) * (1.0 + slack) + _UNDERFLOW
        mean = _sum_of_exp(screen.log_mean, tokens, shift) * (1.0 + slack) + _UNDERFLOW
        # Jensen: the mean of exponentials is at least the exponential of the mean
        weakest = low.mean(axis=1)
        leak_low = least / np.exp(high - shift[:, None]).sum(axis=1) * (1.0 - _ROUNDING)
        leak_high = most / (k * np.exp(weakest - shift)) * (1.0 + _ROUNDING)
        # the members' mean is at least -lost, with E lost known better than its largest value
        gain, loss = _excess_costs(boxes, gates)
        lost, largest = loss.mean(axis=1), np.maximum(-weakest, 1e-12)
        mean_leak = (mean + most * lost * np.expm1(largest) / largest) * np.exp(shift) / k
        mean_leak = np.fmin(mean_leak, leak_high) * (1.0 + _ROUNDING)
        uneven = _unevenness(screen) + gain + lost + 3.0 * boxes.error
        tv_high = uneven + np.where(np.isfinite(mean_leak), mean_leak / (1.0 + mean_leak), 1.0)
        tv_low = leak_low / (1.0 + leak_low)
        threshold = 1.0 / (2 * k + 1)
        # Markov where it may or may not fail
        failure_high = np.where(leak_high <= threshold, 0.0, np.fmin(mean_leak / threshold, 1.0))
    failure_low = (leak_low > threshold).astype(np.float64)
    failure_high = np.maximum(failure_low, failure_high)
    return Mass(failure_low, failure_high, np.nan_to_num(tv_low), np.fmin(tv_high, 1.0))


def _sum_of_exp(bound: np.ndarray, tokens: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Sum of exp(bound - shift) over the non-members."""
    rest = bound - shift.astype(np.float32)[:, None]
    np.put_along_axis(rest, tokens, -np.inf, axis=1)
    np.exp(rest, out=rest)
    return rest.sum(axis=1).astype(np.float64)


def _excess_costs(boxes: Boxes, gates: Gates) -> tuple[np.ndarray, np.ndarray]:
    """Means of what the e_u add to a member's logit at most, [B], and take off each, [B, k]."""
    cost = boxes.cost_by_token[gates.tokens]
    mean = gates.mean_excess()
    gain = np.einsum("bh,bh->b", np.maximum(-cost, 0.0).max(axis=1), mean)
    return gain, np.einsum("bkh,bh->bk", np.maximum(cost, 0.0), mean)


def _unevenness(screen: Screen) -> np.ndarray:
    """Upper bounds on the mean of TV(q, uniform) for the members' affine parts, [B].

    TV(q, uniform) <= (1/k) sum_a max(0, ln((1/k) sum_b exp(l_b)) - l_a), which is convex in
    alpha, so that its mean is at most that of its values at the corners of the box. What further
    coefficients move a logit by, it may gain on others twice.
    """
    value, slopes = (x.astype(np.float64) for x in (screen.member_value, screen.member_slopes))
    slopes, others = slopes[:, :_MOST_ENDS], slopes[:, _MOST_ENDS:]
    corners = corners_of(slopes.shape[1])
    at = value[:, None, :] + np.einsum("cj,bja->bca", corners, slopes)
    top = at.max(axis=2, keepdims=True)
    level = top + np.log(np.exp(at - top).mean(axis=2, keepdims=True))
    further = 2.0 * np.abs(others).sum(axis=1).max(axis=1)
    return np.maximum(level - at, 0.0).mean(axis=(1, 2)) + further
