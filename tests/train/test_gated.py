"""Networks whose gates are as their masks say, against the networks themselves and a plain loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given
from hypothesis import strategies as st

from simulate.constructions import clamp, complement
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from train.analysis.gated import GatedByMasks
from train.reading.masks import CLAMP, COMPLEMENT, NEITHER, Masks, extract
from train.training.model import ToyNetwork
from train.training.recipe import Recipe, Task
from train.training.start import initial_model
from train.training.task import Batch, draw

N, D, M, K, C = 24, 16, 4, 2, 2.0
ORIENTATION = {clamp: CLAMP, complement: COMPLEMENT}


def gated(network: ReluNetwork, masks: Masks, batch: Batch) -> np.ndarray:
    """The logits."""
    with torch.no_grad():
        return GatedByMasks(ToyNetwork.of(network), masks).logits(batch).numpy()


def inputs(seed: int, count: int = 40) -> Batch:
    """Of the uniform task."""
    return draw(Task(N, K, C), count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("construction", ORIENTATION)
@given(seed=st.integers(0, 2**32 - 1))
def test_constructions_are_gated_as_their_masks_say(construction, seed: int) -> None:
    """An exact filter is its own prediction."""
    rng = np.random.default_rng(seed)
    network = construction(random_hashes(rng, N, D, M), beta=2.0)
    batch, masks = inputs(seed), extract(network, K, C)
    assert (masks.orientation[masks.live] == ORIENTATION[construction]).all()
    with torch.no_grad():
        own = ToyNetwork.of(network).logits(batch).numpy()
    np.testing.assert_allclose(gated(network, masks, batch), own, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.data())
def test_against_a_plain_loop(seed: int, data: st.DataObject) -> None:
    """Any weights, any masks and orientations: unit by unit and input by input."""
    rng = np.random.default_rng(seed)
    shapes = {"W_E": (N, D), "W_in": (D, D), "b_in": (D,), "W_out": (D, D), "W_U": (D, N)}
    network = ReluNetwork(**{name: rng.normal(size=shape) for name, shape in shapes.items()})
    sides = st.sampled_from([CLAMP, COMPLEMENT, NEITHER])
    orientation = np.array(data.draw(st.lists(sides, min_size=D, max_size=D)))
    masks = replace(
        extract(network, K, C), orientation=orientation, read=rng.random((N, D)) < rng.random()
    )
    batch = inputs(seed, 5)
    expected = []
    for tokens, alpha in zip(batch.tokens.numpy(), batch.alpha.numpy(), strict=True):
        x = sum(a * network.W_E[t] for t, a in zip(tokens, alpha, strict=True))
        after = x.copy()
        for unit in range(D):
            before = x @ network.W_in[:, unit] + network.b_in[unit]
            hit = any(masks.read[t, unit] for t in tokens)
            is_open = {CLAMP: hit, COMPLEMENT: not hit, NEITHER: before > 0}[orientation[unit]]
            if is_open:
                after = after + before * network.W_out[unit]
        expected.append(after @ network.W_U)
    np.testing.assert_allclose(gated(network, masks, batch), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"h": 11},
        {"tied": True},
        {"tied_share": 0.5},
        {"target_scale": 1.0},
        {"final_scale_rate": 0.1},
    ],
    ids=lambda fields: ",".join(fields) or "plain",
)
def test_units_without_a_mask_gate_themselves(fields: dict[str, Any]) -> None:
    """Whatever else the network has: the same logits as its own, whose layer has no mechanism."""
    recipe = Recipe(n=N, d=D, k=K, **fields)
    model = initial_model(recipe)
    if model.log_scale is not None:
        model.log_scale.data.fill_(0.7)
    h = recipe.hidden
    masks = replace(
        extract(clamp(random_hashes(np.random.default_rng(0), N, h, 2), beta=2.0), K, C),
        orientation=np.full(h, NEITHER),
        read=np.ones((N, h), bool),
    )
    batch = draw(recipe.task(), 40, torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, own = GatedByMasks(model, masks).logits(batch), model.logits(batch)
    np.testing.assert_allclose(found.numpy(), own.numpy(), rtol=1e-5, atol=1e-5)


def test_masks_of_another_network_predict_something_else() -> None:
    """The planted fault: the gates are then wrong."""
    rng = np.random.default_rng(0)
    one, other = (clamp(random_hashes(rng, N, D, M), beta=2.0) for _ in range(2))
    batch = inputs(0)
    right, wrong = (gated(one, extract(each, K, C), batch) for each in (one, other))
    assert np.abs(right - wrong).max() > 1.0
