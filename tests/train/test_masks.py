"""Masks: recovered from constructions, none in random networks, each unit judged by itself."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.constructions import clamp, complement, mixed
from simulate.network import ReluNetwork
from tests.train.subjects import CONSTRUCTIONS, KIND, hashes_for, untrained
from theory.domain import DomainError
from train.reading import masks as reading
from train.reading.masks import (
    CLAMP,
    COMPLEMENT,
    LEVEL,
    extract,
    null_gains,
    read_weights,
    two_modes,
    write_weights,
)

SIDES = ("read_modes", "write_modes")
SIDE = {"clamp": CLAMP, "complement": COMPLEMENT}


@pytest.mark.parametrize("name", CONSTRUCTIONS)
@pytest.mark.parametrize("c", [1.0, 2.0, 16.0])
@settings(max_examples=12)
@given(
    sizes=st.sampled_from([(512, 3, 64, 12), (24, 2, 10, 3), (100, 1, 20, 10), (200, 4, 40, 1)]),
    seed=st.integers(0, 1000),
)
def test_hashes_of_a_construction_are_read_off_it(name, c, sizes, seed):
    n, k, d, m = sizes
    hashes = hashes_for(n, d, m, seed)
    masks = extract(CONSTRUCTIONS[name](hashes), k, c)
    assert (masks.read == hashes).all()
    assert (masks.write == hashes).all()
    assert (masks.orientation == SIDE[KIND[name]]).all()
    assert masks.live.all()
    assert not masks.always_on.any()


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_owners_in_the_majority_are_owners(name):
    # at k = 1 the best density is one half, and a unit may have more owners than not
    hashes = hashes_for(40, 12, 9)
    masks = extract(CONSTRUCTIONS[name](hashes), 1, 2.0)
    assert (masks.read == hashes).all()
    assert (masks.orientation == SIDE[KIND[name]]).all()


@pytest.mark.parametrize("network", [clamp, complement])
@pytest.mark.parametrize("entries", [1, 700, 4000])
def test_units_are_read_alike_however_few_at_a_time(monkeypatch, network, entries):
    """In blocks of 1, 2 and 13 of 30 units: the same bits in every field."""
    made = network(hashes_for(300, 30, 5))
    noise = 0.05 * np.random.default_rng(1).standard_normal(made.W_E.shape)
    made = replace(made, W_E=made.W_E + noise, alpha_min=0.0)
    whole = extract(made, 3, 2.0)
    monkeypatch.setattr(reading, "_BLOCK_ENTRIES", entries)
    split = extract(made, 3, 2.0)
    for one, other in ((whole, split), *((getattr(whole, s), getattr(split, s)) for s in SIDES)):
        for field in fields(one):
            if field.name not in SIDES:
                here, there = getattr(one, field.name), getattr(other, field.name)
                np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-12, err_msg=field.name)


@pytest.mark.parametrize("owners", [1, 3, 40])
def test_few_owners_among_many_tokens_are_found(owners):
    """However many tokens there are, none is left out of the search for the two modes."""
    rng = np.random.default_rng(owners)
    values = 0.03 * rng.standard_normal((20_000, 4))
    truth = np.zeros(values.shape, dtype=bool)
    for column in truth.T:
        column[rng.choice(len(values), owners, replace=False)] = True
    found = two_modes(values + truth)
    assert (found.high == truth).all()
    assert found.two.all()


def test_hits_to_switch_are_those_of_the_construction():
    hashes = hashes_for(300, 30, 5)
    middle, k = 1.5, 4
    assert extract(clamp(hashes), k, 2.0).hits_to_switch == pytest.approx(1.0 / middle)
    by_non_owners = k - 1.0 / middle
    assert extract(complement(hashes), k, 2.0).hits_to_switch == pytest.approx(by_non_owners)


@pytest.mark.parametrize("noise", [0.02, 0.08])
@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_noisy_masks_are_recovered_each_unit_with_its_own_threshold(name, noise):
    hashes = hashes_for(400, 24, 4)
    rng = np.random.default_rng(5)
    network = CONSTRUCTIONS[name](hashes)
    scale = np.exp(rng.uniform(-3.0, 3.0, 24))
    # every token also moves every unit a little, and each unit by an amount of its own
    offset = rng.uniform(-0.1, 0.0, 24) if name == "clamp" else rng.uniform(0.0, 0.02, 24)
    size = np.abs(network.W_E).max()
    A_noise = noise * size * rng.standard_normal(network.W_E.shape)
    A_noise[:, :24] += offset * size
    noisy = replace(
        network,
        W_E=network.W_E + A_noise,
        W_in=network.W_in * scale,
        b_in=network.b_in * scale,
        W_out=network.W_out / scale[:, None],
        W_U=network.W_U + noise * rng.standard_normal(network.W_U.shape),
    )
    masks = extract(noisy, 3, 2.0)
    assert (masks.read == hashes).all()
    assert (masks.write == hashes).all()
    assert (masks.orientation == SIDE[KIND[name]]).all()


def test_a_unit_of_one_owner_among_a_thousand_is_found():
    hashes = np.zeros((1000, 4), dtype=bool)
    hashes[np.arange(1000), np.arange(1000) % 3] = True
    hashes[7, 3] = True
    rng = np.random.default_rng(0)
    network = clamp(hashes)
    noisy = replace(network, W_E=network.W_E + 0.05 * rng.standard_normal(network.W_E.shape))
    masks = extract(noisy, 3, 2.0)
    assert (masks.read == hashes).all()
    assert (masks.orientation == CLAMP).all()


def test_units_of_both_kinds_in_one_network():
    hashes = hashes_for(200, 20, 4)
    masks = extract(mixed(hashes, clamped=8), 3, 2.0)
    assert (masks.read == hashes).all()
    assert (masks.write == hashes).all()
    assert masks.orientation.tolist() == [CLAMP] * 8 + [COMPLEMENT] * 12


@pytest.mark.parametrize(("n", "d", "k"), [(512, 64, 3), (64, 20, 2), (24, 10, 2), (12, 6, 1)])
def test_random_networks_have_no_oriented_units(n, d, k):
    rng = np.random.default_rng(n)
    oriented = sum(
        np.count_nonzero(extract(untrained(rng, n, d, d), k, 2.0).orientation) for _ in range(40)
    )
    # both columns at LEVEL, linked by chance (below 0.15 from n = 12 on): at most 40 d 4e-4 units;
    # more than 6 would be seen with probability below 1e-6 even where 1 is expected
    assert oriented <= 6


@pytest.mark.parametrize("n", [24, 100, 3000])
def test_normal_columns_have_two_modes_at_the_stated_level(n):
    columns = 3000 if n < 1000 else 600
    rng = np.random.default_rng(n)
    found = two_modes(rng.standard_normal((n, columns)))
    # the null is known from 1,999 samples: both errors together, 5.3 standard deviations
    deviation = np.sqrt(LEVEL * (1 - LEVEL) * (1 / columns + 1 / 1999))
    assert abs(found.two.mean() - LEVEL) < 5.3 * deviation
    assert abs(found.p_value.mean() - 0.5) < 5.3 * np.sqrt((1 / columns + 1 / 1999) / 12)


def test_the_split_is_the_best_of_all_thresholds():
    rng = np.random.default_rng(3)
    values = np.where(rng.random((60, 8)) < 0.2, 4.0, 0.0) + rng.standard_normal((60, 8))
    found = two_modes(values)
    for column in range(8):
        x = values[:, column]
        gains = []
        for cut in np.sort(x)[:-1]:
            low, high = x[x <= cut], x[x > cut]
            within = ((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum()
            p = len(low) / len(x)
            entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
            gains.append(0.5 * np.log(x.var() / (within / len(x))) - entropy)
        assert found.nats[column] == pytest.approx(max(gains))
        if found.two[column]:
            best = np.sort(x)[int(np.argmax(gains))]
            assert (found.high[:, column] == (x > best)).all()
            assert found.explained[column] == pytest.approx(
                1.0 - np.exp(-2.0 * (max(gains) + _entropy(x > best)))
            )


def _entropy(high: np.ndarray) -> float:
    p = high.mean()
    return float(-p * np.log(p) - (1 - p) * np.log(1 - p))


def test_modes_describe_both_groups():
    values = np.array([[0.0, 5.0], [1.0, 5.0], [9.0, 5.0], [10.0, 5.0], [11.0, 5.0]])
    found = two_modes(values)
    assert found.constant.tolist() == [False, True]
    assert found.high[:, 0].tolist() == [False, False, True, True, True]
    assert not found.high[:, 1].any()
    assert found.minority[:, 0].tolist() == [True, True, False, False, False]
    assert not found.minority[:, 1].any()
    assert found.threshold.tolist() == [5.0, 5.0]
    assert found.low_mean.tolist() == [0.5, 5.0]
    assert found.high_mean.tolist() == [10.0, 5.0]
    assert found.gap.tolist() == [8.0, 0.0]
    assert found.p_value[1] == 1.0
    within = np.sqrt((0.25 * 2 + 2 / 3 * 3) / 5)
    assert found.separation[0] == pytest.approx(9.5 / within)


def test_rounding_makes_no_modes():
    rng = np.random.default_rng(1)
    values = 1.0 + 1e-16 * rng.integers(-2, 3, (50, 3))
    assert two_modes(values, 1e-14).constant.all()


def test_null_is_fixed_and_read_only():
    gains = null_gains(30)
    assert (np.diff(gains) >= 0).all()
    assert gains is null_gains(30)
    with pytest.raises(ValueError, match="read-only"):
        gains[0] = 0.0


class TestFaults:
    """One unit of an exact network is changed; it and no other unit loses its orientation."""

    hashes = hashes_for(120, 16, 4)
    unit = 5

    def network(self, name: str = "clamp", **changed: float) -> ReluNetwork:
        network = CONSTRUCTIONS[name](self.hashes)
        W_in, W_out, b_in = network.W_in.copy(), network.W_out.copy(), network.b_in.copy()
        W_in[:, self.unit] *= changed.get("read", 1.0)
        W_out[self.unit] *= changed.get("write", 1.0)
        b_in[self.unit] = changed.get("bias", b_in[self.unit])
        return replace(network, W_in=W_in, W_out=W_out, b_in=b_in)

    def odd_one(self, network: ReluNetwork, usual: int) -> tuple[int, bool, bool]:
        masks = extract(network, 3, 2.0)
        others = np.arange(16) != self.unit
        assert (masks.orientation[others] == usual).all()
        assert masks.live[others].all()
        at = self.unit
        return int(masks.orientation[at]), bool(masks.live[at]), bool(masks.always_on[at])

    @pytest.mark.parametrize(("name", "usual"), [("clamp", CLAMP), ("complement", COMPLEMENT)])
    def test_a_unit_that_raises_its_owners(self, name, usual):
        assert self.odd_one(self.network(name, write=-1.0), usual) == (0, True, False)

    @pytest.mark.parametrize("fault", [{"read": 0.0}, {"write": 0.0}, {"bias": -20.0}])
    def test_a_dead_unit(self, fault):
        assert self.odd_one(self.network(**fault), CLAMP) == (0, False, False)

    def test_a_unit_that_is_always_on(self):
        assert self.odd_one(self.network(bias=1.0), CLAMP) == (0, True, True)

    def test_a_unit_that_needs_two_owners(self):
        # at k = 3 that is a majority: neither one owner is enough nor are all needed
        assert self.odd_one(self.network(bias=-2.6), CLAMP) == (0, True, False)

    def test_a_complement_unit_in_a_clamp_network(self):
        network = self.network(read=-1.0, bias=1.0)
        assert self.odd_one(network, CLAMP) == (COMPLEMENT, True, False)

    def test_a_unit_that_writes_another_hash(self):
        network = CONSTRUCTIONS["complement"](self.hashes)
        W_out = network.W_out.copy()
        W_out[self.unit] = network.W_out[self.unit + 1]
        assert self.odd_one(replace(network, W_out=W_out), COMPLEMENT) == (0, True, False)


def test_weights_are_products():
    network = untrained(np.random.default_rng(2), 20, 6, 9)
    assert read_weights(network) == pytest.approx(network.W_E @ network.W_in)
    write = network.W_out @ network.W_U
    assert write_weights(network) == pytest.approx((write - write.mean(axis=1, keepdims=True)).T)


@pytest.mark.parametrize("bad", [{"k": 0}, {"k": 25}, {"c": 0.5}, {"c": float("nan")}])
def test_domain(bad):
    network = clamp(hashes_for(24, 8, 2))
    with pytest.raises(DomainError, match=next(iter(bad))):
        extract(network, **({"k": 2, "c": 2.0} | bad))


def test_one_token_has_no_masks():
    with pytest.raises(DomainError, match="n must be at least 2"):
        extract(clamp(np.ones((1, 3), dtype=bool)), 1, 2.0)
