"""The parts of the members' differences: known ones, sums, symmetries, and planted causes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.constructions import clamp, complement_limit, complement_limit_error, mixed
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from simulate.symmetries import in_another_basis
from tests.train.subjects import CONSTRUCTIONS, hashes_for, plain
from tests.train.test_symmetries import SUBJECTS, assert_same, subject
from train.analysis import uniformity
from train.analysis.uniformity import PARTS, analyse, decompose
from train.reading.masks import extract
from train.reading.subject import Subject

C = 2.0


def found(network: ReluNetwork, k: int = 3, seed: int = 0, inputs: int = 1024):
    """The record as plain data."""
    return plain(record_of(network, k, seed, inputs))


def record_of(network: ReluNetwork, k: int = 3, seed: int = 0, inputs: int = 1024):
    rng = np.random.default_rng(seed)
    return analyse(Subject(network, k, C), extract(network, k, C), rng, inputs)


def shares(record) -> dict[str, float]:
    return {name: part["share"]["value"] for name, part in record["parts"].items()}


def assert_equal_members(record) -> None:
    assert record["variance"]["value"] == record["sd"] == record["hash_dot_variance"] == 0.0
    for part in record["parts"].values():
        assert part == {"share": None, "variance": 0.0}


@pytest.mark.parametrize("kind", ["clamp", "complement"])
@pytest.mark.parametrize("basis", [False, True])
def test_exact_constructions_have_no_variance(kind, basis):
    """All parts are 0, also where rounding in another basis leaves a little."""
    network = CONSTRUCTIONS[kind](hashes_for(80, 16, 4))
    if basis:
        network, _ = in_another_basis(network, np.random.default_rng(2), shift=30.0)
    record = found(network)
    assert_equal_members(record)
    assert record["unsaturated_variance"] > 0.0
    assert uniformity.figures(record_of(network)) == []
    assert uniformity.summary(record_of(network)) == "members' logits are equal"


def test_one_member_differs_from_nobody():
    assert_equal_members(found(clamp(hashes_for(80, 16, 4)), k=1))


def test_the_limit_differs_by_its_residual_path_alone():
    """eta x reaches the logits past the units; its coefficients are counted as such."""
    hashes = hashes_for(80, 16, 4)
    record = found(complement_limit(hashes, eta=1e-3))
    assert record["sd"] <= complement_limit_error(hashes, 3, C, 1.0, 1e-3)
    parts = shares(record)
    for name in ("overlaps", "partners", "other_units"):
        assert parts[name] == pytest.approx(0.0, abs=1e-9)
    assert parts["coefficients"] > 0.2
    assert parts["residual_path"] > 0.2


def test_heights_of_unequal_tokens():
    """Tokens with a bit more have a constant more, and nothing else differs."""
    hashes = hashes_for(80, 16, 4)
    extra = np.arange(80) % 2 == 0
    for token in np.flatnonzero(extra):
        hashes[token, np.random.default_rng(token).choice(np.flatnonzero(~hashes[token]))] = True
    record = found(clamp(hashes, beta=1.5))
    parts = shares(record)
    assert parts.pop("height") == pytest.approx(1.0)
    assert all(share == pytest.approx(0.0, abs=1e-9) for share in parts.values())
    assert record["hash_dot_variance"] == pytest.approx(record["variance"]["value"])
    # three of the tokens, half of which are 1.5 nats higher
    expected = 1.5**2 / 4 * (2 / 3) * 80 / 79
    low, high = record["variance"]["interval"]
    assert low <= expected <= high


def test_mixed_constructions_differ_by_their_clamped_bits():
    """A member stands at the number of its clamped bits: a constant."""
    record = found(mixed(hashes_for(80, 16, 4), clamped=7))
    assert shares(record)["height"] == pytest.approx(1.0, abs=0.05)


def test_a_leaking_clamp_is_told_by_hits_and_coefficients():
    """W_out = -0.9 I leaves a tenth of what is above the threshold: alpha, and overlaps."""
    exact = clamp(hashes_for(80, 16, 4))
    parts = shares(found(replace(exact, W_out=0.9 * exact.W_out)))
    assert parts["coefficients"] > 0.1
    assert parts["overlaps"] > 0.1
    assert parts["partners"] == pytest.approx(0.0, abs=1e-9)


def test_unequal_owners_are_partners():
    """A leak that depends on which tokens hit: entries of W_E of two sizes."""
    exact = clamp(hashes_for(80, 16, 4))
    size = np.where(np.arange(80) % 2 == 0, 1.0, 1.5)[:, None]
    leaking = replace(exact, W_E=exact.W_E * size, W_out=0.9 * exact.W_out)
    assert shares(found(leaking))["partners"] > 0.02


@pytest.mark.parametrize("name", ["mixed", "untrained", "trained clamp", "trained complement"])
def test_parts_sum_to_the_whole(name):
    network, k = subject(name)
    masks, rng = extract(network, k, C), np.random.default_rng(4)
    drawn = [
        (random_sets(rng, 200, network.n, k), random_coefficients(rng, 200, k, C)) for _ in range(2)
    ]
    whole = decompose(network, masks, drawn[0], drawn[1], 1.5)
    assert whole.parts.keys() == PARTS.keys()
    scale = max(float(np.abs(part).max()) for part in whole.parts.values()) + 1.0
    assert np.abs(sum(whole.parts.values()) - whole.logit).max() < 1e-12 * scale
    found_of = analyse(Subject(network, k, C), masks, rng, 200)
    record = plain(found_of)
    if record["variance"]["value"] > 0.0:
        assert sum(shares(record).values()) == pytest.approx(1.0)
        assert "%" in uniformity.summary(found_of)
        (figure,) = uniformity.figures(found_of)
        assert len(figure.table) == len(PARTS)


@pytest.mark.parametrize("name", SUBJECTS)
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000), shift=st.sampled_from([0.0, 1.0, 30.0]))
def test_every_number_is_invariant(name, seed, shift):
    network, k = subject(name)
    moved, _ = in_another_basis(network, np.random.default_rng(seed), shift)
    assert_same(found(network, k, 1, 128), found(moved, k, 1, 128))


def test_constants_are_unbiased():
    """A network without constants has none, on average, however few inputs they are fitted on."""
    exact = clamp(hashes_for(80, 16, 4))
    network = replace(exact, W_out=0.9 * exact.W_out)
    height = [shares(found(network, seed=seed, inputs=64))["height"] for seed in range(40)]
    error = np.std(height, ddof=1) / np.sqrt(len(height))
    fitted_well = shares(found(network, seed=100, inputs=20_000))["height"]
    assert abs(np.mean(height) - fitted_well) < 5.0 * error
