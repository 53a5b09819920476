"""The training loop: what it does is what plain PyTorch does, however it is called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

torch = pytest.importorskip("torch")

from theory.domain import DomainError  # noqa: E402
from train.measures import behaviour  # noqa: E402
from train.training.evenness import even_out  # noqa: E402
from train.training.fit import (  # noqa: E402
    FIRST_MOMENT,
    DivergedError,
    State,
    _loss,
    advance,
    begin,
    finish,
    fit,
    judge,
    milestones,
    rate,
)
from train.training.presets import PRESETS, preset_named  # noqa: E402
from train.training.recipe import Execution, Recipe  # noqa: E402
from train.training.scaled import scaled_recipe  # noqa: E402
from train.training.start import initial_model  # noqa: E402
from train.training.task import draw  # noqa: E402

TINY = Recipe(n=24, d=10, k=2, batch=32, steps=40, warmup=5, embedding_rate=2e-2)
VARIANTS = {
    "plain": TINY,
    "tied": replace(TINY, tied=True),
    "frozen": replace(TINY, frozen=("W_E", "b_in")),
    "no_layer": replace(TINY, layer=False),
    "harder": replace(TINY, target_scale=1.0),
    "shuffled": replace(TINY, shuffled_targets=True),
    "bfloat16": replace(TINY, precision="bfloat16"),
    "readout": replace(TINY, readout_scale=0.01, readout_rate=2e-3, second_moment=0.95),
    "part": replace(TINY, tokens_a_step=7, final_share=0.3, final_batch=48),
    "two_parts": replace(
        TINY, tokens_a_step=7, steps_a_part=3, final_share=0.4, final_tokens=11, batch=16
    ),
    "scale": replace(TINY, final_share=0.75, final_scale_rate=0.05),
    "final": replace(TINY, final_share=0.75, readout_rate=1e-3, final_readout_factor=4.0),
    "part_final": replace(TINY, tokens_a_step=7, final_share=0.5, final_readout_factor=3.0),
    "part_scale": replace(
        TINY, tokens_a_step=7, final_share=0.3, final_tokens=11, final_scale_rate=0.05
    ),
    "tied_first": replace(TINY, tied_share=0.2, tie=0.5, final_share=0.75, final_scale_rate=0.05),
    "part_tied_first": replace(
        TINY, tokens_a_step=7, steps_a_part=3, tied_share=0.4, final_share=0.3, final_tokens=11
    ),
    "even_tied_first": replace(
        TINY,
        tokens_a_step=7,
        tied_share=0.4,
        final_share=0.3,
        final_scale_rate=0.05,
        evenness=0.5,
        precision="bfloat16",
    ),
    "part_tied": replace(TINY, tokens_a_step=12, tied=True, frozen=("W_in",)),
    "part_harder": replace(TINY, tokens_a_step=8, target_scale=1.0, precision="bfloat16"),
    "even": replace(TINY, evenness=0.5, final_share=0.75, embedding_scale=4.0),
    "even_part": replace(TINY, evenness=0.5, tokens_a_step=7),
    "even_tied": replace(TINY, evenness=0.5, tied=True, precision="bfloat16"),
    "even_final": replace(TINY, evenness=0.5, tokens_a_step=7, final_share=0.5),
    "even_at_times": replace(
        TINY, evenness=0.5, final_share=0.75, evenness_interval=3, final_rate_factor=2.0
    ),
    "even_part_at_times": replace(
        TINY,
        evenness=0.5,
        tokens_a_step=7,
        steps_a_part=3,
        final_share=0.5,
        evenness_interval=2,
        final_rate_factor=2.0,
    ),
    "even_harder": replace(TINY, evenness=0.5, target_scale=1.0, frozen=("W_U",)),
    "decay": replace(TINY, weight_decay=0.3, embedding_decay=0.0, cooling=2.0),
}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights(state: State) -> dict[str, np.ndarray]:
    return {name: w.detach().numpy().copy() for name, w in state.model.named_parameters()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_numpys_threads_are_as_many_as_pytorchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the steps alone, and also where they end in an error."""

    def threads() -> set[int]:
        libraries = (each for each in threadpool_info() if each["user_api"] == "blas")
        return {each["num_threads"] for each in libraries}

    seen: list[set[int]] = []

    def watched(*arguments):
        seen.append(threads())
        return _loss(*arguments)

    monkeypatch.setattr("train.training.fit._loss", watched)
    diverging = replace(TINY, learning_rate=1e9)
    with threadpool_limits(2, "blas"):
        before = threads()
        advance(begin(TINY), 1)
        with pytest.raises(DivergedError):
            advance(begin(diverging), diverging.steps)
        assert threads() == before
    assert seen[0] == {1}
    assert len(seen) > 2
    assert all(each == {1} for each in seen)


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_do_not_depend_on_how_steps_are_divided(variant: str) -> None:
    """All at once, one by one, in uneven pieces with measuring between: bitwise the same."""
    recipe = VARIANTS[variant]
    whole, singly, looked_at = begin(recipe), begin(recipe), begin(recipe)
    advance(whole, 40)
    for _ in range(40):
        advance(singly, 1)
    for steps in (1, 7, 30, 99):
        advance(looked_at, steps)
        judge(looked_at, inputs=64)
    assert whole.done
    assert looked_at.step == 40
    assert_same(weights(whole), weights(singly))
    assert_same(weights(whole), weights(looked_at))
    assert all(w.dtype == torch.float32 for w in whole.model.parameters())


@pytest.mark.parametrize(
    "variant",
    [
        "plain",
        "tied",
        "tied_first",
        "frozen",
        "harder",
        "shuffled",
        "even_at_times",
        "decay",
        "readout",
        "scale",
        "final",
        "even",
    ],
)
def test_a_plain_loop_goes_the_same_way(variant: str) -> None:
    """AdamW written out, PyTorch's own softmax and autograd: the same weights to rounding."""
    recipe = VARIANTS[variant]
    state = begin(recipe)
    model = initial_model(recipe)
    generator = torch.Generator()
    generator.set_state(state.generator.get_state())
    moments = {
        name: (w, torch.zeros_like(w), torch.zeros_like(w))
        for name, w in model.named_parameters()
        if w.requires_grad
    }
    losses = []
    steps_of = dict.fromkeys(moments, 0)
    tied_by = recipe.tie / (recipe.embedding_scale * np.sqrt(recipe.d))
    learns_at = 20 if recipe.tied else int(recipe.tied_share * recipe.steps)
    for step in range(20):
        model.tied_by = tied_by if step < learns_at else None
        if step == learns_at > 0:
            model.W_U.data = tied_by * model.W_E.detach().T.clone()
        batch = draw(recipe.task(), recipe.batch, generator)
        wanted = batch.tokens.roll(1, dims=0) if recipe.shuffled_targets else batch.tokens
        target = torch.zeros(recipe.batch, recipe.n).scatter(1, wanted, batch.target())
        log_output = torch.log_softmax(model.logits(batch), dim=1)
        loss = torch.nn.functional.kl_div(log_output, target, reduction="batchmean")
        losses.append(loss.item())
        model.zero_grad(set_to_none=True)
        loss.backward()
        risen = min(1.0, (step + 1) / recipe.warmup)
        share = risen * ((1 + np.cos(np.pi * step / recipe.steps)) / 2) ** recipe.cooling
        for name, (weight, first, second) in moments.items():
            embedding = name in ("W_E", "V")
            largest = recipe.embedding_rate if embedding else recipe.learning_rate
            if name == "W_U" and recipe.readout_rate is not None:
                largest = recipe.readout_rate
            decay = recipe.weight_decay
            final = step >= recipe.steps * (1 - recipe.final_share)
            if final:
                own = name == "W_U"
                largest *= recipe.final_readout_factor if own else recipe.final_rate_factor
            if name == "log_scale":
                largest, decay = recipe.final_scale_rate * final, 0.0
            if embedding and recipe.embedding_decay is not None:
                decay = recipe.embedding_decay
            if weight.grad is None:
                continue
            steps_of[name] += 1
            with torch.no_grad():
                first.lerp_(weight.grad, 1 - FIRST_MOMENT)
                second.lerp_(weight.grad**2, 1 - recipe.second_moment)
                corrected = first / (1 - FIRST_MOMENT ** steps_of[name])
                size = (second / (1 - recipe.second_moment ** steps_of[name])).sqrt() + 1e-8
                weight *= 1 - share * largest * decay
                weight -= share * largest * corrected / size
        interval = recipe.evenness_interval
        if recipe.evenness and step % interval == interval - 1:
            reach = recipe.evenness * recipe.embedding_rate * share * interval
            reach *= recipe.final_rate_factor if final else 1.0
            even_out(model.W_E, model.W_in, reach, settling=final)
    assert advance(state, 20) == pytest.approx(np.mean(losses), rel=1e-4)
    for name, weight in model.named_parameters():
        found = weights(state)[name]
        np.testing.assert_allclose(found, weight.detach().numpy(), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_trained_moves_and_nothing_else(variant: str) -> None:
    recipe = VARIANTS[variant]
    state = begin(recipe)
    before = weights(state)
    advance(state, recipe.steps)
    after = weights(state)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == recipe.trained


def test_another_seed_is_another_network() -> None:
    first, second, other = (begin(replace(TINY, seed=seed)) for seed in (3, 3, 4))
    for state in (first, second, other):
        advance(state, 5)
    assert_same(weights(first), weights(second))
    assert not np.array_equal(weights(first)["W_E"], weights(other)["W_E"])


def test_training_learns() -> None:
    """300 steps of a tiny network: the loss falls to less than a third, and so do the measures."""
    recipe = replace(TINY, steps=300, embedding_scale=2.0)
    state = begin(recipe)
    before, first_loss = judge(state), advance(state, 10)
    while not state.done:
        loss = advance(state, 50)
    after = judge(state)
    assert loss < first_loss / 3
    assert after.kl < before.kl / 3
    assert after.total_variation < before.total_variation / 1.5
    assert after.failure_rate < before.failure_rate


def test_bfloat16_learns_too() -> None:
    recipe = replace(TINY, steps=150, embedding_scale=2.0, precision="bfloat16")
    state = begin(recipe)
    first_loss = advance(state, 10)
    advance(state, 110)
    assert advance(state, 30) < first_loss / 3


def test_shuffled_targets_teach_nothing() -> None:
    """The best answer is then the same for every input: uniform, KL ln(n/k), TV 1 - k/n."""
    found = judge(fit(replace(TINY, steps=300, shuffled_targets=True)))
    assert found.kl == pytest.approx(np.log(24 / 2), rel=0.1)
    assert found.total_variation == pytest.approx(1 - 2 / 24, rel=0.05)


@pytest.mark.parametrize(
    ("recipe", "still"),
    [
        (VARIANTS["frozen"], {"W_E", "b_in"}),
        (VARIANTS["no_layer"], {"W_in", "b_in", "W_out"}),
        (TINY, set()),
    ],
)
def test_what_is_frozen_stays(recipe: Recipe, still: set[str]) -> None:
    before = weights(begin(recipe))
    after = weights(fit(recipe))
    assert {name for name in before if np.array_equal(before[name], after[name])} == still


@pytest.mark.parametrize(
    ("size", "message"),
    [(1e38, r"^the loss is nan at step \d+$"), (1e9, r"^the loss is nan at step \d+$")],
)
def test_divergence_is_raised(size: float, message: str) -> None:
    with pytest.raises(DivergedError, match=message):
        advance(begin(replace(TINY, learning_rate=size, embedding_rate=size)), 40)


def test_a_weight_that_overflows_is_divergence() -> None:
    """The loss before the step was finite; the weights after it are not."""
    state = begin(replace(TINY, warmup=0))
    state.optimiser.param_groups[0]["largest"] = float("inf")
    with pytest.raises(DivergedError, match="a weight is not finite at step 1"):
        advance(state, 1)


@pytest.mark.parametrize("measure", [judge, behaviour])
def test_infinite_measures_are_divergence(measure: Callable[[State], object]) -> None:
    """Weights so large, yet finite, that the logits are not."""
    state = begin(TINY)
    with torch.no_grad():
        state.model.W_U.fill_(1e38)
        state.model.W_U[:, ::2] *= -1
    with pytest.raises(DivergedError, match=r"is (inf|nan) at step 0"):
        measure(state)


@pytest.mark.parametrize(
    ("frozen", "others"),
    [
        (("W_E", "W_in", "b_in", "W_out", "W_U"), {}),
        (("W_E", "W_in", "b_in", "W_out", "W_U", "V"), {"target_scale": 1.0}),
        (("W_E", "W_in", "b_in", "W_out"), {"tied": True}),
        (("W_E", "W_U"), {"layer": False}),
    ],
)
def test_everything_frozen_is_refused(frozen: tuple[str, ...], others: dict[str, object]) -> None:
    with pytest.raises(DomainError, match="frozen must leave a parameter to train"):
        replace(TINY, frozen=frozen, **others)
    state = begin(replace(TINY, frozen=frozen[1:], **others))
    assert {name for name, each in state.model.named_parameters() if each.requires_grad} == {"W_E"}


def test_measuring_depends_on_seed_and_step_alone() -> None:
    state = begin(TINY)
    assert judge(state, 100) == judge(state, 100)
    advance(state, 1)
    other = begin(TINY)
    advance(other, 1)
    assert judge(state, 100) == judge(other, 100)


@given(st.integers(1, 300), st.integers(0, 50), st.floats(0.5, 4.0))
def test_the_rate_rises_and_falls(steps: int, warmup: int, cooling: float) -> None:
    recipe = replace(TINY, steps=steps, warmup=warmup, cooling=cooling)
    rates = [rate(recipe, step) for step in range(steps)]
    assert all(0.0 < share <= 1.0 for share in rates)
    falling = rates[max(0, warmup - 1) :]
    assert falling == sorted(falling, reverse=True)
    if warmup:
        assert rates[0] == pytest.approx(1 / warmup)
    assert rate(recipe, steps) == pytest.approx(0.0, abs=1e-6)


@given(st.integers(1, 10**6))
def test_milestones_rise_to_the_end(steps: int) -> None:
    """Strictly, with the powers of 2 at first and no long gaps; fewer than a hundred."""
    places = list(milestones(steps))
    assert places == sorted(set(places))
    assert places[0] == 1
    assert places[-1] == steps
    assert len(places) < 100
    assert max(np.diff([0, *places])) <= max(1, -(-steps // 60))


def test_the_documented_callback_writes_every_milestone() -> None:
    """The program of the documentation, with a writer that keeps what it is told."""
    text = Path("reports/docs/training.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    written: dict[str, list[int]] = {}

    class Writer:
        def add_scalar(self, name: str, value: float, step: int) -> None:
            assert np.isfinite(value)
            written.setdefault(name, []).append(step)

    of_the_page = 'recipe = PRESETS["source"]\n'
    assert of_the_page in program
    names = {"writer": Writer(), "recipe": TINY}
    exec(program.replace(of_the_page, ""), names)
    assert written.keys() == {"loss", "inputs", "total_variation", "kl", "failure_rate"}
    assert all(steps == list(milestones(40)) for steps in written.values())
    # to look changes nothing
    assert_same(weights(names["state"]), weights(fit(TINY)))


def test_fit_looks_at_every_milestone() -> None:
    seen: list[tuple[int, float]] = []
    state = fit(TINY, on_milestone=lambda state, loss: seen.append((state.step, loss)))
    assert [step for step, _ in seen] == list(milestones(40))
    again = begin(TINY)
    advance(again, 17)
    rest: list[tuple[int, float]] = []
    finish(again, lambda state, loss: rest.append((state.step, loss)))
    assert rest == seen[17:]
    assert_same(weights(state), weights(again))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_begin(name: str) -> None:
    """Each makes its first steps, at its own sizes."""
    recipe = preset_named(name)
    state = begin(replace(recipe, batch=4))
    assert np.isfinite(advance(state, 2))


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(DomainError, match=r"preset must be among source, .*; got sauce"):
        preset_named("sauce")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"k": 513}, "k must be at least 1 and at most n = 512"),
        ({"d": 0}, "d must be"),
        ({"h": 0}, "h must be"),
        ({"c": 0.5}, "c must be"),
        ({"steps": 0}, "steps must be"),
        ({"batch": 0}, "batch must be"),
        ({"seed": -1}, "seed must be"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"embedding_rate": float("inf")}, "embedding_rate must be"),
        ({"evenness": -0.1}, "evenness must be"),
        ({"final_rate_factor": 0.0}, "final_rate_factor must be"),
        ({"evenness_interval": 0}, "evenness_interval must be"),
        ({"final_readout_factor": 0.0}, "final_readout_factor must be"),
        ({"evenness": 0.1, "layer": False}, "evenness must be 0 where there is no layer"),
        ({"final_scale_rate": -0.1}, "final_scale_rate must be"),
        (
            {"tied": True, "final_scale_rate": 0.1},
            "final_scale_rate must be 0 where W_U is tied throughout or frozen; got 0.1",
        ),
        ({"tie": 0.0}, "tie must be"),
        ({"tied_share": -0.1}, "tied_share must be"),
        ({"tied_share": 1.0}, "tied_share must be below 1; got 1: tied ties W_U throughout"),
        ({"tied_share": 0.5, "tied": True}, "tied_share must be 0 where W_U is tied"),
        (
            {"tied_share": 0.5, "frozen": ("W_E", "W_in", "b_in", "W_out")},
            "tied_share must be 0 where nothing but W_U is trained",
        ),
        ({"tied_share": 0.5, "frozen": ("W_U",)}, "tied_share must be 0 where W_U is tied"),
        ({"frozen": ("W_U",), "final_scale_rate": 0.1}, "final_scale_rate must be 0 where W_U"),
        ({"bias": float("nan")}, "bias must be"),
        ({"embedding_scale": -1.0}, "embedding_scale must be"),
        ({"weight_decay": -0.1}, "weight_decay must be"),
        ({"cooling": 0.0}, "cooling must be"),
        ({"m": 65}, "m must be"),
        ({"held_out": -0.1}, "held_out must be"),
        ({"held_out": 1.0}, "held_out must be below 1; got 1"),
        ({"n": 1024, "held_out": 0.1}, r"held_out must be 0 where C\(n, k\) is over 33,554,432"),
        ({"frozen": ("W_E", "W")}, "frozen must be among .*; got W"),
        ({"start": "clamp", "h": 32}, "h must be d = 64 for start clamp; got 32"),
        ({"tied": True, "frozen": ("W_U",)}, "frozen must not hold W_U where it is tied"),
    ],
)
def test_recipes_out_of_range_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(DomainError, match=rf"^{message}"):
        Recipe(**fields)


def test_an_execution_out_of_range_is_refused() -> None:
    with pytest.raises(DomainError, match="threads must be at least 1"):
        Execution(threads=0)


def test_recipes_are_plain_data() -> None:
    """What a file keeps of a recipe is enough to make it again."""
    from dataclasses import asdict

    for recipe in PRESETS.values():
        fields = json.loads(json.dumps(asdict(recipe)))
        assert Recipe(**fields | {"frozen": tuple(fields["frozen"])}) == recipe


def test_where_parts_are_many_a_tied_readout_learns_sooner() -> None:
    """Sixteen parts of 512 tokens: tied first, the network fails on fewer fresh inputs than with a
    readout of its own, after the same steps."""
    alone = replace(
        scaled_recipe(512, 3, 72),
        tokens_a_step=32,
        batch=43,
        steps=3000,
        learning_rate=8e-4,
        final_share=0.0,
    )
    tied = replace(alone, tied_share=0.9, tie=0.3)
    own, shared = (judge(fit(recipe), 20_000).failure_rate for recipe in (alone, tied))
    assert shared < 0.9 * own
