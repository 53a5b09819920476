"""A network moved into the construction of its own masks, one step after the other.

What a network computes is decided by its tables (`certificate.normal_form`). Each step rounds one
of them, and at the end stands the exact filter of the masks, logit_t = -beta M_t:

- reads: two levels for each unit, by its masks.
- biases: tokens that do not own a unit no longer move it, its bias takes over what they add on
  average, and one owner closes it for certain.
- writes: two levels for each unit; a clamp network's constants follow them.
- direct path: nothing goes past the units, and units of neither orientation are dropped.
- equal bits: every bit is worth the mean bit.
- equal heights: all tokens whose bits are all in the union have one logit, as with an output bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from simulate.network import ReluNetwork
from train.reading.masks import CLAMP, NEITHER, Masks
from train.reading.normal_form import NormalForm
from train.reading.rounding import rounded_cost, rounded_read


class Step(StrEnum):
    """What is replaced next by what the masks have."""

    READS = "reads"
    BIASES = "biases"
    WRITES = "writes"
    DIRECT_PATH = "direct path"
    EQUAL_BITS = "equal bits"
    EQUAL_HEIGHTS = "equal heights"


STEPS = tuple(step.value for step in Step)


@dataclass(frozen=True)
class Tables:
    """logit_t = constant_t + sum_j alpha_j (into_j out_t) - sum_u cost_ut relu(bias_u + z_u).

    z_u = sum_j alpha_j read_ju. read [n, h], bias [h], cost [h, n], constant [n]; the direct path
    is the product of into [n, r] and out [r, n].
    """

    read: np.ndarray
    bias: np.ndarray
    cost: np.ndarray
    constant: np.ndarray
    into: np.ndarray
    out: np.ndarray

    def logits(self, tokens: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """The forward pass, float64 [inputs, n]."""
        z = np.einsum("sk,skh->sh", alpha, self.read[tokens])
        direct = np.einsum("sk,skr->sr", alpha, self.into[tokens]) @ self.out
        return self.constant + direct - np.maximum(z + self.bias, 0.0) @ self.cost

    def towards(self, other: Tables, share: float) -> Tables:
        """The mean of both, weighted."""
        mixed = {
            name: (1.0 - share) * value + share * getattr(other, name)
            for name, value in vars(self).items()
        }
        return Tables(**mixed)


def tables_of(network: ReluNetwork, masks: Masks, k: int, c: float) -> tuple[Tables, NormalForm]:
    """The tables of a float64 network, the same function but for rounding, and its normal form."""
    # what all columns of W_U share moves all logits alike
    centred = network.W_U - network.W_U.mean(axis=1, keepdims=True)
    network = replace(network, W_U=centred)
    clamp = masks.orientation == CLAMP
    form = NormalForm(network, k, c, masks.read, np.where(clamp, -1, 1))
    read, cost = form.read.mid, form.cost.mid
    tables = Tables(
        read=read,
        bias=form.bias.mid,
        cost=cost,
        constant=form.constant.mid,
        into=np.hstack([network.W_E, read[:, clamp]]),
        out=np.vstack([network.W_U, cost[clamp]]),
    )
    return tables, form


def targets(masks: Masks, k: int, c: float, tables: Tables, form: NormalForm) -> Iterator[Tables]:
    """The tables after each of STEPS, all earlier ones taken."""
    ours = masks.orientation != NEITHER
    owners = masks.read & ours
    clamp = masks.orientation == CLAMP

    read = np.where(ours, rounded_read(form), tables.read)
    tables = replace(tables, read=read)
    yield tables

    # one level each, at any token that does not own the unit
    level = np.where(owners, np.inf, read).min(axis=0)
    level = np.where(ours & np.isfinite(level), level, 0.0)
    bias = np.where(ours, np.maximum(tables.bias + k * (1.0 + c) / 2.0 * level, 0.0), tables.bias)
    closing = np.where(owners, np.minimum(read, -2.0 * bias), 0.0)
    tables = replace(tables, bias=bias, read=np.where(ours, closing, read))
    yield tables

    cost = np.where(ours[:, None], rounded_cost(form), tables.cost)
    followed = form.bias.mid[clamp] @ (cost - tables.cost)[clamp]
    tables = replace(tables, cost=cost, constant=tables.constant + followed)
    yield tables

    nothing = np.zeros_like(tables.into)
    cost = np.where(ours[:, None], cost, 0.0)
    tables = replace(tables, into=nothing, cost=cost)
    yield tables

    # in nats: what the bit is worth to its owners against the others
    lowest, highest = cost.min(axis=1), cost.max(axis=1)
    worth = np.where(owners.any(axis=0), bias * (highest - lowest), 0.0)[ours]
    beta = float(worth.mean())
    # the unit's own scale stays, so that the way there does not depend on it
    each = np.divide(beta, bias, out=np.zeros_like(bias), where=(bias > 0.0) & ours)
    equal = np.where(owners.T, each[:, None], 0.0)
    height = (bias[:, None] * equal)[clamp].sum(axis=0)
    constant = tables.constant + (height - form.bias.mid[clamp] @ cost[clamp])
    tables = replace(tables, cost=equal, constant=constant)
    yield tables

    yield replace(tables, constant=np.zeros_like(constant))


def beta_of(end: Tables) -> float:
    """What a bit is worth at the end of the path, nats."""
    return float((end.bias[:, None] * end.cost).max(initial=0.0))


def path(
    network: ReluNetwork, masks: Masks, k: int, c: float, parts: int
) -> Iterator[tuple[float, Tables]]:
    """Tables at 0, 1/parts, 2/parts, ... steps of the way; beta of its end is `beta_of` the last.

    network: float64, with at least one clamp or complement unit. A step is walked along the
    straight line between the tables before and after it.
    """
    before, form = tables_of(network, masks, k, c)
    yield 0.0, before
    for step, after in enumerate(targets(masks, k, c, before, form)):
        for part in range(1, parts):
            yield step + part / parts, before.towards(after, part / parts)
        yield step + 1.0, after
        before = after
