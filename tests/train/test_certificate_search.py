"""The search over inputs: same whatever the threads, within what sampling sees, near the truth."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from simulate.constructions import clamp, complement
from simulate.enumeration import subsets
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from simulate.network import divergence
from simulate.sampling import random_coefficients, random_hashes, random_sets
from tests.train.certified_networks import noisy
from theory import quenched
from train.certificate import replay
from train.certificate.boxes import Boxes
from train.certificate.mass import mass
from train.certificate.search import Search, Witness
from train.reading.normal_form import NormalForm


def noisy_form(seed: int = 0, size: float = 0.05, c: float = 2.0, build=clamp) -> NormalForm:
    rng = np.random.default_rng(seed)
    hashes = random_hashes(rng, 20, 10, 3)
    network = noisy(build(hashes, 3.0, dtype=np.float32), rng, size)
    return NormalForm(network, 2, c, hashes, np.full(10, -1 if build is clamp else 1))


def settled(form: NormalForm, jobs: int = 1, block: int = 64, **options: int):
    search = Search(form, **options)
    every = subsets(form.n, form.k, 0, math.comb(form.n, form.k))
    start = search.warm_up(every[::3], np.random.default_rng(0))
    blocks = [every[i : i + block] for i in range(0, len(every), block)]
    return search, list(search.run_all(blocks, start, jobs))


def smallest(outcomes, level: int = 1) -> Witness:
    return min((each.witnesses[level] for each in outcomes), key=lambda witness: witness.margin)


def test_results_do_not_depend_on_threads() -> None:
    form = noisy_form()
    _, once = settled(form, jobs=1)
    _, twice = settled(form, jobs=3)
    for a, b in zip(once, twice, strict=True):
        assert a.witnesses == b.witnesses
        for name in ("failure_low", "failure_high", "tv_low", "tv_high", "open_low"):
            assert (getattr(a, name) == getattr(b, name)).all()


@pytest.mark.parametrize("build", [clamp, complement])
def test_margins_hold_and_are_attained(build) -> None:
    """No sampled input falls below, and the replayed witness is within the tolerance."""
    form = noisy_form(1, build=build)
    search, outcomes = settled(form, levels=2)
    rng = np.random.default_rng(2)
    tokens = random_sets(rng, 20_000, form.n, form.k)
    # the extremes are mostly at the ends of the box
    alpha = rng.choice([1.0, form.c], tokens.shape)
    logits = form.network.logits(tokens, alpha)
    lead = np.take_along_axis(logits, tokens, axis=1).min(axis=1)[:, None] - logits
    missing = (form.owners & ~form.owners[tokens].any(axis=1)[:, None]).sum(axis=2)
    np.put_along_axis(missing, tokens, -1, axis=1)
    for s in (1, 2):
        witness = smallest(outcomes, s)
        low = witness.margin - search.tolerance
        assert all(np.isinf(each.open_low[s]) for each in outcomes)
        assert lead[missing >= s].min() >= low - 1e-5
        exact = [Fraction(a) for a in witness.alpha]
        member, other = replay.logits(
            form.network, witness.tokens, exact, [witness.member, witness.other]
        )
        assert low <= member - other <= Fraction(witness.margin)
        assert (form.owners[witness.other] & ~form.owners[list(witness.tokens)].any(0)).sum() >= s


def test_failure_and_variation_against_sampling() -> None:
    """Exact brackets over all inputs against counted failures and a sampled mean."""
    form = noisy_form(3, 0.05)
    _, outcomes = settled(form, failure_splits=10)
    low, high = (
        np.concatenate([getattr(each, name) for each in outcomes]).mean()
        for name in ("failure_low", "failure_high")
    )
    rng = np.random.default_rng(4)
    tokens = random_sets(rng, 20_000, form.n, form.k)
    logits = form.network.logits(tokens, random_coefficients(rng, 20_000, form.k, form.c))
    found = divergence(logits, tokens)
    output = np.exp(logits - logits.max(axis=1, keepdims=True))
    on_members = np.take_along_axis(output, tokens, 1).sum(axis=1) / output.sum(axis=1)
    failures = int((on_members < (form.k / (form.k + 1) + 1) / 2).sum())
    counted = intervals.proportion(failures, 20_000, CONFIDENCE).interval
    assert low <= counted[1]
    assert counted[0] <= high
    assert high - low < 0.1
    mean = intervals.mean(found.total_variation, CONFIDENCE).interval
    tv_low, tv_high = (
        np.concatenate([getattr(each, name) for each in outcomes]).mean()
        for name in ("tv_low", "tv_high")
    )
    assert tv_low <= mean[1]
    assert mean[0] <= tv_high


def test_a_construction_fails_exactly_where_it_is_covered() -> None:
    """Each input is settled, for all alpha, as its masks say."""
    for build, sign in ((clamp, -1), (complement, 1)):
        hashes = random_hashes(np.random.default_rng(5), 20, 10, 3)
        form = NormalForm(build(hashes, 12.0), 2, 2.0, hashes, np.full(10, sign))
        _, outcomes = settled(form)
        failure = np.concatenate([each.failure_low for each in outcomes])
        above = np.concatenate([each.failure_high for each in outcomes])
        exact = quenched.failure_probability(hashes, 2)
        assert failure.mean() == pytest.approx(float(exact), rel=1e-9)
        assert above.mean() == pytest.approx(float(exact), rel=1e-9)
        assert smallest(outcomes).margin == pytest.approx(12.0, abs=1e-3)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.0, 0.02, 0.3, 3.0]))
def test_bounds_of_single_boxes(seed: int, k: int, size: float) -> None:
    """Values at random points of random boxes stay inside, for every bound and any k."""
    rng = np.random.default_rng(seed)
    hashes = random_hashes(rng, 12, 6, 2)
    build = clamp if rng.integers(2) else complement
    network = noisy(build(hashes, 2.0), rng, size)
    form = NormalForm(network, k, 3.0, hashes, rng.choice([-1, 1], 6))
    tables = Boxes(form)
    tokens = random_sets(rng, 8, 12, k)
    ends = np.sort(rng.uniform(1.0, 3.0, (2, 8, k)), axis=0)
    if rng.integers(3) == 0:
        ends[1] = ends[0]
    gates = tables.gates(tokens, ends[0], ends[1])
    screen = tables.screen(gates)
    found = mass(tables, gates, screen)
    box = np.repeat(np.arange(8), 2)
    member = tokens[box, rng.integers(k, size=16)]
    other = rng.integers(12, size=16)
    margin, corner = tables.margin_low(gates, box, member, other)
    room = 1e-9
    assert (corner >= ends[0][box] - room).all()
    assert (corner <= ends[1][box] + room).all()
    excess, failed, variation = 0.0, np.zeros(8), np.zeros(8)
    points = 400
    for _ in range(points):
        alpha = ends[0] + rng.random((8, k)) * (ends[1] - ends[0])
        logits = network.logits(tokens, alpha)
        assert (margin <= logits[box, member] - logits[box, other] + room).all()
        # the reference is affine and common: differences are what can be compared
        spread = screen.high[:, :, None] - screen.low[:, None, :].astype(np.float64)
        assert (logits[:, :, None] - logits[:, None, :] <= spread + room).all()
        y = (np.einsum("bk,bkh->bh", alpha, form.read.mid[tokens])) + form.bias.mid
        excess = excess + (np.maximum(y, 0.0) - gates.share * y) / points
        output = np.exp(logits - logits.max(axis=1, keepdims=True))
        on_members = np.take_along_axis(output, tokens, 1) / output.sum(axis=1, keepdims=True)
        failed += on_members.sum(axis=1) < (k / (k + 1) + 1) / 2
        variation += np.maximum(1 / k - on_members, 0.0).sum(axis=1)
    assert (excess <= gates.mean_excess() + 6 * gates.excess / math.sqrt(points) + room).all()
    assert ((failed == points) | (found.failure_low < 1.0)).all()
    assert ((failed == 0) | (found.failure_high > 0.0)).all()
    # means of 400 values in [0, 1], six standard deviations
    assert (found.tv_low <= variation / points + 0.15).all()
    assert (variation / points <= found.tv_high + 0.15).all()
