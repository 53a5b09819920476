"""Behaviour: on exact filters every number is the known one; planted faults show where they are."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulate import clamp, complement, complement_limit, random_hashes, random_sets
from simulate.constructions import complement_limit_error
from simulate.enumeration import subsets
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.figure import SCREEN_DPI
from simulate.jobs.intervals import DRAWN_CONFIDENCE
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients
from tests.train.subjects import plain
from theory import quenched, softmax_output
from theory.domain import DomainError
from theory.false_positives import (
    missing_bits_given_false_positive,
    union_size_given_false_positive,
)
from theory.random_code import RandomCode
from train.analysis import behaviour, causal, departures, pathological
from train.analysis.behaviour_figures import figures
from train.analysis.figure_ids import FigureId
from train.analysis.outcomes import LOG10_EDGES, Outcomes, hashes_of, observe
from train.reading.failure import fails, failure_threshold
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

BETA = 16.0
CODE = {"n": 40, "d": 16, "m": 4}
K = 2


def some_hashes(seed: int = 0) -> np.ndarray:
    return random_hashes(np.random.default_rng(seed), **CODE)


def all_inputs(n: int, k: int, c: float = 2.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    tokens = subsets(n, k, 0, math.comb(n, k))
    return tokens, random_coefficients(np.random.default_rng(seed), len(tokens), k, c)


def gaussian_network(seed: int, n: int = 30, d: int = 6, h: int = 9) -> ReluNetwork:
    """A network that is no filter, with both output biases."""
    rng = np.random.default_rng(seed)
    sizes = {"W_E": (n, d), "W_in": (d, h), "b_in": (h,), "W_out": (h, d), "W_U": (d, n)}
    biases = {"b_out": (d,), "b_U": (n,)}
    return ReluNetwork(**{name: rng.normal(size=size) for name, size in (sizes | biases).items()})


EXACT = {"clamp": clamp, "complement": complement}


@pytest.mark.parametrize("construction", EXACT.values(), ids=EXACT)
def test_exact_filter_on_every_input(construction) -> None:
    """Inputs fail exactly where masks cover a non-member; TV, KL, SE and levels are theory's."""
    hashes = some_hashes()
    tokens, alpha = all_inputs(CODE["n"], K)
    seen, levels = observe(construction(hashes, BETA), hashes, tokens, alpha)
    np.testing.assert_array_equal(fails(seen.mass, K), seen.false_positives > 0)
    share = float(quenched.failure_probability(hashes, K))
    assert fails(seen.mass, K).mean() == share > 0
    assert seen.false_positives.sum() == sum(quenched.false_positive_inputs(hashes, K))

    missing = np.array([(hashes & ~hashes[s].any(axis=0)).sum(axis=1) for s in tokens])
    weight = np.exp(-BETA * missing)
    leakage, squares = weight.sum(axis=1) - K, (weight**2).sum(axis=1) - K
    expected = {
        "total_variation": softmax_output.total_variation_of_leakage(leakage, K),
        "kl": softmax_output.kl_of_leakage(leakage, K),
        "squared_error": softmax_output.squared_error_of_leakage(leakage, squares, K),
        "mass": K / (K + leakage),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(seen, name), values, rtol=1e-12, atol=1e-14)
    assert not seen.member_variance.any()

    there = np.flatnonzero(levels.count)
    for values in (levels.logit.lowest, levels.logit.mean, levels.logit.highest):
        np.testing.assert_array_equal(values[there], -BETA * there)
    np.testing.assert_array_equal(levels.logit.sd[there], 0.0)
    np.testing.assert_array_equal(np.bincount(missing.ravel())[1:], levels.count[1:])


def test_complement_at_width_d_within_its_bound() -> None:
    """Levels lie within twice the limit's logit error, and the failures are the same inputs."""
    hashes, eta = some_hashes(), 1e-3
    tokens, alpha = all_inputs(CODE["n"], K)
    network = complement_limit(hashes, BETA, eta=eta)
    seen, levels = observe(network, hashes, tokens, alpha)
    reach = 2 * complement_limit_error(hashes, K, 2.0, BETA, eta)
    there = np.flatnonzero(levels.count)
    assert 0 < np.abs(levels.logit.highest[there] + BETA * there).max() <= reach
    assert np.abs(levels.logit.lowest[there] + BETA * there).max() <= reach
    np.testing.assert_array_equal(fails(seen.mass, K), seen.false_positives > 0)


@pytest.mark.parametrize("seed", range(3))
def test_outcomes_against_definitions(seed: int) -> None:
    """Every number of an input, recomputed token by token; the masks have nothing to do with it."""
    network, k = gaussian_network(seed), 3
    rng = np.random.default_rng(seed)
    hashes = rng.random((network.n, 7)) < 0.3
    tokens = random_sets(rng, 40, network.n, k)
    alpha = random_coefficients(rng, 40, k, 3.0)
    seen, _ = observe(network, hashes, tokens, alpha)
    for i, (members, a) in enumerate(zip(tokens, alpha, strict=True)):
        logits = network.logits(members[None], a[None])[0]
        output = np.exp(logits) / np.exp(logits).sum()
        union = {b for t in members for b in np.flatnonzero(hashes[t])}
        missing = {
            t: len(set(np.flatnonzero(hashes[t])) - union)
            for t in range(network.n)
            if t not in members
        }
        intruder = max(missing, key=lambda t: output[t])
        uncovered = [t for t, m in missing.items() if m > 0]
        assert seen.union_size[i] == len(union)
        assert seen.false_positives[i] == list(missing.values()).count(0)
        assert seen.near_misses[i] == list(missing.values()).count(1)
        assert (seen.intruder[i], seen.intruder_missing[i]) == (intruder, missing[intruder])
        assert seen.mass[i] == pytest.approx(output[members].sum())
        assert seen.lowest_member[i] == pytest.approx(output[members].min())
        assert seen.intruder_probability[i] == pytest.approx(output[intruder])
        highest = max((output[t] for t in uncovered), default=0.0)
        assert seen.uncovered_probability[i] == pytest.approx(highest)
        lowest = output[members].min()
        margin = math.log(lowest / highest) if uncovered else math.inf
        assert seen.margin[i] == pytest.approx(margin)
        assert seen.member_variance[i] == pytest.approx(np.var(logits[members]))


def test_levels_over_several_blocks() -> None:
    """Moments merged block by block are those of all values at once."""
    network = gaussian_network(5)
    rng = np.random.default_rng(5)
    hashes = rng.random((network.n, 5)) < 0.4
    inputs, k = 40_000, 2
    tokens = random_sets(rng, inputs, network.n, k)
    alpha = random_coefficients(rng, inputs, k, 2.0)
    _, levels = observe(network, hashes, tokens, alpha)
    logits = network.logits(tokens, alpha)
    others = np.ones(logits.shape, dtype=bool)
    np.put_along_axis(others, tokens, False, axis=1)
    relative = logits - np.take_along_axis(logits, tokens, axis=1).mean(axis=1, keepdims=True)
    output = np.exp(logits - logits.max(axis=1, keepdims=True))
    output /= output.sum(axis=1, keepdims=True)
    missing = (hashes & ~hashes[tokens].any(axis=1)[:, None, :]).sum(axis=2)
    for level in range(int(hashes.sum(axis=1).max()) + 1):
        own = others & (missing == level)
        assert levels.count[level] == own.sum()
        if not own.any():
            assert math.isnan(levels.logit.mean[level])
            continue
        for spread, values in (
            (levels.logit, relative[own]),
            (levels.probability, output[own]),
        ):
            found = [getattr(spread, name)[level] for name in ("mean", "sd", "lowest", "highest")]
            wanted = [values.mean(), values.std(), values.min(), values.max()]
            np.testing.assert_allclose(found, wanted, rtol=1e-9)
        np.testing.assert_allclose(levels.leakage[level], np.exp(relative[own]).mean(), rtol=1e-9)
        inside = output[own] > 10.0 ** LOG10_EDGES[1]
        counts = np.histogram(np.log10(output[own][inside]), LOG10_EDGES[1:])[0]
        # a value on an edge may fall either side of it
        assert np.abs(counts - levels.histogram[level][1:]).sum() <= 2
        assert levels.histogram[level].sum() == own.sum()


@given(seed=st.integers(0, 2**32 - 1))
def test_invariance(seed: int) -> None:
    """Nothing changes when the residual basis is rotated, hidden units are permuted and rescaled,
    the bits of the masks are permuted, or one vector is added to all columns of W_U."""
    rng = np.random.default_rng(seed)
    network = gaussian_network(int(rng.integers(100)))
    hashes = rng.random((network.n, 5)) < 0.4
    rotation = stats.ortho_group.rvs(network.d, random_state=rng)
    order, scale = rng.permutation(network.h), rng.uniform(0.5, 2.0, size=network.h)
    assert network.b_out is not None
    same = replace(
        network,
        W_E=network.W_E @ rotation,
        W_in=(rotation.T @ network.W_in * scale)[:, order],
        b_in=(network.b_in * scale)[order],
        W_out=(network.W_out @ rotation / scale[:, None])[order],
        b_out=network.b_out @ rotation,
        W_U=rotation.T @ (network.W_U + rng.normal(size=(network.d, 1))),
    )
    tokens = random_sets(rng, 20, network.n, 2)
    alpha = random_coefficients(rng, 20, 2, 2.0)
    one, _ = observe(network, hashes, tokens, alpha)
    other, _ = observe(same, hashes[:, rng.permutation(5)], tokens, alpha)
    for name, values in vars(one).items():
        np.testing.assert_allclose(getattr(other, name), values, rtol=1e-7, atol=1e-9)


@pytest.fixture(scope="module")
def exact() -> behaviour.Behaviour:
    network = clamp(some_hashes(), BETA)
    rng = np.random.default_rng(7)
    return behaviour.analyse(Subject(network, K, 2.0), extract(network, K, 2.0), rng, 20_000)


def test_record_of_the_clamp(exact: behaviour.Behaviour) -> None:
    """The whole record of an exact filter: JSON, no failure but by covered tokens, exact levels."""
    record = plain(exact.record)
    json.dumps(record, allow_nan=False)
    assert record["bits"] == CODE["d"]
    np.testing.assert_array_equal(np.sort(exact.hashes), np.sort(some_hashes()))
    hits = record["failure_rate"]["value"] * record["inputs"]
    share = float(quenched.failure_probability(some_hashes(), K))
    assert intervals.proportion(round(hits), record["inputs"], CONFIDENCE).contains(share)
    assert record["failure_rate"] == record["mechanistic_failure_rate"]
    assert record["failures"] == {"covered": round(hits), "near_miss": 0, "other": 0}
    confusion = record["confusion"]
    assert confusion["mechanistic_only"] == confusion["behavioural_only"] == 0
    assert confusion["both"] + confusion["neither"] == record["inputs"]
    for row in record["missing_bit_levels"]:
        assert row["logit"]["lowest"] == row["logit"]["highest"] == -BETA * row["missing"]
        assert row["clear_of_next"] in (BETA, None)
    assert record["largest_uncovered_probability"] <= math.exp(-BETA)
    assert record["member_below_uncovered"]["value"] == 0.0
    assert record["smallest_margin"] == BETA
    clusters = record["mass_clusters"]
    assert clusters["failing"][-1] <= K / (K + 1) < 1.0 - 1e-4 < clusters["passing"][0]
    assert clusters["between"]["value"] == 0.0
    assert record["non_uniformity"]["total_variation"]["value"] == pytest.approx(0.0, abs=1e-12)


def test_two_causes_make_the_whole(exact: behaviour.Behaviour) -> None:
    """Leakage and non-uniformity add up to TV and KL, and neither is negative, in any network."""
    for seed in range(3):
        network = gaussian_network(seed)
        tokens, alpha = all_inputs(network.n, K)
        seen, _ = observe(network, np.zeros((network.n, 1), dtype=bool), tokens, alpha)
        assert (seen.total_variation - (1.0 - seen.mass)).min() > -1e-12
        assert (seen.kl + np.log(seen.mass)).min() > -1e-12
    record = plain(exact.record)
    for name in ("total_variation", "kl"):
        parts = record["leakage"][name]["value"] + record["non_uniformity"][name]["value"]
        assert parts == pytest.approx(record[name]["value"])


def failures(seen: Outcomes) -> dict[str, dict[str, int]]:
    failed = fails(seen.mass, K)
    return {
        "confusion": plain(behaviour.confusion(failed, seen.false_positives > 0)),
        "failures": plain(behaviour.failure_causes(seen.intruder_missing[failed])),
    }


def masks_with(masks: Masks, token: int, unit: int) -> Masks:
    """The masks with one bit flipped."""
    read = masks.read.copy()
    read[token, unit] ^= True
    return replace(masks, read=read)


@pytest.mark.parametrize("owned", [True, False])
def test_flipped_mask_bit_shows(owned: bool) -> None:
    """A bit too few predicts failures that do not happen; one too many misses some that do.

    The bit is one whose loss, or gain, changes the token's false positives, as most do.
    """
    hashes = some_hashes()
    network = clamp(hashes, BETA)
    masks = extract(network, K, 2.0)
    tokens, alpha = all_inputs(CODE["n"], K)
    rates = quenched.false_positive_inputs(hashes, K)
    token = int(np.argmax(rates))
    kinds = []
    for unit in np.flatnonzero(hashes[token] == owned):
        flipped = hashes_of(masks_with(masks, token, int(unit)))
        seen, _ = observe(network, flipped, tokens, alpha)
        found = failures(seen)
        kinds.append((found["confusion"], found["failures"]))
    wrong, right = (
        ("mechanistic_only", "behavioural_only")
        if owned
        else ("behavioural_only", "mechanistic_only")
    )
    assert sum(confusion[wrong] for confusion, _ in kinds) > 0
    # as a member the token lends its flipped bit to unions: the other entry need not vanish
    assert sum(confusion[wrong] > confusion[right] for confusion, _ in kinds) > len(kinds) / 2
    if not owned:
        assert sum(causes["near_miss"] for _, causes in kinds) > 0
        assert sum(causes["other"] for _, causes in kinds) == 0


def test_lost_readout_bit_is_a_failure_the_masks_do_not_see() -> None:
    """A fault in the network: where its readout forgets a token's bit, near misses become
    behavioural failures."""
    hashes = some_hashes()
    network = clamp(hashes, BETA)
    token = int(np.argmax(quenched.false_positive_inputs(hashes, K)))
    bit = int(np.flatnonzero(hashes[token])[0])
    W_U = network.W_U.copy()
    W_U[:, token] *= 4 / 3
    W_U[bit, token] = 0.0
    seen, _ = observe(replace(network, W_U=W_U), hashes, *all_inputs(CODE["n"], K))
    found = failures(seen)
    assert found["confusion"]["mechanistic_only"] == found["failures"]["other"] == 0
    # beside a covered token the near miss is only one of two intruders
    assert found["failures"]["near_miss"] >= found["confusion"]["behavioural_only"] > 0


def test_given_a_false_positive_over_all_inputs() -> None:
    """Pairs of an input and a covered token, listed one by one."""
    hashes = some_hashes()
    tokens, alpha = all_inputs(CODE["n"], K)
    seen, _ = observe(clamp(hashes, BETA), hashes, tokens, alpha)
    of = behaviour.given_false_positive(seen, CODE["n"], K, RandomCode.of(hashes), CODE["d"])
    found = plain(of)
    sizes, misses = [], []
    for members in combinations(range(CODE["n"]), K):
        union = hashes[list(members)].any(axis=0)
        missing = (hashes & ~union).sum(axis=1)
        pairs = int((missing == 0).sum()) - K
        sizes += [union.sum()] * pairs
        misses += [(missing == 1).sum()] * pairs
    assert found["union_size"]["given"]["value"] == pytest.approx(np.mean(sizes))
    assert found["near_misses"]["given"]["value"] == pytest.approx(np.mean(misses))
    assert found["union_size"]["given"]["value"] > found["union_size"]["all"]["value"]
    law = {row["union_size"]: row["given"] for row in found["union_size_law"]}
    assert law == pytest.approx({s: sizes.count(s) / len(sizes) for s in law})
    n, d, m = CODE.values()
    conditional = union_size_given_false_positive(K, d, m)
    assert found["union_size"]["random_code_given"] == pytest.approx(conditional @ np.arange(d + 1))
    assert found["near_misses"]["random_code_given"] == pytest.approx(
        (n - K - 1) * missing_bits_given_false_positive(K, d, m)[1]
    )


def one_input_of_many_codes(codes: int, n: int, d: int, m: int, k: int) -> Outcomes:
    """Union size, false positives and near misses of one input of each of many random codes."""
    rng = np.random.default_rng(11)
    hashes = random_hashes(rng, codes * n, d, m).reshape(codes, n, d)
    union = hashes[:, :k].any(axis=1)
    missing = (hashes[:, k:] & ~union[:, None, :]).sum(axis=2)
    known = {
        "union_size": union.sum(axis=1),
        "false_positives": (missing == 0).sum(axis=1),
        "near_misses": (missing == 1).sum(axis=1),
        "intruder": np.zeros(codes, dtype=int),
        "intruding": np.zeros(codes, dtype=int),
        "intruder_missing": np.zeros(codes, dtype=int),
    }
    return Outcomes(**dict.fromkeys(Outcomes.__dataclass_fields__, np.zeros(codes)) | known)


def test_given_a_false_positive_in_random_codes() -> None:
    """Where every input has a code of its own the conditional laws are exact, and seen to be."""
    n, d, m, k = 20, 14, 4, 2
    seen = one_input_of_many_codes(40_000, n, d, m, k)
    code = RandomCode(d, np.full(n, m))
    found = plain(behaviour.given_false_positive(seen, n, k, code, d))
    widen = stats.norm.isf((1 - CONFIDENCE) / 2) / stats.norm.isf((1 - DRAWN_CONFIDENCE) / 2)
    for quantity in ("union_size", "near_misses"):
        for which in ("all", "given"):
            estimate = found[quantity][which]
            low, high = estimate["interval"]
            reach = widen * (high - low) / 2
            assert abs(estimate["value"] - found[quantity][f"random_code_{which}"]) < reach
        # and the condition matters: the unconditional value is far outside
        low, high = found[quantity]["given"]["interval"]
        assert found[quantity]["random_code_all"] < low


def test_weighted_mean_without_weight_is_none() -> None:
    assert intervals.weighted_mean(np.ones(5), np.zeros(5)) is None
    constant = intervals.weighted_mean(np.full(5, 3.0), np.arange(5.0))
    assert constant is not None
    assert (constant.value, constant.interval, constant.samples) == (3.0, (3.0, 3.0), 4)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("largest", [True, False])
def test_extreme_unions_are_extreme(largest: bool, k: int) -> None:
    """With so many restarts the search finds what looking at every input finds."""
    hashes = np.random.default_rng(3).random((16, 12)) < 0.35
    sizes = [hashes[list(s)].any(axis=0).sum() for s in combinations(range(16), k)]
    found = pathological.extreme_unions(np.random.default_rng(0), hashes, k, largest)
    union = hashes[found[0]].any(axis=0).sum()
    assert union == (max(sizes) if largest else min(sizes))
    assert all(len(set(row)) == k for row in found.tolist())


def test_failures_by_union_size_add_up(exact: behaviour.Behaviour) -> None:
    record = plain(exact.record)
    rows = record["failure_by_union_size"]
    assert sum(row["inputs"] for row in rows) == record["inputs"]
    for name in ("failure_rate", "mechanistic_failure_rate"):
        whole = sum(row["inputs"] * row[name]["value"] for row in rows) / record["inputs"]
        assert whole == pytest.approx(record[name]["value"])
    extremes = record["extreme_unions"]
    assert extremes["smallest"]["union_size"] <= rows[0]["union_size"]
    assert extremes["largest"]["union_size"] >= rows[-1]["union_size"]
    assert extremes["largest"]["false_positives"] > extremes["smallest"]["false_positives"]


def test_more_tokens_of_an_exact_filter(exact: behaviour.Behaviour) -> None:
    """It takes any number of tokens: all get equal mass, and it fails where one is covered."""
    rows = plain(exact.record)["more_tokens"]
    assert [row["tokens"] for row in rows] == list(range(K, 3 * K + 1))
    for row in rows:
        assert row["failure_rate"] == row["mechanistic_failure_rate"]
        equal = row["tokens"] * row["lowest_member"]["value"]
        assert equal == pytest.approx(row["mass"]["value"])
    rates = [row["failure_rate"]["value"] for row in rows]
    assert rates == sorted(rates)


def test_more_tokens_stop_before_n() -> None:
    network = clamp(random_hashes(np.random.default_rng(0), 5, 12, 3), BETA)
    hashes = network.W_E > 0
    rows = departures.more_tokens(network, hashes, 3, 2.0, np.random.default_rng(0), 50)
    assert [row.tokens for row in rows] == [3, 4]


def test_coefficients_outside_their_range(exact: behaviour.Behaviour) -> None:
    """The exact clamp has no upper limit, and below 1 it fails where a coefficient matters."""
    for row in plain(exact.record)["other_coefficients"]:
        members_equal = K * row["lowest_member"]["value"] == pytest.approx(row["mass"]["value"])
        if row["alpha"] >= 1.0:
            assert members_equal
            assert row["failure_rate"] == row["mechanistic_failure_rate"]
        elif row["which"] == "one":
            assert not members_equal


def test_bfloat16_rounds_to_nearest_even() -> None:
    values = np.array([1.0, 1.0 + 2.0**-8, 1.0 + 3 * 2.0**-8, 257.0, 259.0, -0.1])
    wanted = [1.0, 1.0, 1.0 + 2.0**-6, 256.0, 260.0, -0.10009765625]
    np.testing.assert_array_equal(departures.to_bfloat16(values), wanted)


def test_bfloat16_against_torch() -> None:
    """The emulated pass is torch's own in bfloat16, to two roundings of the largest logit."""
    import torch

    network = gaussian_network(2).astype(np.float32)
    rng = np.random.default_rng(0)
    tokens = random_sets(rng, 200, network.n, 3)
    alpha = random_coefficients(rng, 200, 3, 2.0).astype(np.float32)
    w = {
        name: torch.from_numpy(t).bfloat16()
        for name, t in vars(network).items()
        if name in ("W_E", "W_in", "b_in", "W_out", "b_out", "W_U", "b_U")
    }
    a = torch.from_numpy(alpha).bfloat16()
    x = torch.einsum("sk,skd->sd", a, w["W_E"][torch.from_numpy(tokens)])
    x = x + torch.addmm(w["b_out"], torch.relu(torch.addmm(w["b_in"], x, w["W_in"])), w["W_out"])
    logits = torch.addmm(w["b_U"], x, w["W_U"]).float().numpy()
    found = departures.bfloat16_forward(network)(tokens, alpha)
    assert np.abs(found - logits).max() <= 2 * 2.0**-8 * np.abs(logits).max()
    full = network.logits(tokens, alpha)
    assert np.abs(found - full).mean() > 1e-3
    assert np.abs(found - full).max() < 0.1 * np.abs(full).max()


@pytest.mark.parametrize(("beta", "changes"), [(BETA, False), (4.2, True)])
def test_bfloat16_is_exact_for_powers_of_two(beta: float, changes: bool) -> None:
    """Rounding changes nothing in the clamp whose logits bfloat16 holds, and something else."""
    hashes = random_hashes(np.random.default_rng(0), 60, 40, 13)
    tokens = random_sets(np.random.default_rng(1), 300, 60, K)
    alpha = random_coefficients(np.random.default_rng(2), 300, K, 2.0)
    found = plain(departures.precision(clamp(hashes, beta), hashes, K, tokens, alpha))
    assert (found["largest_mass_change"] > 0.0) == changes
    if not changes:
        assert found["float32"] == found["bfloat16"]
        assert found["total_variation_difference"]["interval"] == [0.0, 0.0]
        assert found["changed_failures"] == 0


def test_threshold_is_halfway() -> None:
    assert failure_threshold(1) == 0.75
    assert failure_threshold(3) == 0.875
    np.testing.assert_array_equal(fails(np.array([0.8, 0.9, np.nan]), 3), [True, False, True])


@pytest.mark.parametrize("inputs", [1, 3000, 40_000])
def test_few_logits_are_held_at_a_time(inputs: int) -> None:
    """However many inputs: each is run once, and memory is that of one block of them."""
    network = clamp(some_hashes(), BETA)
    rng, held = np.random.default_rng(0), []

    def forward(tokens: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        logits = network.logits(tokens, alpha)
        held.append(logits.size)
        return logits

    tokens = random_sets(rng, inputs, network.n, K)
    alpha = random_coefficients(rng, inputs, K, 2.0)
    observe(network, some_hashes(), tokens, alpha, forward, count_levels=False)
    assert sum(held) == inputs * network.n
    assert max(held) <= 2**19


@pytest.mark.parametrize("n", [5, 512, 8192, 50_257, 10**6])
def test_edits_of_large_networks_are_looked_at_on_fewer_inputs(n: int) -> None:
    for edits in (1, causal.PAIRS, causal.EDITS):
        each = causal._of_one(edits, n)
        assert causal.FEWEST_OF_ONE <= each <= causal.MOST_OF_ONE
        assert edits * each * n <= max(causal.MOST_LOGITS, edits * causal.FEWEST_OF_ONE * n)


def test_no_units_no_code() -> None:
    """Where no unit is a bit, what masks would say is absent, with the reason."""
    network = gaussian_network(0)
    masks = extract(network, K, 2.0)
    none = replace(masks, orientation=np.zeros_like(masks.orientation))
    found = behaviour.analyse(Subject(network, K, 2.0), none, np.random.default_rng(0), 500)
    record = plain(found.record)
    json.dumps(record, allow_nan=False)
    assert record["code_absent"] == behaviour.NO_CODE
    for name in ("mechanistic_failure_rate", "largest_uncovered_probability", "smallest_margin"):
        assert record[name] is None
    assert (record["bits"], record["missing_bit_levels"]) == (0, [])
    assert [figure.id for figure in figures(found)] == ["other_coefficients"]


def test_bad_input() -> None:
    network = clamp(some_hashes(), BETA)
    masks = extract(network, K, 2.0)
    rng = np.random.default_rng(0)
    for k, c, inputs, name in ((40, 2.0, 10, "k"), (2, 0.5, 10, "c"), (2, 2.0, 1, "inputs")):
        with pytest.raises(DomainError, match=f"^{name} must be"):
            behaviour.analyse(Subject(network, k, c), masks, rng, inputs)


def test_figures(exact: behaviour.Behaviour) -> None:
    """One for each of the measures, the same bytes each time."""
    made = figures(exact)
    assert {figure.id for figure in made} == {
        FigureId.MASS_ON_MEMBERS,
        FigureId.TYPICAL_OUTPUT,
        FigureId.FALSE_POSITIVE_OUTPUT,
        FigureId.GIVEN_FALSE_POSITIVE,
        FigureId.HASHES_AGAINST_UNION,
        FigureId.MISSING_BIT_LEVELS,
        FigureId.COVERED_OR_NOT,
        FigureId.MORE_TOKENS,
        FigureId.LARGEST_UNION_OUTPUT,
        FigureId.SMALLEST_UNION_OUTPUT,
        FigureId.FAILURE_BY_UNION_SIZE,
        FigureId.OTHER_COEFFICIENTS,
    }
    assert len({figure.id for figure in made}) == len(made)
    for figure in made:
        files = figure.rendered(("svg",), SCREEN_DPI).files
        assert set(files) == {f"{figure.id}.csv", f"{figure.id}.svg"}
    files = made[0].rendered(("png", "svg"), SCREEN_DPI).files
    assert files == made[0].rendered(("png", "svg"), SCREEN_DPI).files


def test_same_stream_same_record(exact: behaviour.Behaviour) -> None:
    network = clamp(some_hashes(), BETA)
    masks = extract(network, K, 2.0)
    rng = np.random.default_rng(7)
    again = behaviour.analyse(Subject(network, K, 2.0), masks, rng, 20_000)
    assert again.record == exact.record
