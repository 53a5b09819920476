"""The harder task's network computes its formula; fresh draws have its law; faults are caught."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from simulate import dense_codes, harder_task
from simulate.constructions import clamp, complement
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.panel import QUICK
from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork, divergence, membership
from simulate.panels import harder_task as panel
from simulate.sampling import random_coefficients, random_hashes, random_sets
from tests.simulate.running import failed
from theory import harder_task as theory
from theory.domain import DomainError
from theory.false_positives import expected_false_positives, missing_bits_law
from theory.softmax_output import mean_leakage

SEED = 20260731


@st.composite
def tasks(draw: st.DrawFn):
    """(hashes, signs, tokens [1, k], alpha, target logits [1, k]): any sizes, adversarial l."""
    n = draw(st.integers(1, 12))
    k = draw(st.integers(1, n))
    d = draw(st.integers(1, 12))
    m = draw(st.integers(1, d))
    dprime = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    hashes = random_hashes(rng, n, d, m)
    signs = dense_codes.random_signs(rng, n, dprime)
    tokens = random_sets(rng, 1, n, k)
    alpha = np.array([[draw(st.sampled_from([1.0, 1.5, 16.0])) for _ in range(k)]])
    target_logits = np.array([draw(st.lists(st.floats(-6, 6), min_size=k, max_size=k))])
    return hashes, signs, tokens, alpha, target_logits


def formula(hashes, signs, tokens, target_logits, beta: float, offset: float) -> np.ndarray:
    """beta (offset - M_i) + <V_i, y>, [1, n]."""
    missing = PackedHashes.of(hashes).missing_bits(tokens).astype(float)
    return beta * (offset - missing) + (target_logits @ signs[tokens[0]]) @ signs.T


@given(tasks(), st.sampled_from([1.0, 2.5, 20.0]), st.booleans())
def test_logits_are_their_formula(case, beta: float, clamped: bool) -> None:
    """Either construction; a member's logit is its intended one and its error, exactly."""
    hashes, signs, tokens, alpha, target_logits = case
    construction = clamp(hashes, beta) if clamped else complement(hashes, beta)
    offset = float(hashes[0].sum()) if clamped else 0.0
    network = harder_task.with_target(construction, signs)
    logits = network.logits(tokens, alpha, target_logits)
    expected = formula(hashes, signs, tokens, target_logits, beta, offset)
    assert logits == pytest.approx(expected, abs=1e-10)
    gram = signs[tokens[0]] @ signs[tokens[0]].T
    errors = (gram - np.diag(np.diag(gram))) @ target_logits[0]
    intended = beta * offset + target_logits[0]
    assert logits[0, tokens[0]] == pytest.approx(intended + errors, abs=1e-10)


@given(tasks())
def test_the_layer_leaves_the_second_embedding_alone(case) -> None:
    """The residual is the union and, bit for bit, y."""
    hashes, signs, tokens, alpha, target_logits = case
    network = harder_task.with_target(clamp(hashes), signs)
    before = network.residual(tokens, alpha, target_logits)
    after = network.network.after_layer(before)
    d = hashes.shape[1]
    assert (after[:, d:] == before[:, d:]).all()
    assert (after[:, :d] == hashes[tokens].any(axis=1)).all()


@given(tasks(), st.sampled_from([0.5, 4.0, 20.0]))
def test_total_variation_bound_on_every_input_without_a_false_positive(case, beta) -> None:
    """For every l and alpha, with the largest member error and the leakage bound it implies."""
    hashes, signs, tokens, alpha, target_logits = case
    n, k = len(hashes), tokens.shape[1]
    if (PackedHashes.of(hashes).count_false_positives(tokens) > 0).any():
        return
    logits = harder_task.with_target(clamp(hashes, beta), signs).logits(
        tokens, alpha, target_logits
    )
    m = int(hashes[0].sum())
    own = target_logits[0]
    eta = float(np.abs(logits[0, tokens[0]] - beta * m - own).max())
    leakage = theory.leakage_bound(n, beta, own, eta)
    found = harder_task.logits_divergence(logits, tokens, own).total_variation[0]
    assert found <= theory.total_variation_bound(eta, leakage) + 1e-9
    # what the members' own weights leave to the others is less still
    others = np.delete(logits[0], tokens[0])
    held = np.exp(others).sum() / np.exp(logits[0, tokens[0]]).sum() if n > k else 0.0
    assert held <= leakage * (1 + 1e-9)
    assert found <= theory.total_variation_bound(eta, held) + 1e-9


@given(tasks())
def test_divergence_is_its_definition(case) -> None:
    hashes, signs, tokens, alpha, target_logits = case
    n = len(hashes)
    logits = harder_task.with_target(clamp(hashes), signs).logits(tokens, alpha, target_logits)
    output = softmax(logits[0])
    target = np.zeros(n)
    target[tokens[0]] = softmax(target_logits[0])
    found = harder_task.logits_divergence(logits, tokens, target_logits[0])
    assert found.total_variation[0] == pytest.approx(0.5 * np.abs(output - target).sum(), abs=1e-12)
    members = target[tokens[0]]
    kl = members @ np.log(members / output[tokens[0]])
    assert found.kl[0] == pytest.approx(kl, abs=1e-10)


def test_at_the_uniform_target_it_is_the_filter_itself() -> None:
    rng = np.random.default_rng(SEED)
    hashes, tokens = random_hashes(rng, 60, 20, 4), random_sets(rng, 30, 60, 3)
    alpha = random_coefficients(rng, 30, 3, 2.0)
    plain = clamp(hashes, 2.0)
    network = harder_task.with_target(plain, dense_codes.random_signs(rng, 60, 8))
    logits = network.logits(tokens, alpha, np.zeros((30, 3)))
    assert (logits == plain.logits(tokens, alpha)).all()
    uniform = divergence(logits, tokens)
    found = harder_task.logits_divergence(logits, tokens, np.zeros(3))
    assert found.total_variation == pytest.approx(uniform.total_variation, abs=1e-12)
    assert found.kl == pytest.approx(uniform.kl, abs=1e-12)


def test_single_precision() -> None:
    rng = np.random.default_rng(SEED)
    hashes, tokens = random_hashes(rng, 60, 20, 4), random_sets(rng, 30, 60, 3)
    signs = dense_codes.random_signs(rng, 60, 16)
    target_logits = np.tile([1.0, 0.5, -1.5], (30, 1))
    network = harder_task.with_target(clamp(hashes, 4.0, dtype=np.float32), signs)
    logits = network.logits(tokens, np.ones((30, 3)), target_logits)
    assert logits.dtype == np.float32
    wide = harder_task.with_target(clamp(hashes, 4.0), signs)
    assert logits == pytest.approx(wide.logits(tokens, np.ones((30, 3)), target_logits), abs=1e-5)


# --- statistics: intervals at CONFIDENCE, at most 12 of them, fixed seeds: false alarms < 2e-6 ----

SIZES = {"n": 60, "k": 3, "d": 24, "m": 5}
BETA, DPRIME = 1.5, 4
TARGET = np.array([1.0, 0.25, -1.25])


def forward_passes(rng: np.random.Generator, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """(logits [inputs, n], tokens [inputs, k]) of float networks, one input each."""
    n, k, d, m = SIZES.values()
    tokens = random_sets(rng, inputs, n, k)
    alpha = random_coefficients(rng, inputs, k, 2.0)
    logits = np.empty((inputs, n))
    for place in range(inputs):
        signs = dense_codes.random_signs(rng, n, DPRIME)
        network = harder_task.with_target(clamp(random_hashes(rng, n, d, m), BETA), signs)
        row = slice(place, place + 1)
        logits[row] = network.logits(tokens[row], alpha[row], TARGET[None])
    return logits, tokens


def test_networks_and_fresh_draws_have_one_law() -> None:
    """E TV, E KL and E L of forward passes: L exactly, the others those of the fresh draws."""
    rng = np.random.default_rng(SEED)
    n, k, d, m = SIZES.values()
    logits, tokens = forward_passes(rng, 400)
    found = harder_task.logits_divergence(logits, tokens, TARGET)
    others = np.where(membership(tokens, n), -np.inf, logits - BETA * m)
    leakages = np.exp(others).sum(axis=1)
    factor = float(np.exp(theory.log_non_member_factor(TARGET, DPRIME)))
    exact = mean_leakage(n, k, d, m, BETA) * factor
    assert intervals.mean(leakages, CONFIDENCE).contains(exact)
    assert not intervals.mean(leakages, CONFIDENCE).contains(exact / factor)
    most = harder_task.most_missing(n, BETA, TARGET)
    assert most >= m  # nothing is left out at this beta
    near = [harder_task.near_misses(rng, n, k, d, m, most) for _ in range(400)]
    fresh = harder_task.fresh_outcomes(rng, near, DPRIME, BETA, TARGET).divergence
    for name in ("total_variation", "kl"):
        difference = getattr(found, name) - getattr(fresh, name)[:, 0]
        assert intervals.mean(difference, CONFIDENCE).contains(0.0)
    bound = theory.kl_bound(TARGET, DPRIME, mean_leakage(n, k, d, m, BETA) / np.exp(TARGET).sum())
    kl = intervals.mean(fresh.kl[:, 0], CONFIDENCE)
    assert 0.4 * bound < kl.interval[0] < bound


def test_tokens_left_out_do_not_matter() -> None:
    """The same stream with every token kept: TV differs by less than 1e-11."""
    n, k, d, m = 2000, 3, 60, 12
    most = harder_task.most_missing(n, 9.0, TARGET)
    assert most < m
    few, all_ = (
        harder_task.near_misses(np.random.default_rng(SEED), n, k, d, m, keep) for keep in (most, m)
    )
    assert 0 < len(few) < len(all_) == n - k
    weight = np.exp(-9.0 * all_[all_ > most] + np.abs(TARGET).sum()).sum()
    assert weight < 1e-11


def test_near_misses_have_the_law_of_missing_bits() -> None:
    rng = np.random.default_rng(SEED)
    n, k, d, m = SIZES.values()
    rows = [harder_task.near_misses(rng, n, k, d, m, m) for _ in range(1000)]
    law = missing_bits_law(k, d, m)
    for level in (0, 1, 2):
        counts = np.array([np.count_nonzero(row == level) for row in rows])
        expected = float((n - k) * law[level])
        assert intervals.mean(counts, CONFIDENCE).contains(expected)
    assert (n - k) * law[0] == pytest.approx(expected_false_positives(n, k, d, m))


def test_direct_outcomes_have_the_law_of_a_dense_code() -> None:
    """Patterns and binomials against n x d signs read out one by one; KL below its bound."""
    rng = np.random.default_rng(SEED)
    n, d, lift, inputs = 20, 30, 3.0, 1500
    z = lift + TARGET
    literal = []
    for _ in range(inputs):
        signs = dense_codes.random_signs(rng, n, d)
        logits = (z @ signs[:3]) @ signs.T
        literal.append(harder_task.logits_divergence(logits[None], np.arange(3)[None], TARGET))
    drawn = harder_task.direct_outcomes(rng, n, d, lift, TARGET, inputs)
    for name in ("total_variation", "kl"):
        ours = np.array([getattr(each, name)[0] for each in literal])
        assert intervals.mean(ours - getattr(drawn, name), CONFIDENCE).contains(0.0)
    bound = theory.direct_kl_bound(n, TARGET, d, lift)
    assert 0.3 * bound < drawn.kl.mean() < bound


# --- planted faults -------------------------------------------------------------------------------


DIRECT_RESULTS: dict[str, panel.Divergence] = {}


def broken_checks(monkeypatch) -> list[str]:
    """Ids of the failed checks of the panel on small vocabularies."""
    monkeypatch.setattr(panel, "VOCABULARIES", {1_000: (120, 1), 2_000: (20, 6)})
    monkeypatch.setattr(panel, "NETWORKS", {64: 6, 256: 6})
    monkeypatch.setattr(panel, "KL_INPUTS", 100)
    monkeypatch.setattr(panel, "DPRIMES", (32, 256))
    found = []
    for index, task in enumerate(panel.tasks(QUICK)):
        direct = task.function is panel.measure_direct  # slow, and no fault lies there
        result = DIRECT_RESULTS.get(task.name) or task.typed(task.run(SEED, index))
        DIRECT_RESULTS.update({task.name: result} if direct else {})
        found.append(result)
    return failed(panel.PANEL, found)


def test_without_a_fault_nothing_fails(monkeypatch) -> None:
    assert broken_checks(monkeypatch) == []


def with_layer_everywhere(network: ReluNetwork, signs: np.ndarray):
    """The construction with a layer that also takes the positive part off every y."""
    right = harder_task_with_target(network, signs)
    width = right.network.d
    bias = np.concatenate([network.b_in, np.zeros(width - network.d)])
    faulty = dataclasses.replace(right.network, W_in=np.eye(width), b_in=bias, W_out=-np.eye(width))
    return dataclasses.replace(right, network=faulty)


harder_task_with_target = harder_task.with_target
random_sign_bits = harder_task.random_sign_bits
fresh_outcomes = harder_task.fresh_outcomes
FAULTS = {
    "the layer acts on the extra coordinates": (
        harder_task, "with_target", with_layer_everywhere, panel.Quantity.FLOAT_ERROR
    ),
    "signs without 1/sqrt(d')": (
        harder_task,
        "random_sign_bits",
        lambda rng, codes, tokens, dprime: 1.1 * random_sign_bits(rng, codes, tokens, dprime),
        panel.Quantity.MEAN_SQUARE,
    ),
    "logits not centred": (
        harder_task,
        "fresh_outcomes",
        lambda rng, near, dprime, beta, logits, *codes: fresh_outcomes(
            rng, near, dprime, beta, logits + 1.0, *codes
        ),
        panel.Quantity.MEAN_SQUARE,
    ),
    "the own token among the errors": (
        theory,
        "member_error_covariance",
        lambda logits, dprime: np.eye(len(logits)) * (logits @ logits) / dprime,
        panel.Quantity.MEAN_SQUARE,
    ),
    "half the total variation": (
        theory,
        "total_variation_bound",
        lambda eta, leakage: np.tanh(eta / 16),
        panel.Quantity.TV_BOUND,
    ),
    "variance for a tail": (
        theory,
        "member_error_quantile",
        lambda logits, dprime, epsilon: np.sqrt(logits @ logits / dprime),
        panel.Quantity.EXCEEDING,
    ),
    "the direct code at the construction's own width": (
        theory, "direct_width", lambda n, logits, delta: 1000, panel.Quantity.DIRECT_KL
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(monkeypatch, fault: str) -> None:
    module, name, replacement, complaint = FAULTS[fault]
    monkeypatch.setattr(module, name, replacement)
    quantities = {check.split("/")[1] for check in broken_checks(monkeypatch)}
    assert complaint in quantities, fault


# --- bad input ------------------------------------------------------------------------------------


def test_bad_input() -> None:
    rng = np.random.default_rng(SEED)
    network = clamp(random_hashes(rng, 10, 8, 2))
    good = harder_task.with_target(network, dense_codes.random_signs(rng, 10, 4))
    tokens, alpha = np.array([[0, 1]]), np.ones((1, 2))
    with pytest.raises(DomainError, match="target_logits must be finite"):
        good.logits(tokens, alpha, np.array([[0.0, np.nan]]))
    with pytest.raises(DomainError, match="alpha must be finite and at least 1"):
        good.logits(tokens, 0.5 * alpha, np.zeros((1, 2)))
    with pytest.raises(DomainError, match="V must have shape"):
        dataclasses.replace(good, V=good.V[:, 1:])
    with pytest.raises(DomainError, match="k must be"):
        harder_task.direct_outcomes(rng, 20, 8, 1.0, np.zeros(13), 1)
    with pytest.raises(DomainError, match="beta"):
        harder_task.most_missing(10, 0.0, np.zeros(2))
    with pytest.raises(DomainError, match="dprime"):
        harder_task.fresh_outcomes(rng, [np.array([1])], 0, 1.0, np.zeros(2))
