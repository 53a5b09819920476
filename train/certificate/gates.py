"""Whether each hidden unit says exactly if an active token owns it: a proof, or a counterexample.

For y_u = s_u z_u (see `normal_form`) two statements, over all C(n, k) inputs and all alpha:

- hit: y_u <= 0 whenever an active token owns u, so that f_u = 0;
- missed: y_u >= 0 whenever none does, so that f_u = y_u.

y_u is a sum over the active tokens with free coefficients, so its extremes come from sorting: the
bounds are attained, and a statement that is not proved is refuted by the input that attains them.
The boundary belongs to both sides, as ReLU is continuous: the exact clamp has y_u = 0 at alpha = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from simulate.network import ReluNetwork
from train.certificate import replay
from train.reading.balls import Balls
from train.reading.normal_form import NormalForm


@dataclass(frozen=True)
class Statement:
    """One statement about every unit. Arrays over units.

    bound: on y_u, rigorous: from above for hit, from below for missed; -inf (inf) where no input
    meets the condition. holds: whether the statement is true; each is decided. tokens [h, k] and
    alpha [h, k]: an input that attains the bound but for rounding; a counterexample where the
    statement is false. -1 and NaN where there is none.
    """

    bound: np.ndarray
    holds: np.ndarray
    tokens: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True)
class Gates:
    """Both statements about every unit: worst cases, verdicts and counterexamples."""

    hit: Statement
    missed: Statement

    @property
    def proved(self) -> np.ndarray:
        """Units of which both hold, bool [h]."""
        return self.hit.holds & self.missed.holds


def gates(form: NormalForm) -> Gates:
    """Decide every unit. Cost O(n h) after the product W_E W_in."""
    return Gates(_decide(form, hit=True), _decide(form, hit=False))


def _decide(form: NormalForm, hit: bool) -> Statement:
    """hit: the largest y_u with an owner active; else the smallest without."""
    k, units = form.k, np.arange(form.h)
    term = form.times_alpha(form.read, largest=hit)
    # sort so that the most extreme tokens come first
    extreme = -term if hit else np.where(form.owners, np.inf, term)
    order = np.argsort(extreme, axis=0, kind="stable")[:k]
    if hit:
        best_owner = np.argmin(np.where(form.owners, extreme, np.inf), axis=0)
        without = ~form.owners[order, units].any(axis=0)
        order[-1] = np.where(without, best_owner, order[-1])
        possible = form.owners.any(axis=0)
    else:
        possible = (~form.owners).sum(axis=0) >= k
    total = Balls.exact(term[order, units]).sum(axis=0) + form.bias
    none = -np.inf if hit else np.inf
    bound = np.where(possible, total.high if hit else total.low, none)
    holds = bound <= 0.0 if hit else bound >= 0.0

    largest = form.read.mid[order, units] > 0.0
    alpha = np.where(largest == hit, form.c, 1.0).T
    tokens = order.T.copy()
    for unit in np.flatnonzero(~holds).tolist():
        y = _exact_y(form, unit, tokens[unit], alpha[unit])
        if (y > 0) != hit or y == 0:
            # within rounding of the boundary: settle it in rational arithmetic
            tokens[unit], alpha[unit], y = _exact_extreme(form, unit, hit)
            holds[unit] = y <= 0 if hit else y >= 0
            bound[unit] = 0.0 if holds[unit] else bound[unit]
    tokens[~possible], alpha[~possible] = -1, np.nan
    return Statement(bound, holds, tokens, alpha)


def _exact_y(form: NormalForm, unit: int, tokens: np.ndarray, alpha: np.ndarray) -> Fraction:
    one = _only(form.network, unit)
    exact = replay.pre_activations(one, tokens.tolist(), [Fraction(a) for a in alpha.tolist()])
    return int(form.sign[unit]) * exact[0]


def _exact_extreme(
    form: NormalForm, unit: int, hit: bool
) -> tuple[np.ndarray, np.ndarray, Fraction]:
    """The input that is extreme for one unit, and its y_u, by exact selection."""
    sign, c = int(form.sign[unit]), Fraction(form.c)
    one = _only(form.network, unit)
    read = sign * (replay.rationals(one.W_E) @ replay.rationals(one.W_in))[:, 0]
    pick = max if hit else min
    term = [pick(a, c * a) for a in read]
    owners = form.owners[:, unit]
    candidates = [t for t in range(form.n) if hit or not owners[t]]
    candidates.sort(key=term.__getitem__, reverse=hit)
    chosen = candidates[: form.k]
    if hit and not owners[chosen].any():
        chosen[-1] = pick(np.flatnonzero(owners).tolist(), key=term.__getitem__)
    y = sign * Fraction(float(form.network.b_in[unit])) + sum(term[t] for t in chosen)
    alpha = [form.c if (read[t] > 0) == hit else 1.0 for t in chosen]
    return np.array(chosen), np.array(alpha), y


def _only(network: ReluNetwork, unit: int) -> ReluNetwork:
    """The network with one hidden unit."""
    kept = slice(unit, unit + 1)
    return ReluNetwork(
        network.W_E,
        network.W_in[:, kept],
        network.b_in[kept],
        network.W_out[kept],
        network.W_U,
    )
