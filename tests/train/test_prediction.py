"""Predictions: exact laws by three routes, exact filters predicted exactly, wrong masks caught."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate import clamp, complement, complement_limit, random_hashes, random_sets
from simulate.enumeration import enumerate_inputs, subsets
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from simulate.network import ReluNetwork
from tests.train.subjects import plain
from theory import false_positives, quenched, softmax_output, union_size
from theory.domain import DomainError
from theory.enumerate import outcome_of
from theory.random_code import RandomCode
from train.analysis import prediction, prediction_figures
from train.analysis.outcomes import observe
from train.analysis.prediction import LevelFit, modelled_outputs
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

BETA = 8.0
N, D, M, K = 60, 20, 5, 2
CONSTRUCTIONS: dict[str, Callable[..., ReluNetwork]] = {
    "clamp": clamp,
    "complement": complement,
    "complement_limit": lambda hashes, beta: complement_limit(hashes, beta, eta=1e-7),
}


def some_hashes(seed: int = 0) -> np.ndarray:
    return random_hashes(np.random.default_rng(seed), N, D, M)


@st.composite
def codes(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Any masks of few tokens, empty and equal ones among them, and a k."""
    n, d = draw(st.integers(2, 9)), draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.0, 0.05, 0.2, 0.5]))
    return rng.random((n, d)) < min(density, 10 / d), draw(st.integers(1, n))


@given(codes())
def test_enumeration_is_the_quenched_formula(code: tuple[np.ndarray, int]) -> None:
    """By kernels, by theory's enumeration, and by inclusion-exclusion."""
    hashes, k = code
    found = enumerate_inputs(hashes, k)
    assert found.inputs == math.comb(len(hashes), k)
    assert found.failure_probability == quenched.failure_probability(hashes, k)
    assert found.expected_false_positives == quenched.expected_false_positives(hashes, k)


@given(n=st.integers(1, 12), data=st.data())
def test_subsets_are_all_of_them(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    found = subsets(n, k, 0, math.comb(n, k))
    wanted = sorted(combinations(range(n), k), key=lambda s: s[::-1])
    assert list(map(tuple, found.tolist())) == wanted
    middle = len(wanted) // 2
    np.testing.assert_array_equal(subsets(n, k, middle, len(wanted)), found[middle:])


def test_subsets_of_nearly_all_tokens() -> None:
    """Binomials on the way exceed an int64 where the number of subsets does not."""
    found = subsets(100, 98, 0, math.comb(100, 98))
    assert len(np.unique(found, axis=0)) == math.comb(100, 98)
    with pytest.raises(DomainError, match="below 2"):
        subsets(200, 100, 0, 1)


def test_too_many_inputs() -> None:
    with pytest.raises(DomainError, match="C\\(n, k\\) must be at most"):
        enumerate_inputs(np.zeros((1000, 4), dtype=bool), 3)


@given(data=st.data())
def test_one_weight_is_theory(data: st.DataObject) -> None:
    """The random code of constant weight has theory's laws."""
    d = data.draw(st.integers(1, 40))
    m = data.draw(st.integers(1, d))
    k = data.draw(st.integers(1, 6))
    n = k + data.draw(st.integers(1, 30))
    code = RandomCode(d, np.full(n, m))
    close = {"rtol": 1e-9, "atol": 1e-14}
    np.testing.assert_allclose(code.union_size_law(k), union_size.union_size_law(k, d, m), **close)
    np.testing.assert_allclose(
        code.missing_bits_law(k), false_positives.missing_bits_law(k, d, m), **close
    )
    np.testing.assert_allclose(
        code.union_size_given_false_positive(k),
        false_positives.union_size_given_false_positive(k, d, m),
        **close,
    )
    np.testing.assert_allclose(
        code.missing_bits_given_false_positive(k),
        false_positives.missing_bits_given_false_positive(k, d, m),
        **close,
    )
    for name in ("failure_probability", "expected_false_positives"):
        exact = getattr(false_positives, name)(n, k, d, m)
        assert getattr(code, name)(n, k) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("weights", [(1, 2, 2), (0, 1, 3), (2, 4)])
@pytest.mark.parametrize("k", [1, 2])
def test_mixed_weights_by_enumeration(weights: tuple[int, ...], k: int) -> None:
    """Every family of masks of three tokens, each as likely as its masks' weights and places."""
    n, d = 3, 4
    masks = [
        (frozenset(bits), 1.0 / len(weights) / math.comb(d, m))
        for m in weights
        for bits in combinations(range(d), m)
    ]
    failure = expected = 0.0
    sizes, given = np.zeros((2, d + 1))
    for family in product(masks, repeat=n):
        chance = math.prod(weight for _, weight in family)
        outcome = outcome_of([mask for mask, _ in family], range(k))
        failure += chance * (outcome.false_positives > 0)
        expected += chance * outcome.false_positives
        sizes[outcome.union_size] += chance
        given[outcome.union_size] += chance * outcome.false_positives
    code = RandomCode(d, np.array(weights))
    assert code.failure_probability(n, k) == pytest.approx(failure)
    assert code.expected_false_positives(n, k) == pytest.approx(expected)
    np.testing.assert_allclose(code.union_size_law(k), sizes, atol=1e-12)
    np.testing.assert_allclose(code.union_size_given_false_positive(k), given / given.sum())


def test_random_code_fails_at_its_rate() -> None:
    """Sampled codes: exactly these weights, uniform bits, and on average the annealed rate."""
    rng = np.random.default_rng(4)
    mixed = RandomCode(12, np.array([0, 1, 5, 5, 12]))
    drawn = np.stack([mixed.sample(rng) for _ in range(4000)])
    np.testing.assert_array_equal(drawn.sum(axis=2), np.tile(mixed.weights, (4000, 1)))
    for token, bit in ((1, 0), (2, 7), (3, 11)):
        share = intervals.proportion(int(drawn[:, token, bit].sum()), 4000, CONFIDENCE)
        assert share.contains(float(mixed.weights[token]) / 12)
    code = RandomCode(D, np.full(N, M))
    rates = prediction.failure_rates_of_random_codes(rng, code, K, 200, 500)
    measured = intervals.mean(rates, CONFIDENCE)
    assert measured.contains(code.failure_probability(N, K))
    assert measured.standard_error < 0.01


@pytest.fixture(scope="module", params=CONSTRUCTIONS)
def exact(request: pytest.FixtureRequest) -> prediction.Prediction:
    network = CONSTRUCTIONS[request.param](some_hashes(), beta=BETA)
    masks = extract(network, K, 2.0)
    return prediction.analyse(Subject(network, K, 2.0), masks, np.random.default_rng(2), 20_000)


def row_of(found: prediction.Prediction, quantity: str, source: str) -> prediction.Comparison:
    (row,) = [r for r in found.record.comparisons if (r.quantity, r.source) == (quantity, source)]
    return row


def test_exact_filter_is_predicted_exactly(exact: prediction.Prediction) -> None:
    """The masks' rate is the enumerated one; beta, offset, TV and KL come out as they went in."""
    json.dumps(plain(exact.record), allow_nan=False)
    share = float(quenched.failure_probability(some_hashes(), K))
    for quantity in ("failure_rate", "mechanistic_failure_rate"):
        row = row_of(exact, quantity, "masks")
        assert (row.predicted, row.kind) == (share, "test")
        inputs = row.measured.samples
        hits = round(row.measured.value * inputs)
        assert intervals.proportion(hits, inputs, CONFIDENCE).contains(share)
    expected = float(quenched.expected_false_positives(some_hashes(), K))
    assert row_of(exact, "false_positives", "masks").predicted == pytest.approx(expected)
    fit = plain(exact.record.level_fit)
    assert fit["beta"] == pytest.approx(BETA, abs=1e-4)
    assert fit["offset"] == pytest.approx(0.0, abs=1e-4)
    assert fit["member_sd"] == pytest.approx(0.0, abs=1e-4)
    for source in ("levels", "line"):
        # on the same inputs, so that nothing is left to chance
        for quantity in ("total_variation", "kl", "failure_rate"):
            row = row_of(exact, quantity, source)
            assert row.predicted == pytest.approx(row.measured.value, abs=1e-5)
    theory = softmax_output.expected_divergence(N, K, D, M, fit["beta"])
    assert row_of(exact, "kl", "theory").predicted == theory.kl
    assert row_of(exact, "failure_rate", "random_code").predicted == pytest.approx(
        false_positives.failure_probability(N, K, D, M)
    )


def without_unit(masks: Masks, unit: int) -> Masks:
    live = masks.live.copy()
    live[unit] = False
    return replace(masks, live=live)


@pytest.mark.parametrize("fault", ["unit", "shuffled"])
def test_wrong_masks_mispredict(fault: str) -> None:
    """Masks that lack a unit, or whose columns are shuffled, fail their test by far, and levels
    of shuffled masks are no levels."""
    network = clamp(some_hashes(), BETA)
    masks = extract(network, K, 2.0)
    rng = np.random.default_rng(3)
    if fault == "unit":
        wrong = without_unit(masks, 0)
    else:
        wrong = replace(masks, read=rng.permuted(masks.read, axis=0))
    found = prediction.analyse(Subject(network, K, 2.0), wrong, rng, 20_000)
    row = row_of(found, "failure_rate", "masks")
    low, high = row.measured.interval
    assert not row.inside
    assert abs(row.predicted - row.measured.value) > 5 * (high - low)
    # its sampler still agrees with its enumeration: that test is of this suite, not of the network
    assert abs(row_of(found, "mechanistic_failure_rate", "masks").predicted - row.predicted) == 0
    if fault == "shuffled":
        assert found.record.level_fit.spread[1] > BETA / 2
        assert not row_of(found, "total_variation", "line").inside


def test_modelled_outputs_are_theory_without_spread() -> None:
    """With leakage e^(-beta s) and equal members they are theory's functions of L; with members'
    variance KL grows by half of it, to second order."""
    rng = np.random.default_rng(1)
    hashes = some_hashes()
    tokens = random_sets(rng, 5000, N, 3)
    leakage = np.exp(-1.5 * np.arange(M + 1))
    fit = LevelFit(leakage, np.zeros(M + 1), 1.5, 0.0, np.zeros(1))
    found = modelled_outputs(rng, hashes, tokens, fit)
    missing = np.array([(hashes & ~hashes[s].any(axis=0)).sum(axis=1) for s in tokens])
    L = leakage[missing].sum(axis=1) - 3
    np.testing.assert_allclose(found.kl, softmax_output.kl_of_leakage(L, 3))
    np.testing.assert_allclose(
        found.total_variation, softmax_output.total_variation_of_leakage(L, 3)
    )
    np.testing.assert_allclose(found.mass, 3 / (3 + L))
    sharp = replace(fit, leakage=np.zeros(M + 1), member_variance=np.full(1, 1e-4))
    uneven = modelled_outputs(rng, hashes, tokens, sharp)
    np.testing.assert_allclose(uneven.kl, 0.5e-4, rtol=0.02)
    np.testing.assert_allclose(uneven.mass, 1.0)


def test_spread_keeps_the_mean_leakage() -> None:
    """A level's scatter has mean 1, and adds the variance of a lognormal for each non-member."""
    rng = np.random.default_rng(6)
    hashes = some_hashes()
    tokens = random_sets(rng, 100_000, N, K)
    leakage = np.zeros(M + 1)
    leakage[1] = 0.01
    flat = LevelFit(leakage, np.zeros(M + 1), 0.0, 0.0, np.zeros(1))
    spread = replace(flat, spread=np.full(M + 1, 0.7))
    even, scattered = (modelled_outputs(rng, hashes, tokens, fit).mass for fit in (flat, spread))
    # 1/mass - 1 is what leaks over the members' weight, k
    assert intervals.mean(1 / scattered - 1 / even, CONFIDENCE).contains(0.0)
    near_misses = (1 / even - 1).mean() * K / 0.01
    added = near_misses * 0.01**2 * math.expm1(0.7**2) / K**2
    assert (1 / scattered - 1 / even).var() == pytest.approx(added, rel=0.1)


def test_fit_needs_two_levels() -> None:
    """One level, or none that is finite, has no slope; nothing is made up."""
    hashes = np.zeros((6, 1), dtype=bool)
    network = clamp(random_hashes(np.random.default_rng(0), 6, 8, 3), BETA)
    tokens = subsets(6, 2, 0, 15)
    seen, levels = observe(network, hashes, tokens, np.ones((15, 2)))
    fit = prediction.fit_levels(levels, seen.member_variance)
    assert math.isnan(fit.beta)
    assert math.isnan(fit.offset)


@pytest.mark.parametrize(("n", "d", "m"), [(600, 40, 9), (600, 60, 20)])
def test_rates_where_inputs_are_too_many(n: int, d: int, m: int) -> None:
    """Sampled where C(n, k) is beyond enumeration: P_fail below E#FP and near the annealed rate;
    E#FP exact up to 18 bits a token."""
    rng = np.random.default_rng(0)
    hashes = random_hashes(rng, n, d, m)
    found = prediction.rates_of_masks(rng, hashes, 3)
    failures, positives = found.failure_probability, found.expected_false_positives
    low, high = failures.interval
    assert low < failures.value < high < low + 2e-3
    assert failures.value < positives.value
    assert (positives.kind is intervals.Interval.PROVED) == (m <= prediction.MOST_BITS)
    annealed_rate = false_positives.failure_probability(n, 3, d, m)
    assert failures.value == pytest.approx(annealed_rate, rel=0.2)


def test_many_networks_compared() -> None:
    """Exact filters of both kinds: with intervals of 95 %, at least four of ten networks lie inside
    their masks' prediction (fewer once in 10^7), and rows of one network stand by themselves."""
    rng = np.random.default_rng(8)
    networks = [
        (kind, Subject(CONSTRUCTIONS[kind](some_hashes(seed), BETA), K, 2.0, f"{kind} {seed}"))
        for seed in range(5)
        for kind in ("clamp", "complement")
    ]
    found = prediction.compare_networks(networks, rng, 4000)
    held = {(row.quantity, row.source): row for row in prediction.share_inside(found)}
    tested = held[prediction.Quantity.FAILURE_RATE, prediction.Source.MASKS]
    assert tested.networks == 10
    assert tested.inside >= 0.4
    assert tested.kind == "test"
    assert {row.name for row in found} == {subject.name for _, subject in networks}
    figure = prediction_figures.networks_figure(found)
    files = figure.rendered(("svg",)).files
    assert files == figure.rendered(("svg",)).files
    # a network's numbers do not depend on its neighbours
    alone = prediction.compare_networks(networks[:1], np.random.default_rng(8), 4000)
    assert alone == [row for row in found if row.name == networks[0][1].name]


def compared(predicted: float, ends: tuple[float, float] | None = None) -> prediction.Comparison:
    kl, levels = prediction.Quantity.KL, prediction.Source.LEVELS
    measured = intervals.Estimate(0.5, (0.4, 0.6), 0.95, 100, intervals.Interval.STUDENT_T)
    return prediction.Comparison.of(kl, levels, measured, predicted, ends)


def test_inside_counts() -> None:
    rows = [
        prediction.NetworkComparison("a", "", 9, 2, 3, 3, compared(0.5 if inside else 0.9))
        for inside in (True, True, False, True)
    ]
    (found,) = prediction.share_inside(rows)
    assert (found.networks, found.inside) == (4, 0.75)


def test_inside_means_compatible() -> None:
    cases = [(0.4, None, True), (0.61, None, False), (0.7, (0.59, 0.8), True)]
    for predicted, ends, wanted in [*cases, (0.7, (0.61, 0.8), False), (math.nan, None, False)]:
        assert compared(predicted, ends).inside == wanted


def test_figure_of_one_network(exact: prediction.Prediction) -> None:
    (figure,) = prediction_figures.figures(exact.record)
    files = figure.rendered(("svg",)).files
    assert files["predicted_against_measured.csv"].count(b"\n") == len(figure.table) + 1
    assert {point.is_test for point in figure.table} == {True, False}


def test_without_masks_nothing_is_predicted() -> None:
    """The masks of no unit predict nothing, rather than that every token is covered."""
    rng = np.random.default_rng(0)
    network = clamp(some_hashes(), BETA)
    masks = extract(network, K, 2.0)
    none = replace(masks, orientation=np.zeros_like(masks.orientation))
    with pytest.raises(DomainError, match="masks must have a clamp or complement unit"):
        prediction.analyse(Subject(network, K, 2.0), none, rng, 2000)


def test_bad_input() -> None:
    network = clamp(some_hashes(), BETA)
    masks = extract(network, K, 2.0)
    for k, c, name in ((N, 2.0, "k"), (K, 0.5, "c")):
        with pytest.raises(DomainError, match=f"^{name} must be"):
            prediction.analyse(Subject(network, k, c), masks, np.random.default_rng(0), 10)
    with pytest.raises(DomainError, match=r"^weights must be"):
        RandomCode(3, np.array([4]))
    with pytest.raises(DomainError, match=r"^k must be"):
        RandomCode(3, np.array([1])).failure_probability(2, 2)
