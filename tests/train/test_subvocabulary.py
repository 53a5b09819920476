"""Steps on a part of the vocabulary: an unbiased sum, and only its own rows are moved."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.train.test_fit import TINY, assert_same, weights  # noqa: E402
from theory.domain import DomainError  # noqa: E402
from train.training.fit import FIRST_MOMENT, advance, begin  # noqa: E402
from train.training.loss import TargetDivergence  # noqa: E402
from train.training.recipe import Recipe  # noqa: E402
from train.training.start import initial_model  # noqa: E402
from train.training.subvocabulary import SubVocabulary  # noqa: E402
from train.training.task import Batch, draw  # noqa: E402

PART = replace(TINY, tokens_a_step=7, weight_decay=0.1)


def test_the_sum_over_a_part_is_unbiased() -> None:
    """All C(7, 2) parts of 4 tokens that hold both members: their mean Z is the whole one."""
    recipe = Recipe(n=9, d=5, k=2, batch=1, steps=1, tokens_a_step=4, embedding_scale=0.3)
    state = begin(recipe)
    part = SubVocabulary(recipe, recipe.tokens_at(0), state.model, state.optimiser)
    alpha = torch.tensor([[1.3, 1.9]])
    sums = []
    for others in combinations(range(2, 9), 2):
        part.take_tokens(torch.tensor([0, 1, *others]))
        batch = Batch(torch.tensor([[0, 1]]), alpha)
        loss = TargetDivergence()(part.model, batch, others_weight=part.others_weight).item()
        mean_logit = state.model.logits(batch)[0, :2].mean().item()
        # loss = log Z - mean member logit - log k, up to a factor on Z common to all parts
        sums.append(np.exp(loss + mean_logit + np.log(2)))
    logits = state.model.logits(Batch(torch.tensor([[0, 1]]), alpha))
    assert part.others_weight == pytest.approx(7 / 2)
    assert np.mean(sums) == pytest.approx(logits.exp().sum().item(), rel=1e-5)


def test_a_part_of_everything_is_everything() -> None:
    """All tokens in one step, in another order: the loss and the gradients of the whole."""
    recipe = replace(TINY, tokens_a_step=24)
    state = begin(recipe)
    part = SubVocabulary(recipe, recipe.tokens_at(0), state.model, state.optimiser)
    part.take(0)
    places = draw(recipe.task(), 16, state.generator)
    batch = replace(places, tokens=part.tokens[places.tokens])
    here, whole = (TargetDivergence() for _ in range(2))
    loss = here(part.model, places, others_weight=part.others_weight)
    assert loss.item() == pytest.approx(whole(state.model, batch).item(), rel=1e-5)
    loss.backward()
    to_layer = state.model.W_in.grad.clone()
    state.model.zero_grad()
    whole(state.model, batch).backward()
    torch.testing.assert_close(to_layer, state.model.W_in.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        part.model.W_E.grad, state.model.W_E.grad[part.tokens], rtol=1e-4, atol=1e-6
    )


def test_every_pass_visits_every_row_once_and_moves_no_other() -> None:
    """24 tokens, 7 a step: three steps a pass, whose 21 rows are distinct; what rests is exact."""
    state = begin(PART)
    part = SubVocabulary(PART, 7, state.model, state.optimiser)
    for first in (0, 3, 6):
        seen: set[int] = set()
        for step in range(first, first + 3):
            part.take(step)
            tokens = set(part.tokens.tolist())
            before, moments = weights(state), _moments(state)
            advance(state, 1)
            others = sorted(set(range(24)) - tokens)
            after = weights(state)
            np.testing.assert_array_equal(before["W_E"][others], after["W_E"][others])
            np.testing.assert_array_equal(before["W_U"][:, others], after["W_U"][:, others])
            assert (before["W_U"] != after["W_U"]).any(axis=0).sum() == 7
            assert not np.array_equal(before["W_in"], after["W_in"])
            if moments is not None:
                np.testing.assert_array_equal(moments[others], _moments(state)[others])
            assert not seen & tokens
            seen |= tokens
        assert len(seen) == 21


def _moments(state) -> np.ndarray | None:
    kept = state.optimiser.state.get(state.model.W_E)
    return None if not kept else kept["exp_avg"].numpy().copy()


def test_a_plain_loop_on_rows_goes_the_same_way() -> None:
    """AdamW written out with a count for every row, autograd's own softmax on the indexed rows."""
    state, model = begin(PART), initial_model(PART)
    order = SubVocabulary(PART, 7, initial_model(PART), state.optimiser)
    generator = torch.Generator()
    generator.set_state(state.generator.get_state())
    names = ("W_E", "W_in", "b_in", "W_out", "W_U")
    moments = {name: torch.zeros(2, *getattr(model, name).shape) for name in names}
    for step in range(6):  # two passes
        order.take(step)
        tokens = order.tokens
        batch = draw(replace(PART.task(), n=7), PART.batch, generator)
        model.zero_grad(set_to_none=True)
        logits = model.logits(Batch(tokens[batch.tokens], batch.alpha))[:, tokens]
        members = torch.zeros(PART.batch, 7, dtype=torch.bool).scatter(1, batch.tokens, True)
        logits = torch.where(members, logits, logits + np.log(22 / 5))
        log_output = torch.log_softmax(logits, dim=1).gather(1, batch.tokens)
        (-log_output.mean()).backward()
        share = min(1.0, (step + 1) / PART.warmup) * (1 + np.cos(np.pi * step / PART.steps)) / 2
        for name in names:
            weight = getattr(model, name)
            part = {"W_E": (tokens,), "W_U": (slice(None), tokens)}.get(name, ())
            count = step // 3 + 1 if part else step + 1
            largest = PART.embedding_rate if name == "W_E" else PART.learning_rate
            with torch.no_grad():
                gradient = weight.grad[part]
                first = FIRST_MOMENT * moments[name][0][part] + (1 - FIRST_MOMENT) * gradient
                second = 0.99 * moments[name][1][part] + 0.01 * gradient**2
                moments[name][0][part], moments[name][1][part] = first, second
                size = (second / (1 - 0.99**count)).sqrt() + 1e-8
                moved = first / (1 - FIRST_MOMENT**count) / size
                weight[part] = weight[part] * (1 - share * largest * 0.1) - share * largest * moved
    advance(state, 6)
    for name, weight in model.named_parameters():
        found = weights(state)[name]
        np.testing.assert_allclose(found, weight.detach().numpy(), rtol=2e-3, atol=2e-4)


def test_the_final_share_knows_all_tokens() -> None:
    recipe = replace(TINY, tokens_a_step=7, final_share=0.25, final_batch=48)
    assert [recipe.tokens_at(step) for step in (0, 29, 30, 39)] == [7, 7, 24, 24]
    assert [recipe.batch_at(step) for step in (0, 29, 30, 39)] == [32, 32, 48, 48]
    state = begin(recipe)
    advance(state, 30)
    before = weights(state)["W_U"]
    advance(state, 1)
    assert (before != weights(state)["W_U"]).any(axis=0).all()


def test_the_order_is_the_seeds_alone() -> None:
    same = [begin(PART) for _ in range(2)]
    for state in same:
        advance(state, 9)
    assert_same(*map(weights, same))
    begun = begin(PART)
    parts = [
        SubVocabulary(replace(PART, seed=seed), 7, begun.model, begun.optimiser) for seed in (0, 1)
    ]
    for part in parts:
        part.take(4)
    assert not torch.equal(parts[0].tokens, parts[1].tokens)


@pytest.mark.parametrize("tokens", [0, 2, 25])
def test_a_part_out_of_range_is_refused(tokens: int) -> None:
    with pytest.raises(DomainError, match="tokens_a_step must be"):
        replace(TINY, tokens_a_step=tokens)


def test_held_out_sets_are_of_the_whole_vocabulary() -> None:
    """What a step draws from its part, named by its own tokens, is never held out."""
    recipe = replace(PART, held_out=0.4)
    state = begin(recipe)
    assert state.held_out is not None
    part = SubVocabulary(recipe, 7, state.model, state.optimiser)
    whole, allowed = state.held_out.holds, 0
    for step in range(6):
        part.take(step)
        batch = draw(replace(recipe.task(), n=7), 64, state.generator, part.in_whole(whole))
        assert not whole(part.tokens[batch.tokens]).any()
        allowed += int(whole(batch.tokens).any())
    assert allowed  # its places alone would have been judged wrongly
