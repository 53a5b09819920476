"""Branch and bound over members, the descents beside it, and inputs bounded by the structure."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from simulate.constructions import clamp
from simulate.enumeration import subsets
from simulate.sampling import random_hashes
from tests.train.certificate_truth import truth
from tests.train.certified_networks import forms, noisy, train_them
from train.certificate import checker, replay
from train.certificate.proof import draft, weights_of
from train.certificate.witness import Inputs, smallest
from train.reading.normal_form import NormalForm


@pytest.fixture(scope="module", autouse=True)
def _trained() -> None:
    train_them()


def form_of(size: float, n: int = 14, k: int = 3) -> NormalForm:
    rng = np.random.default_rng(1)
    hashes = random_hashes(rng, n, 8, 3)
    network = noisy(clamp(hashes, 3.0, dtype=np.float32), rng, size)
    return NormalForm(network, k, 2.0, hashes, np.full(8, -1))


def network_of(form: NormalForm, arithmetic: str = "real") -> checker.Network:
    with np.errstate(all="ignore"):
        return checker.Network(weights_of(form.network), draft(form, arithmetic, 0.01))


def leads(form: NormalForm, tokens: list[int], alpha: np.ndarray) -> dict[tuple[int, int], float]:
    """l_a - l_t for the first of the tokens and each t, with the bits that t misses."""
    z = alpha @ form.read.mid[tokens] + form.bias.mid
    logits = form.constant.mid + alpha @ form.direct().mid[tokens]
    logits = logits - np.maximum(z, 0.0) @ form.cost.mid
    missing = (form.owners & ~form.owners[tokens].any(axis=0)).sum(axis=1)
    others = [t for t in range(form.n) if t not in tokens]
    return {(t, int(missing[t])): float(logits[tokens[0]] - logits[t]) for t in others}


@given(forms(), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**20))
@settings(max_examples=60)
def test_a_bound_holds_of_every_completion(form, level, known, seed) -> None:
    """Whatever is known, wherever the box lies, and whoever is compared."""
    rng = np.random.default_rng(seed)
    net, known = network_of(form), min(known, form.k)
    search = checker.Prefixes(net, level, 0.0)
    tokens = rng.choice(form.n, known, replace=False).tolist()
    ends = np.sort(rng.uniform(1.0, form.c, (known, 2)), axis=1)
    others = np.array([t for t in range(form.n) if t != tokens[0]])
    free = np.full(form.n, True)
    if known == form.k:
        low, shares = search.whole(tokens, ends, others), None
    else:
        low, shares = search.bound(tokens, ends, others, free)
    at = {int(t): place for place, t in enumerate(others)}
    for rest in combinations([t for t in range(form.n) if t not in tokens], form.k - known):
        for _ in range(3):
            alpha = np.concatenate(
                [rng.uniform(*ends.T), rng.choice([1.0, form.c, (1.0 + form.c) / 2], len(rest))]
            )
            for (t, missing), lead in leads(form, [*tokens, *rest], alpha).items():
                if missing >= level:
                    room = 1e-9 * (1.0 + abs(lead)) + search.room
                    assert low[at[t]] <= lead + room
                    if shares is not None:
                        assert (shares[at[t], list(rest)] <= lead + room).all()


@given(forms(), st.integers(1, 3))
@settings(max_examples=30)
def test_what_is_proved_is_true_and_what_is_false_is_not_proved(form, level) -> None:
    exact = truth(form).margin
    if level >= len(exact) or exact[level] is None:
        return
    margin, net = float(exact[level]), network_of(form)
    for wanted in (margin - 0.5, margin - 1e-3, margin + 1e-6 * (1.0 + abs(margin))):
        found = checker.Prefixes(net, level, wanted).run(1)
        assert found == -math.inf or found >= wanted
        assert found == -math.inf or Fraction(found) <= exact[level]
    assert found == -math.inf


@pytest.mark.parametrize("size", [0.0, 0.02])
def test_all_but_a_little_of_a_margin_is_proved(size) -> None:
    """Near a construction, by halving the boxes on which it is small."""
    form = form_of(size, n=7, k=2)
    exact = truth(form).margin
    for level in (1, 2, 3):
        margin = float(exact[level])
        found = checker.Prefixes(network_of(form), level, margin - 2e-3).run(1)
        assert margin - 2e-3 <= found <= margin


def test_floats_are_counted() -> None:
    form = form_of(0.02)
    real, single = network_of(form), network_of(form, "float32")
    room = 2.0 * single.logit_round
    assert room > 0.0
    assert checker.Prefixes(single, 1, 0.0).room >= checker.Prefixes(real, 1, 0.0).room + room


def test_threads_change_nothing_and_a_refutation_ends_it() -> None:
    net = network_of(form_of(0.05))
    found = {checker.Prefixes(net, 1, 0.1).run(jobs) for jobs in (1, 3)}
    assert len(found) == 1
    assert checker.Prefixes(net, 1, 100.0).run(2) == -math.inf


@given(forms(), st.integers(0, 2**20), st.booleans())
@settings(max_examples=20)
def test_a_witness_is_what_its_replay_says(form, seed, relaxed) -> None:
    seen = smallest(network_of(form), 2, np.random.default_rng(seed), relaxed)
    exact = truth(form).margin
    assert not math.isfinite(seen[0].margin)
    for level, found in enumerate(seen):
        if math.isfinite(found.margin):
            alpha = [Fraction(x) for x in found.alpha]
            own, other = replay.logits(
                form.network, found.tokens, alpha, [found.member, found.other]
            )
            size = 1.0 + abs(float(own)) + abs(float(other))
            assert found.margin == pytest.approx(float(own - other), abs=1e-3 * size)
            assert own - other >= exact[level]


def test_descents_find_the_smallest_margin_of_a_small_network() -> None:
    form = form_of(0.05, n=7, k=2)
    exact = truth(form).margin
    seen = smallest(network_of(form), 2, np.random.default_rng(0), True)
    for level in (1, 2):
        assert seen[level].margin == pytest.approx(float(exact[level]), abs=1e-4)


def smallest_at_ends(form: NormalForm) -> dict[int, float]:
    """By forward passes of all inputs with each alpha at 1 or c: the margins, by missing bits."""
    tokens = subsets(form.n, form.k, 0, math.comb(form.n, form.k))
    missing = (form.owners & ~form.owners[tokens].any(axis=1)[:, None]).sum(axis=2)
    np.put_along_axis(missing, tokens, -1, axis=1)
    found = dict.fromkeys(range(1, 4), math.inf)
    for alpha in product((1.0, form.c), repeat=form.k):
        logits = form.network.logits(tokens, np.tile(alpha, (len(tokens), 1)))
        lead = np.take_along_axis(logits, tokens, axis=1).min(axis=1)[:, None] - logits
        for level in found:
            found[level] = min(found[level], float(lead[missing >= level].min()))
    return found


def test_descents_refute_levels_that_are_false() -> None:
    """Of the levels that enumeration refutes; all of 24 networks' when this was written.

    The smallest margin of all was reached in 90 % of the levels, and in 84 % without the descents
    from the next level's worst input.
    """
    refuted, reached = [], []
    for seed in range(72):
        rng = np.random.default_rng(seed)
        hashes = random_hashes(rng, 32, 12, 4)
        network = noisy(clamp(hashes, 3.0, dtype=np.float32), rng, rng.uniform(0.02, 0.12))
        form = NormalForm(network, 3, 2.0, hashes, np.full(12, -1))
        seen = smallest(network_of(form), 3, rng, bool(seed % 2))
        for level, margin in smallest_at_ends(form).items():
            reached.append(seen[level].margin <= margin + 1e-4)
            if margin < -1e-3:
                refuted.append(seen[level].margin < 0.0)
    assert len(refuted) >= 90
    assert np.mean(refuted) >= 0.95
    assert np.mean(reached) >= 0.87


@pytest.mark.parametrize("size", [0.0, 0.01, 0.05])
def test_structure_and_enumeration_bound_the_same_probabilities(size) -> None:
    """Of each input apart; an exact construction's inputs fail where they are covered."""
    form = form_of(size)
    net = network_of(form)
    by_structure = checker.ByLevels(net).run(1)
    by_enumeration = checker.Enumeration(net, 0.01).run(1)
    assert (by_structure[:3] == by_enumeration[:3]).all()
    for low, high in ((3, 4), (5, 6)):
        assert by_structure[low] <= by_enumeration[high] + 1e-6
        assert by_enumeration[low] <= by_structure[high] + 1e-6
    if size == 0.0:
        steep = NormalForm(clamp(form.owners, 30.0), 3, 2.0, form.owners, form.sign)
        found = checker.ByLevels(network_of(steep)).run(1)
        assert found[1] == found[3] == found[4] > 0.0


def test_inputs_are_indexed_together() -> None:
    few = Inputs(np.arange(6).reshape(3, 2), np.ones((3, 2)))[1:2]
    assert few.tokens.tolist() == [[2, 3]]
    assert few.alpha.shape == (1, 2)
