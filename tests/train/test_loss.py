"""The fused loss against plain PyTorch and finite differences; the measures against NumPy's.

False-alarm budget of this file: none; every comparison is on the same inputs.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from simulate.harder_task import logits_divergence  # noqa: E402
from simulate.network import divergence  # noqa: E402
from theory.domain import DomainError  # noqa: E402
from train.training import loss as losses  # noqa: E402
from train.training.loss import TargetDivergence, measure, outcomes  # noqa: E402
from train.training.model import ToyNetwork  # noqa: E402
from train.training.recipe import Recipe, Task  # noqa: E402
from train.training.start import initial_model  # noqa: E402
from train.training.task import Batch, draw  # noqa: E402

HARDER = Recipe(n=12, d=5, h=7, k=3, target_scale=1.5)


def seeded(seed: int = 1):
    return torch.Generator().manual_seed(seed)


def plain_loss(model: ToyNetwork, batch: Batch, wanted=None):
    """Mean KL(target || output) by PyTorch's own softmax and KL, with dense targets."""
    logits = model.logits(batch)
    tokens = batch.tokens if wanted is None else wanted
    target = torch.zeros_like(logits).scatter(1, tokens, batch.target().to(logits.dtype))
    log_output = torch.log_softmax(logits, dim=1)
    return torch.nn.functional.kl_div(log_output, target, reduction="batchmean")


def gradients(model: ToyNetwork, value) -> dict[str, np.ndarray]:
    model.zero_grad(set_to_none=True)
    value.backward()
    return {
        name: weight.grad.double().numpy().copy()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.data())
def test_value_and_gradient_are_plain_pytorchs(n: int, d: int, h: int, data: st.DataObject) -> None:
    """Every task, tied or not, the batch's own targets or another's; to rounding in float32."""
    recipe = Recipe(
        n=n,
        d=d,
        h=h,
        k=data.draw(st.integers(1, n)),
        target_scale=data.draw(st.sampled_from([0.0, 1.0])),
        tied=data.draw(st.booleans()),
        seed=n + d,
    )
    model = initial_model(recipe)
    batch = draw(recipe.task(), 6, seeded(h))
    wanted = data.draw(st.sampled_from([None, batch.tokens.roll(1, dims=0)]))
    ours = TargetDivergence()(model, batch, wanted)
    plain = plain_loss(model, batch, wanted)
    assert ours.item() == pytest.approx(plain.item(), rel=1e-4, abs=1e-5)
    found, expected = gradients(model, ours), gradients(model, plain)
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-5)


def test_the_gradient_is_the_slope() -> None:
    """Central differences of the value itself, in float64, along every parameter."""
    model, loss = initial_model(HARDER).double(), TargetDivergence()
    drawn = draw(HARDER.task(), 9, seeded())
    batch = Batch(drawn.tokens, drawn.alpha.double(), drawn.target_logits.double())
    slopes = gradients(model, loss(model, batch))
    generator = seeded(2)
    for name, weight in model.named_parameters():
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        values = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                weight += step * direction
            values.append(loss(model, batch).item())
        with torch.no_grad():
            weight += 1e-5 * direction
        slope = float((slopes[name] * direction.numpy()).sum())
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_calls_share_memory_but_no_results() -> None:
    """A second call, of other sizes and dtype too, is as right as a first."""
    model, loss = initial_model(HARDER), TargetDivergence()
    for inputs in (8, 8, 3, 8):
        batch = draw(HARDER.task(), inputs, seeded(inputs))
        found = gradients(model, loss(model, batch))
        fresh = gradients(model, TargetDivergence()(model, batch))
        for name in found:
            np.testing.assert_array_equal(found[name], fresh[name])


def test_a_member_without_probability() -> None:
    """The value is finite and the gradient exact where the softmax underflows."""
    model = ToyNetwork(3, 1, 1)
    with torch.no_grad():
        model.W_E.fill_(1.0)
        model.W_U.copy_(torch.tensor([[500.0, -500.0, 0.0]]))
    batch = Batch(torch.tensor([[1]]), torch.ones(1, 1))
    value = TargetDivergence()(model, batch)
    assert value.item() == pytest.approx(-np.log(losses._SMALLEST))
    assert gradients(model, value)["W_U"].tolist() == [[1.0, -1.0, 0.0]]


def test_bfloat16_is_close() -> None:
    """Under autocast: the value to 2 %, the gradients' directions to a cosine of 0.999."""
    recipe = Recipe(n=64, d=16, k=3)
    model = initial_model(recipe)
    batch = draw(recipe.task(), 256, seeded())
    exact = TargetDivergence()(model, batch)
    full = gradients(model, exact)
    with torch.autocast("cpu", torch.bfloat16):
        rough = TargetDivergence()(model, batch)
    assert rough.item() == pytest.approx(exact.item(), rel=0.02)
    assert rough.item() != exact.item()
    for name, gradient in gradients(model, rough).items():
        cosine = (gradient * full[name]).sum() / (
            np.linalg.norm(gradient) * np.linalg.norm(full[name])
        )
        assert cosine > 0.999
    assert all(weight.dtype == torch.float32 for weight in model.parameters())


def test_measures_are_those_of_the_arrays() -> None:
    """The uniform task: TV, KL and failures as `simulate.network` defines them, input by input."""
    recipe = Recipe(n=40, d=24, k=3, start="exact", m=5)
    model = initial_model(recipe)
    with torch.no_grad():
        model.W_U *= 5.0  # beta = 10: the mass that leaks is that of false positives
    found = outcomes(model, recipe.task(), 500, seeded())
    batch = draw(recipe.task(), 500, seeded())
    tokens = batch.tokens.numpy()
    logits = model.to_network().logits(tokens, batch.alpha.numpy())
    expected = divergence(logits, tokens)
    np.testing.assert_allclose(found.total_variation, expected.total_variation, atol=1e-5)
    np.testing.assert_allclose(found.kl, expected.kl, atol=1e-5)
    # the output is 1/k at most on each token of this network, so TV is the mass that is lost
    failed = expected.total_variation > 1 - (3 / 4 + 1) / 2
    assert 0 < failed.sum() < 500
    np.testing.assert_array_equal(found.failed, failed)
    means = measure(model, recipe.task(), 500, seeded())
    assert means.inputs == 500
    assert means.total_variation == pytest.approx(expected.total_variation.mean(), abs=1e-6)
    assert means.kl == pytest.approx(expected.kl.mean(), abs=1e-6)
    assert means.failure_rate == failed.mean()


def test_measures_of_the_harder_task() -> None:
    model = initial_model(HARDER)
    found = outcomes(model, HARDER.task(), 20, seeded())
    batch = draw(HARDER.task(), 20, seeded())
    tokens, alpha, wanted = (x.numpy() for x in (batch.tokens, batch.alpha, batch.target_logits))
    logits = model.to_network().logits(tokens, alpha, wanted)
    for i in range(20):
        expected = logits_divergence(logits[i : i + 1], tokens[i : i + 1], wanted[i])
        assert found.total_variation[i].item() == pytest.approx(
            expected.total_variation.item(), abs=1e-5
        )
        assert found.kl[i].item() == pytest.approx(expected.kl.item(), rel=1e-4)


def test_measuring_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many inputs fit at once, all are measured; a network of zeros knows every answer."""
    monkeypatch.setattr(losses, "_BLOCK_ENTRIES", 70)
    found = outcomes(ToyNetwork(10, 2, 2), Task(10, 2), 100, seeded())
    assert len(found.kl) == 100
    np.testing.assert_allclose(found.kl, np.log(5.0), rtol=1e-5)
    np.testing.assert_allclose(found.total_variation, 0.8, rtol=1e-5)
    assert found.failed.all()


def test_no_inputs_are_refused() -> None:
    with pytest.raises(DomainError, match="inputs must be at least 1"):
        measure(ToyNetwork(4, 2, 2), Task(4, 2), 0, seeded())
