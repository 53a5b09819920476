"""The model against `ReluNetwork`, which it is a twin of; and where training starts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from simulate.constructions import clamp  # noqa: E402
from simulate.harder_task import TargetNetwork  # noqa: E402
from simulate.network import ReluNetwork  # noqa: E402
from theory.domain import DomainError  # noqa: E402
from train.training.model import ToyNetwork  # noqa: E402
from train.training.recipe import Recipe, Task  # noqa: E402
from train.training.start import initial_model  # noqa: E402
from train.training.task import draw  # noqa: E402


def random_network(rng: np.random.Generator, n: int, d: int, h: int) -> ReluNetwork:
    shapes = {"W_E": (n, d), "W_in": (d, h), "b_in": (h,), "W_out": (h, d), "W_U": (d, n)}
    return ReluNetwork(
        **{name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    )


def batch_of(recipe: Recipe, inputs: int = 20):
    return draw(recipe.task(), inputs, torch.Generator().manual_seed(1))


@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.data())
def test_logits_are_those_of_the_arrays(
    seed: int, n: int, d: int, h: int, data: st.DataObject
) -> None:
    """In both tasks, in float32 to rounding; and the weights survive the way there and back."""
    k = data.draw(st.integers(1, n))
    rng = np.random.default_rng(seed)
    relu = random_network(rng, n, d, h)
    batch = draw(Task(n, k, target_scale=1.0), 7, torch.Generator().manual_seed(seed))
    tokens, alpha, wanted = (x.numpy() for x in (batch.tokens, batch.alpha, batch.target_logits))
    harder = TargetNetwork(relu, rng.standard_normal((n, d), dtype=np.float32))
    for network, logits in (
        (relu, relu.logits(tokens, alpha)),
        (harder, harder.logits(tokens, alpha, wanted)),
    ):
        model = ToyNetwork.of(network)
        np.testing.assert_allclose(
            model.logits(batch).detach().numpy(), logits, rtol=1e-4, atol=1e-4
        )
        back = model.to_network()
        assert type(back) is type(network)
        for name, weight in model.named_parameters():
            holder = back if name == "V" else getattr(back, "network", back)
            np.testing.assert_array_equal(getattr(holder, name), weight.detach().numpy())
        np.testing.assert_array_equal(
            getattr(network, "network", network).W_in, model.W_in.detach().numpy()
        )


def test_the_arrays_are_no_views_of_the_weights() -> None:
    model = initial_model(Recipe(n=9, d=4, k=2))
    network = model.to_network()
    before = network.W_E.copy()
    with torch.no_grad():
        model.W_E.zero_()
    np.testing.assert_array_equal(network.W_E, before)


def test_output_biases_are_refused() -> None:
    relu = random_network(np.random.default_rng(0), 5, 3, 3)
    biased = ReluNetwork(
        relu.W_E, relu.W_in, relu.b_in, relu.W_out, relu.W_U, b_U=np.zeros(5, dtype=np.float32)
    )
    with pytest.raises(DomainError, match="network must have no output biases"):
        ToyNetwork.of(biased)


@pytest.mark.parametrize(("n", "d", "h", "name"), [(0, 2, 2, "n"), (2, 0, 2, "d"), (2, 2, 0, "h")])
def test_bad_sizes_are_named(n: int, d: int, h: int, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name} must be"):
        ToyNetwork(n, d, h)


def test_the_exact_start_is_the_clamp_construction() -> None:
    """Logits of beta = 2 at any scale, but for rounding; hashes of m bits each."""
    recipe = Recipe(n=30, d=12, k=2, start="exact", m=4, embedding_scale=3.0)
    model = initial_model(recipe)
    hashes = model.W_E.detach().numpy() / 3.0 == 1.0
    assert (hashes.sum(axis=1) == 4).all()
    batch = batch_of(recipe)
    logits = clamp(hashes, beta=2.0).logits(batch.tokens.numpy(), batch.alpha.double().numpy())
    np.testing.assert_allclose(model.logits(batch).detach().numpy(), logits, atol=1e-4)


def test_the_exact_start_takes_the_best_m() -> None:
    from theory.false_positives import failure_probability

    hashes = initial_model(Recipe(n=30, d=12, k=2, start="exact")).W_E.detach().numpy() > 0
    rates = {m: failure_probability(30, 2, 12, m) for m in range(1, 13)}
    assert {int(m) for m in hashes.sum(axis=1)} == {min(rates, key=lambda m: rates[m])}


def test_a_gaussian_start_has_the_stated_scales() -> None:
    """Standard deviations of 10^4 and more entries, to 5 %: six standard errors or more."""
    recipe = Recipe(n=500, d=120, h=100, k=2, embedding_scale=0.3, bias=2.0, target_scale=1.0)
    model = initial_model(recipe)
    for weight, deviation in (
        (model.W_E, 0.3),
        (model.V, 0.3),
        (model.W_in, 120**-0.5),
        (model.W_out, 100**-0.5),
        (model.W_U, 120**-0.5),
    ):
        assert weight.std().item() == pytest.approx(deviation, rel=0.05)
    np.testing.assert_allclose(model.b_in.detach().numpy(), 0.6)


def test_a_clamp_start_has_the_layer_alone() -> None:
    """W_in = I and W_out = -I; hashes and readout are random."""
    model = initial_model(Recipe(n=200, d=16, k=2, start="clamp", embedding_scale=8.0, bias=-1.0))
    assert torch.equal(model.W_in, torch.eye(16))
    assert torch.equal(model.W_out, -torch.eye(16))
    assert (model.b_in == -8.0).all()
    assert model.W_E.std().item() == pytest.approx(8.0, rel=0.1)


def test_no_layer_leaves_the_residual_alone() -> None:
    recipe = Recipe(n=20, d=6, k=2, layer=False)
    model, batch = initial_model(recipe), batch_of(recipe)
    x = model.residual(batch)
    assert torch.equal(model.after_layer(x), x)
    assert not any(weight.requires_grad for weight in (model.W_in, model.b_in, model.W_out))


def test_a_tied_readout_is_the_embedding() -> None:
    model = initial_model(Recipe(n=20, d=16, k=2, tied=True, embedding_scale=2.0))
    assert model.W_U is None
    assert torch.equal(model.readout, model.W_E.T / 8.0)
    np.testing.assert_array_equal(model.to_network().W_U, model.readout.detach().numpy())


def test_a_factor_of_all_logits_is_part_of_the_readout() -> None:
    recipe = Recipe(n=20, d=6, k=2, start="clamp", final_scale_rate=0.1)
    plain, scaled = initial_model(replace(recipe, final_scale_rate=0.0)), initial_model(recipe)
    assert plain.log_scale is None
    assert scaled.log_scale is not None
    with torch.no_grad():
        scaled.log_scale.fill_(math.log(3.0))
    batch = draw(recipe.task(), 9, torch.Generator().manual_seed(0))
    torch.testing.assert_close(scaled.logits(batch), 3.0 * plain.logits(batch))
    before, after = plain.to_network(), scaled.to_network()
    np.testing.assert_allclose(after.W_U, 3.0 * before.W_U, rtol=1e-6)
    for name in ("W_E", "W_in", "b_in", "W_out"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_frozen_parameters_ask_for_no_gradient() -> None:
    model = initial_model(Recipe(n=20, d=6, k=2, frozen=("W_E", "b_in")))
    still = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    assert still == {"W_E", "b_in"}


def test_a_seed_fixes_the_start() -> None:
    first, second, other = (initial_model(Recipe(n=9, d=4, k=2, seed=s)) for s in (3, 3, 4))
    assert torch.equal(first.W_E, second.W_E)
    assert not torch.equal(first.W_E, other.W_E)
