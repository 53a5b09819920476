"""A network's tables rounded to the two levels of its own masks."""

from __future__ import annotations

import numpy as np

from train.reading.normal_form import NormalForm, medians

# beyond what switches a unit off for every input
_ROOM = 1.1


def rounded_read(form: NormalForm) -> np.ndarray:
    """Two levels for each unit, [n, h]; a unit that nobody owns reads its median of every token."""
    read, owners, bias = form.read.mid, form.owners, form.bias.mid
    open_level, owned_level = medians(read, ~owners), medians(read, owners)
    others = (form.k - 1) * np.maximum(open_level, form.c * open_level)
    owned_level = np.minimum(owned_level, -_ROOM * np.maximum(bias + others, 0.0))
    return np.where(owners, owned_level, open_level)


def rounded_cost(form: NormalForm) -> np.ndarray:
    """Two levels for each unit, [h, n]."""
    cost, owners = form.cost.mid, form.owners.T
    shared, own = medians(cost.T, ~owners.T)[:, None], medians(cost.T, owners.T)[:, None]
    return np.where(owners, np.maximum(own, shared), shared)
