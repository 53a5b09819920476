"""The truth at tiny sizes, in rational arithmetic: every input, every gate pattern, every vertex.

For one input all logits are piecewise linear in alpha: linear on each cell into which the planes
z_u = 0 cut the box [1, c]^k. So whatever is a difference of logits has its extremes at vertices of
cells, and these are among the points where k independent planes meet, of the units' and of the
box's faces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from simulate.network import ReluNetwork
from train.certificate import replay
from train.reading.normal_form import NormalForm

TENSORS = ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
_ZERO = Fraction(0)


@dataclass(frozen=True)
class Truth:
    """Exact extremes over all inputs and all alpha.

    margin: index s, the smallest l_a - l_t over members a and tokens t that miss at least s bits;
    None where no token can. member_spread: the largest difference of two members' logits.
    covered_gap: the largest l_a - l_t for a covered non-member t, None where there is none.
    hit_high, missed_low: for each unit the largest y_u when it is hit and the smallest when it is
    missed, None where that cannot be.
    """

    margin: list[Fraction | None]
    member_spread: Fraction
    covered_gap: Fraction | None
    hit_high: list[Fraction | None]
    missed_low: list[Fraction | None]


def truth(form: NormalForm) -> Truth:
    """Cost O(C(n, k) C(h + 2 k, k) k (k^2 + h n)) operations on fractions."""
    bits = int(form.owners.sum(axis=1).max(initial=0))
    margin: list[Fraction | None] = [None] * (bits + 1)
    spread, gap = _ZERO, None
    hit_high: list[Fraction | None] = [None] * form.h
    missed_low: list[Fraction | None] = [None] * form.h
    for tokens in combinations(range(form.n), form.k):
        members = list(tokens)
        union = np.any(form.owners[members], axis=0)
        missing = np.count_nonzero(form.owners & ~union, axis=1)
        others = [t for t in range(form.n) if t not in tokens]
        for alpha in vertices(form.network, members, form.c):
            z = replay.pre_activations(form.network, members, alpha) * form.sign
            for unit, (y, hit) in enumerate(zip(z, union, strict=True)):
                if hit:
                    hit_high[unit] = _larger(hit_high[unit], y)
                else:
                    missed_low[unit] = _smaller(missed_low[unit], y)
            logits = replay.logits(form.network, members, alpha)
            own = logits[members]
            spread = max(spread, own.max() - own.min())
            for t in others:
                for s in range(int(missing[t]) + 1):
                    margin[s] = _smaller(margin[s], own.min() - logits[t])
                if missing[t] == 0:
                    gap = _larger(gap, own.max() - logits[t])
    return Truth(margin, spread, gap, hit_high, missed_low)


def _larger(old: Fraction | None, new: Fraction) -> Fraction:
    return new if old is None else max(old, new)


def _smaller(old: Fraction | None, new: Fraction) -> Fraction:
    return new if old is None else min(old, new)


def vertices(network: ReluNetwork, tokens: list[int], c: float) -> Iterator[list[Fraction]]:
    """All vertices of the cells of one input's box, and perhaps a few other points of the box."""
    k = len(tokens)
    one, end = Fraction(1), Fraction(c)
    read = replay.rationals(network.W_E[tokens]) @ replay.rationals(network.W_in)
    bias = replay.rationals(network.b_in)
    unit_planes = [
        ([*read[:, u]], -bias[u]) for u in range(network.h) if any(a != 0 for a in read[:, u])
    ]
    faces = [([Fraction(i == j) for i in range(k)], at) for j in range(k) for at in {one, end}]
    seen = set()
    for planes in combinations([*faces, *unit_planes], k):
        alpha = _meeting_point(planes)
        if alpha is not None and all(one <= a <= end for a in alpha):
            seen.add(tuple(alpha))
    yield from (list(alpha) for alpha in sorted(seen))


def _meeting_point(planes: tuple[tuple[list[Fraction], Fraction], ...]) -> list[Fraction] | None:
    """Where k planes (normal, level) meet, by Gauss-Jordan; None unless it is one point."""
    rows = [[*normal, level] for normal, level in planes]
    k = len(rows)
    for column in range(k):
        pivot = next((r for r in range(column, k) if rows[r][column] != 0), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [entry / rows[column][column] for entry in rows[column]]
        for r in range(k):
            if r != column and rows[r][column] != 0:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[column], strict=True)]
    return [row[k] for row in rows]


def midpoint_rule(form: NormalForm, tokens: np.ndarray, points: int) -> tuple[float, float]:
    """Share of failures and mean total variation of one input by the midpoint rule, an estimate.

    tokens int [k]; points: along each coefficient.
    """
    k = form.k
    steps = 1.0 + (form.c - 1.0) * (np.arange(points) + 0.5) / points
    alpha = np.stack(np.meshgrid(*[steps] * k, indexing="ij"), axis=-1).reshape(-1, k)
    network = form.network
    tensors = {name: getattr(network, name) for name in TENSORS}
    double = ReluNetwork(
        **{name: w if w is None else w.astype(np.float64) for name, w in tensors.items()}  # type: ignore[arg-type]
    )
    logits = double.logits(np.tile(tokens, (len(alpha), 1)), alpha)
    output = np.exp(logits - logits.max(axis=1, keepdims=True))
    output /= output.sum(axis=1, keepdims=True)
    on_members = output[:, tokens]
    failed = on_members.sum(axis=1) < (k / (k + 1) + 1.0) / 2.0
    return float(failed.mean()), float(np.maximum(1.0 / k - on_members, 0.0).sum(axis=1).mean())


def to_bfloat16(x: np.ndarray) -> np.ndarray:
    """The nearest numbers of bfloat16, ties to even, as float32."""
    bits = x.astype(np.float32).view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return kept.view(np.float32)


def _as_it_is(x: np.ndarray) -> np.ndarray:
    return x


# what float32's result of an operation becomes in the format
FORMATS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float32": _as_it_is,
    "bfloat16": to_bfloat16,
}


def float_logits(
    network: ReluNetwork,
    tokens: np.ndarray,
    alpha: np.ndarray,
    order: int,
    rounded: Callable[[np.ndarray], np.ndarray] = _as_it_is,
) -> np.ndarray:
    """A forward pass, float32 [inputs, n], its sums in one of three orders.

    0: those of the library, in float32; 1: one term after the other, backwards; 2: in pairs; in
    both each operation is rounded.
    """
    if order == 0:
        return network.logits(tokens, alpha)

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        terms = list(rounded(a.T[:, :, None] * b[:, None, :]))
        if order == 1:
            total = np.zeros_like(terms[0])
            for term in terms[::-1]:
                total = rounded(total + term)
            return total
        while len(terms) > 1:
            pairs = [rounded(a + b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[len(terms) // 2 * 2 :]
        return terms[0]

    x = np.zeros((len(tokens), network.d), dtype=np.float32)
    for j in range(tokens.shape[1])[:: -1 if order == 1 else 1]:
        x = rounded(x + rounded(alpha[:, j : j + 1] * network.W_E[tokens[:, j]]))
    hidden = np.maximum(rounded(product(x, network.W_in) + network.b_in), np.float32(0.0))
    x = rounded(x + product(hidden, network.W_out))
    x = x if network.b_out is None else rounded(x + network.b_out)
    logits = product(x, network.W_U)
    return logits if network.b_U is None else rounded(logits + network.b_U)
