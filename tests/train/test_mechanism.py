"""Mechanism: known values on exact networks, planted faults named, honest verdicts elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.constructions import Hashes, clamp, complement, complement_limit_error, mixed
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from simulate.network import ReluNetwork
from simulate.symmetries import in_another_basis
from tests.train.subjects import CONSTRUCTIONS, KIND, hashes_for, plain, trained, untrained
from theory.domain import DomainError
from train.analysis import mechanism
from train.analysis.exceptions import exceptions, outlying
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

N, K, D, M, BETA = 300, 3, 32, 6, 2.5


def found(network: ReluNetwork, k: int = K, inputs: int = 512) -> mechanism.Mechanism:
    masks = extract(network, k, 2.0)
    return mechanism.analyse(Subject(network, k, 2.0), masks, np.random.default_rng(1), inputs)


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_every_number_of_a_construction_has_its_known_value(name):
    hashes = hashes_for(N, D, M)
    record = plain(found(CONSTRUCTIONS[name](hashes, BETA)).record)
    kind = KIND[name]
    assert record["verdict"] == kind
    assert record["units"] == {
        "clamp": D * (kind == "clamp"),
        "complement": D * (kind == "complement"),
        "neither": 0,
        "dead": 0,
        "always_on": 0,
    }
    owners = hashes.mean(axis=0)
    assert record["agreement"] == {
        "value": 1.0,
        "shuffled": pytest.approx((owners**2 + (1 - owners) ** 2).mean()),
        "disagreements": 0,
    }
    assert record["score"] == {"value": 1.0, "units": 1.0}
    for side in ("read", "write"):
        assert record["modes"][side]["two"] == 1.0
        for number in ("gap", "explained"):
            assert record["modes"][side][number] == pytest.approx(
                {"median": 1.0, "lowest": 1.0, "highest": 1.0}
            )
    assert record["density"] == pytest.approx(M / D)
    assert record["code"]["bits_per_token"] == M
    assert record["code"]["bits_per_token_sd"] == 0.0
    assert record["code"]["tokens_per_unit"] == pytest.approx(N * M / D)
    assert record["hash_dot"]["per_bit"] == {
        "mean": pytest.approx(BETA),
        "sd": pytest.approx(0.0, abs=1e-12),
        "range": pytest.approx([BETA, BETA]),
    }
    assert record["hash_dot"]["sum"]["mean"] == pytest.approx(BETA * M)
    assert record["hash_dot"]["sum"]["sd"] == pytest.approx(0.0, abs=1e-12)
    assert record["hash_dot"]["not_owned_sd"] == pytest.approx(0.0, abs=1e-12)
    exact = 0.0 if name != "complement_limit" else complement_limit_error(hashes, K, 2.0, 1.0, 1e-3)
    assert record["readout"]["slope"] == pytest.approx(1.0, abs=exact + 1e-12)
    assert record["readout"]["r_squared"] == pytest.approx(1.0, abs=exact + 1e-12)
    outside, *union = record["hidden_states"]
    assert outside["before"]["range"] == pytest.approx([-1.0, -1.0])
    assert outside["after"]["range"] == pytest.approx([-1.0, -1.0])
    for cluster in union:
        hits = cluster["hits"]
        low, high = cluster["before"]["range"]
        assert hits - 1.0 <= low
        assert high <= 2.0 * hits - 1.0
        assert cluster["after"]["range"] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert record["bands"]["after"]["union_sd"]["value"] == pytest.approx(0.0, abs=1e-12)
    assert record["bands"]["after"]["gap"] == pytest.approx(1.0)
    assert record["bands"]["narrowed"] == pytest.approx(0.0, abs=1e-12)
    assert record["baselines"]["shuffled"]["verdict"] == "none"
    assert record["baselines"]["shuffled"]["score"] == 0.0
    assert record["baselines"]["untrained"] | {"mask_agreement": 0} == {
        "verdict": "none",
        "score": 0.0,
        "mask_agreement": 0,
    }


def test_the_clamp_layer_is_minus_one():
    layer = plain(found(clamp(hashes_for(N, D, M))).record)["layer"]
    assert layer["eigenvalues"]["real"] == {"median": -1.0, "lowest": -1.0, "highest": -1.0}
    assert layer["eigenvalues"]["largest_distance_from_minus_1"] == 0.0
    assert layer["returned"] == {"median": 1.0, "lowest": 1.0, "highest": 1.0}
    assert layer["returned_by_others"] == 0.0
    assert layer["residual_path"] > 1.0


def test_the_complement_reads_nothing_from_the_residual_path():
    layer = plain(found(complement(hashes_for(N, D, M))).record)["layer"]
    assert layer["residual_path"] == 0.0
    assert layer["complement_moduli"]["highest"] == 0.0
    assert layer["eigenvalues"]["real"] is None


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), share=st.floats(0.1, 1.0))
def test_eigenvalues_are_those_of_the_product(seed, share):
    rng = np.random.default_rng(seed)
    network = untrained(rng, 10, 7, 9)
    chosen = rng.random(9) < share
    values = mechanism.layer_eigenvalues(network, chosen)
    whole = np.linalg.eigvals(network.W_in[:, chosen] @ network.W_out[chosen])
    for value in values:
        assert np.abs(np.append(whole, 0.0) - value).min() < 1e-9
    assert values.sum() == pytest.approx(whole.sum(), abs=1e-9)


def test_a_mixed_network_is_called_mixed():
    record = plain(found(mixed(hashes_for(N, D, M), clamped=12, beta=BETA)).record)
    assert record["verdict"] == "mixed"
    assert record["units"]["clamp"] == 12
    assert record["units"]["complement"] == 20
    assert record["agreement"]["value"] == 1.0
    assert record["score"] == {"value": pytest.approx(20 / 32), "units": pytest.approx(20 / 32)}
    assert record["hash_dot"]["per_bit"]["mean"] == pytest.approx(BETA)
    assert record["bands"]["after"]["gap"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("clamped", "verdict"), [(40, "clamp"), (36, "clamp"), (35, "mixed"), (4, "complement")]
)
def test_the_verdict_turns_at_ninety_percent(clamped, verdict):
    masks = extract(mixed(hashes_for(400, 40, 6), clamped), K, 2.0)
    assert mechanism.judged(masks).verdict == verdict


def test_the_verdict_asks_for_agreement():
    masks = extract(clamp(hashes_for(N, D, M)), K, 2.0)

    def with_disagreements(entries: int) -> Masks:
        write = masks.write.copy()
        write.flat[:entries] ^= True
        return replace(masks, write=write)

    allowed = int(0.02 * N * D)
    assert mechanism.judged(with_disagreements(allowed)).verdict == "clamp"
    assert mechanism.judged(with_disagreements(allowed + 1)).verdict == "none"
    follows = mechanism.score(with_disagreements(allowed)).value
    assert follows == pytest.approx(1.0 - allowed / (N * D))


@pytest.mark.parametrize("seed", range(3))
def test_an_untrained_network_is_no_filter(seed):
    record = plain(found(untrained(np.random.default_rng(seed), 128, 24, 24)).record)
    assert record["verdict"] == "none"
    assert record["score"]["value"] == 0.0
    assert record["code"] is None
    assert record["hidden_states"] == []
    assert record["bands"] is None
    assert record["hash_dot"] is None


def test_a_network_without_live_units():
    network = clamp(hashes_for(N, D, M))
    record = plain(found(replace(network, W_in=0 * network.W_in)).record)
    assert record["verdict"] == "none"
    assert record["reason"] == "no unit is live"
    assert record["agreement"]["value"] is None
    assert record["units"]["dead"] == D


def code_of_masks(masks: Masks, k: int) -> mechanism.Code:
    code = mechanism.code(masks, k)
    assert code is not None
    return code


class TestFaults:
    """Each fault is named, by unit and by token, and nothing else is."""

    hashes = hashes_for(N, D, M)
    unit, token = 11, 77

    def named(self, network: ReluNetwork) -> tuple[dict[int, str], dict[int, str]]:
        how = found(network)
        odd = exceptions(how.subject, how.masks, how.bit_weights)
        return (
            {each.unit: "; ".join(each.why) for each in odd.units},
            {each.token: "; ".join(each.why) for each in odd.tokens},
        )

    @pytest.mark.parametrize("name", CONSTRUCTIONS)
    @pytest.mark.parametrize("weight", ["W_E", "W_U"])
    @pytest.mark.parametrize("owned", [True, False])
    def test_a_bit_flipped_on_one_side(self, name, weight, owned):
        token = int(np.flatnonzero(self.hashes[:, self.unit] == owned)[5])
        network = CONSTRUCTIONS[name](self.hashes, BETA)
        changed = getattr(network, weight).copy()
        # the coordinate of the residual stream that carries the unit on this side
        second = weight == "W_U" and network.d == 2 * D
        at = self.unit + D * second
        entry = (token, at) if weight == "W_E" else (at, token)
        changed[entry] = 0.0 if owned else np.abs(changed).max()
        units, tokens = self.named(replace(network, **{weight: changed}))
        assert units == {self.unit: f"its masks differ at token {token}"}
        assert tokens.keys() == {token}
        assert f"its masks differ at unit {self.unit}" in tokens[token]

    @pytest.mark.parametrize("name", CONSTRUCTIONS)
    @pytest.mark.parametrize("owned", [True, False])
    def test_a_bit_flipped_on_both_sides(self, name, owned):
        hashes: Hashes = self.hashes.copy()
        token = int(np.flatnonzero(hashes[:, self.unit] == owned)[3])
        hashes[token, self.unit] ^= True
        units, tokens = self.named(CONSTRUCTIONS[name](hashes))
        assert units == {}
        assert tokens.keys() == {token}
        assert f"owns {M - 1 if owned else M + 1} units" in tokens[token]

    def test_a_dead_unit(self):
        network = clamp(self.hashes)
        W_in = network.W_in.copy()
        W_in[:, self.unit] = 0.0
        units, tokens = self.named(replace(network, W_in=W_in))
        assert units == {self.unit: "dead: it reads all tokens alike"}
        # its owners have a bit less than the others, but they are many
        assert tokens == {}

    @pytest.mark.parametrize("basis", ["own", "another"])
    @pytest.mark.parametrize("name", ["clamp", "complement_limit"])
    def test_a_unit_of_the_other_orientation(self, name, basis):
        network = CONSTRUCTIONS[name](self.hashes)
        W_in, b_in = network.W_in.copy(), network.b_in.copy()
        W_in[:, self.unit] *= -1.0
        b_in[self.unit] *= -1.0
        network = replace(network, W_in=W_in, b_in=b_in)
        at = self.unit
        if basis == "another":
            network, order = in_another_basis(network, np.random.default_rng(0))
            at = int(np.flatnonzero(order == self.unit)[0])
        units, tokens = self.named(network)
        usual, odd = ("clamp", "complement") if name == "clamp" else ("complement", "clamp")
        assert units == {at: f"{odd}, where most units are {usual}"}
        assert tokens == {}

    def test_a_unit_that_takes_back_half(self):
        network = clamp(self.hashes)
        W_out = network.W_out.copy()
        W_out[self.unit] *= 0.5
        units, _ = self.named(replace(network, W_out=W_out))
        assert units.keys() == {self.unit}
        assert "takes back 0.5 of what it reads" in units[self.unit]

    def test_a_token_without_bits(self):
        hashes = self.hashes.copy()
        hashes[self.token] = False
        _, tokens = self.named(clamp(hashes))
        assert tokens.keys() == {self.token}
        assert "owns no unit: every input covers it" in tokens[self.token]

    def test_a_token_whose_readout_is_weak(self):
        network = clamp(self.hashes)
        W_U = network.W_U.copy()
        W_U[:, self.token] *= 0.7
        units, tokens = self.named(replace(network, W_U=W_U))
        assert units == {}
        assert tokens.keys() == {self.token}
        assert "its bits are worth" in tokens[self.token]


def test_outlying_leaves_each_value_out():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(50)
    values[7] = 6.0
    others = [np.delete(values, at) for at in range(50)]
    wanted = [
        abs(value - rest.mean()) > 5.0 * rest.std(ddof=1)
        for value, rest in zip(values, others, strict=True)
    ]
    assert outlying(values).tolist() == wanted
    assert outlying(values)[7]
    assert outlying(np.array([4.0, 4.0, 4.0, 5.0])).tolist() == [False, False, False, True]
    assert not outlying(np.array([1.0, 1.0, 2.0])).any()
    assert not outlying(1.0 + 1e-6 * rng.standard_normal(9)).any()


class TestCode:
    def test_a_random_code_is_as_spread_as_the_law_says(self):
        # variances of the tokens per unit, over hash families: mean 1 and independent
        ratios = [
            code_of_masks(
                extract(clamp(hashes_for(200, 40, 6, seed)), K, 2.0), K
            ).tokens_variance_over_random
            for seed in range(60)
        ]
        # a unit's binomial count, about the fixed mean of all units: 1 - 1/d of units whose
        # counts are negatively correlated by -1/(d - 1), which makes up for it exactly
        assert intervals.mean(np.array(ratios), CONFIDENCE).contains(1.0)

    def test_independent_bits_are_as_spread_as_the_law_says(self):
        rng = np.random.default_rng(4)
        ratios = []
        for _ in range(60):
            masks = extract(clamp(rng.random((200, 40)) < 0.2), K, 2.0)
            ratios.append(code_of_masks(masks, K).bits_variance_over_independent_bits)
        # the density is that of the same sample: the expectation is 1 but for terms of 1/(n d)
        assert intervals.mean(np.array(ratios), CONFIDENCE).contains(1.0)

    @settings(max_examples=20)
    @given(seed=st.integers(0, 1000))
    def test_nested_hashes_by_brute_force(self, seed):
        hashes = hashes_for(40, 8, 3, seed)
        hashes[:10] &= np.random.default_rng(seed).random((10, 8)) < 0.7
        nested = [
            any(not (hashes[i] & ~hashes[j]).any() for j in range(40) if j != i) for i in range(40)
        ]
        masks = extract(clamp(hashes), 2, 2.0)
        if (masks.orientation != 0).all():
            assert code_of_masks(masks, 2).nested == sum(nested)

    def test_optimal_densities_are_theorys(self):
        code = plain(found(clamp(hashes_for(512, 64, 7))).record)["code"]
        assert code["optimal_bits_per_token"] == {"rate": 12, "failure": 12}
        assert code["optimal_density"]["failure"] == pytest.approx(12 / 64)


class TestTrained:
    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    @pytest.mark.parametrize("kind", ["clamp", "complement"])
    def test_trained_networks_are_recognised(self, kind):
        network, k = trained(kind)
        record = plain(found(network, k).record)
        assert record["verdict"] == kind
        assert record["score"]["value"] > 0.9
        assert record["baselines"]["shuffled"]["score"] < 0.1
        assert record["bands"]["narrowed"] < 0.5

    @pytest.mark.parametrize("kind", ["clamp", "complement"])
    def test_bit_weights_predict_the_logits(self, kind):
        # weights and hidden states, against the logits of the forward pass
        network, k = trained(kind)
        readout = plain(found(network, k).record)["readout"]
        assert readout["slope"] == pytest.approx(1.0, abs=0.15)
        assert readout["r_squared"] > 0.5

    def test_a_half_trained_network_is_not_a_filter_yet(self):
        network, k = trained("half_trained")
        how = found(network, k)
        record = plain(how.record)
        assert record["verdict"] == "none"
        assert record["score"]["value"] < 0.8
        assert exceptions(how.subject, how.masks, how.bit_weights).unit_count > 0

    @pytest.mark.slow
    def test_a_clamp_learned_from_scratch(self):
        network, k = trained("learned")
        record = plain(found(network, k).record)
        assert record["verdict"] == "clamp"
        assert record["units"]["clamp"] >= 22


@pytest.mark.parametrize("inputs", [0, 63])
def test_domain(inputs):
    with pytest.raises(DomainError, match="inputs must be at least 64"):
        found(clamp(hashes_for(50, 10, 3)), K, inputs)
