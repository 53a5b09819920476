"""The scoring of proposals: perfect ones, chance, planted wrong truths, each measure by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

pytest.importorskip("torch")

from simulate.constructions import clamp
from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.intervals import Mean
from simulate.sampling import random_sets, telling_hashes
from theory.domain import DomainError
from train.benchmarks.measured import rescaled, with_wrong_entry
from train.organism import matching
from train.organism.activations import Site, draw, token_effects
from train.organism.agreement import cohens_kappa, pairwise_kappa
from train.organism.family import BETA
from train.organism.matching import Rates, Scores, perfect, score, scored
from train.organism.proposal import Proposal, of_directions, of_loadings
from train.organism.truth import Truth
from train.reading.masks import CLAMP, COMPLEMENT
from train.reading.subject import Subject

SEEDS = st.integers(0, 10_000)


def planted(seed: int, n: int = 40, d: int = 12, m: int = 3) -> tuple[Subject, Truth]:
    """The exact clamp and its truth, no bit owned by half of the tokens."""
    hashes = telling_hashes(np.random.default_rng(seed), n, d, m)
    truth = Truth(np.full(d, CLAMP), np.ones(d, dtype=bool), hashes, hashes)
    return Subject(clamp(hashes, BETA, dtype=np.float32), 3, 2.0), truth


def masks(read: np.ndarray, **more: np.ndarray) -> Proposal:
    return Proposal(read, np.ones(read.shape[1]), **more)


def measured(proposal: Proposal, subject: Subject, truth: Truth) -> Scores:
    return scored(proposal, truth, subject, np.random.default_rng(0))


class TestPerfect:
    @settings(max_examples=20)
    @given(seed=SEEDS, n=st.integers(16, 60), d=st.integers(4, 20))
    def test_it_scores_one_in_everything(self, seed, n, d):
        subject, truth = planted(seed, n, d, max(1, d // 4))
        found = measured(perfect(truth), subject, truth)
        one = Rates(1.0, 1.0)
        assert (found.score, found.above_chance, found.orientation) == (1.0, 1.0, 1.0)
        assert found.bits == found.units == found.tokens == one
        # the network fails just where its masks say
        assert found.failures == 1.0
        assert found.components == d

    @settings(max_examples=30)
    @given(seed=SEEDS, n=st.integers(16, 60), d=st.integers(4, 20))
    def test_permuted_and_rescaled_too(self, seed, n, d):
        subject, truth = planted(seed, n, d, max(1, d // 4))
        assume(truth.read.sum(axis=0).max() < n / 2)
        found = measured(rescaled(perfect(truth), np.random.default_rng(seed)), subject, truth)
        assert found.score == found.above_chance == found.failures == 1.0
        assert found.bits == found.units == found.tokens == Rates(1.0, 1.0)
        assert found.orientation is None

    @settings(max_examples=30)
    @given(seed=SEEDS)
    def test_where_reading_and_writing_differ_both_are_needed(self, seed):
        _, truth = planted(seed)
        truth = replace(truth, write=with_wrong_entry(truth, np.random.default_rng(seed)).read)
        assert score(perfect(truth), truth) == 1.0
        assert score(masks(truth.read), truth) < 1.0
        assert score(masks(truth.read, write=truth.write), truth) == 1.0

    @settings(max_examples=40)
    @given(seed=SEEDS)
    def test_a_wrong_truth_is_caught(self, seed):
        """One wrong entry of one bit costs, and no more than that bit."""
        subject, truth = planted(seed)
        wrong = with_wrong_entry(truth, np.random.default_rng(seed))
        assert (wrong.read != truth.read).sum() == 1
        found = measured(perfect(truth), subject, wrong)
        bits = truth.read.shape[1]
        assert 1.0 - 1.0 / bits <= found.score < 1.0
        assert min(found.bits.precision, found.bits.recall) < 1.0
        assert found.tokens.recall == 1.0 - 1.0 / len(truth.read)

    def test_dead_units_and_those_of_no_kind_are_no_bits(self):
        _, truth = planted(0)
        kinds = truth.orientation.copy()
        kinds[[2, 5]] = 0
        live = truth.live.copy()
        live[5] = False
        truth = replace(truth, orientation=kinds, live=live)
        assert perfect(truth).read.shape[1] == 10
        assert score(perfect(truth), truth) == 1.0


class TestChance:
    @settings(max_examples=15)
    @given(n=st.integers(2, 5), data=st.data())
    def test_of_one_bit_it_is_hypergeometric(self, n, data):
        """By its formula and by all orders of the tokens, of which the estimate takes some."""
        owned, true = (data.draw(st.integers(1, n - 1)) for _ in range(2))
        tokens = np.arange(n)
        bit, component = (tokens < true)[:, None], (tokens < owned)[:, None]
        truth = Truth(np.array([CLAMP]), np.array([True]), bit, bit)
        every = [score(masks(component[list(order)]), truth) for order in permutations(range(n))]
        both = np.arange(n + 1)
        agree = (n - owned - true + 2 * both) / n
        chance = (owned * true + (n - owned) * (n - true)) / n**2
        kappa = np.maximum((agree - chance) / (1.0 - chance), 0.0)
        expected = float(hypergeom.pmf(both, n, true, owned) @ kappa)
        assert np.mean(every) == pytest.approx(expected, abs=1e-12)

    def test_random_masks_score_what_chance_is_said_to_be(self):
        """Their entries are exchangeable, so that no order of the tokens is special."""
        differences = []
        for seed in range(100):
            subject, truth = planted(seed)
            rng = np.random.default_rng([seed, 1])
            found = scored(masks(rng.random(truth.read.shape) < 0.25), truth, subject, rng)
            differences.append(found.score - found.chance)
        assert Mean.of(np.array(differences)).at(CONFIDENCE).contains(0.0)

    def test_a_little_knowledge_is_told_from_chance(self):
        """The planted fault of the check above: every fourth token's row is the true one."""
        differences = []
        for seed in range(50):
            subject, truth = planted(seed)
            rng = np.random.default_rng([seed, 1])
            read = rng.random(truth.read.shape) < 0.25
            read[::4] = truth.read[::4]
            found = scored(masks(read), truth, subject, rng)
            differences.append(found.score - found.chance)
        assert not Mean.of(np.array(differences)).at(CONFIDENCE).contains(0.0)

    def test_above_chance_is_zero_at_chance(self):
        subject, truth = planted(3)
        found = measured(perfect(truth), subject, truth)
        assert 0.0 < found.chance < 0.5
        assert replace(found, score=found.chance).above_chance == 0.0
        assert replace(found, score=1.0, chance=1.0).above_chance == 0.0


class TestAgreement:
    @settings(max_examples=30)
    @given(seed=SEEDS, entries=st.integers(1, 30))
    def test_of_all_pairs(self, seed, entries):
        rng = np.random.default_rng(seed)
        one, other = rng.random((entries, 5)) < 0.4, rng.random((entries, 4)) < 0.3
        pairs = pairwise_kappa(one, other)
        for i in range(5):
            wanted = cohens_kappa(np.repeat(one[:, [i]], 4, axis=1), other)
            assert pairs[i] == pytest.approx(wanted, abs=1e-12)

    @settings(max_examples=30)
    @given(seed=SEEDS)
    def test_it_is_cohens(self, seed):
        metrics = pytest.importorskip("sklearn.metrics")
        rng = np.random.default_rng(seed)
        one, other = rng.random(30) < 0.4, rng.random(30) < 0.3
        assume(one.any() and other.any())
        wanted = metrics.cohen_kappa_score(one, other)
        assert cohens_kappa(one[:, None], other[:, None])[0] == pytest.approx(wanted)

    @settings(max_examples=30)
    @given(seed=SEEDS, components=st.integers(1, 5))
    def test_the_matching_is_the_best_of_all(self, seed, components):
        rng = np.random.default_rng(seed)
        _, truth = planted(seed, n=12, d=4, m=1)
        read = rng.random((12, components)) < 0.3
        kappa = np.maximum(pairwise_kappa(np.vstack([read, read]), perfect(truth).entries), 0.0)
        wide = np.hstack([kappa.T, np.zeros((4, 4))])
        columns = range(wide.shape[1])
        by_hand = max(
            sum(wide[bit, place] for bit, place in enumerate(order))
            for order in permutations(columns, 4)
        )
        found = matching._matched(masks(read), perfect(truth))
        assert found.score == pytest.approx(by_hand / 4)


class TestMeasures:
    def test_half_of_the_bits(self):
        subject, truth = planted(1)
        found = measured(masks(truth.read[:, :6]), subject, truth)
        assert found.score == 0.5
        assert found.units == Rates(1.0, 0.5)
        assert found.bits.precision == 1.0
        assert found.bits.recall == truth.read[:, :6].sum() / truth.read.sum()
        none_left = ~truth.read[:, 6:].any(axis=1)
        assert found.tokens.recall == none_left.mean()
        assert found.tokens.precision == none_left.sum() / truth.read[:, :6].any(axis=1).sum()

    def test_more_components_than_bits_cost_precision_only(self):
        subject, truth = planted(1)
        junk = np.random.default_rng(0).random(truth.read.shape) < 0.3
        both, scores = np.hstack([junk, truth.read]), np.repeat([0.5, 0.7], 12)
        found = measured(Proposal(both, scores), subject, truth)
        assert found.score == found.failures == 1.0
        assert found.tokens == Rates(1.0, 1.0)
        assert found.units == Rates(0.5, 1.0)
        assert found.bits == Rates(truth.read.sum() / both.sum(), 1.0)
        # trusted less than the junk, the truth does not count
        assert score(Proposal(both, -scores), truth) < 0.5

    def test_orientation(self):
        subject, truth = planted(2)
        kinds = np.where(np.arange(12) < 3, COMPLEMENT, CLAMP)
        found = measured(masks(truth.read, orientation=kinds), subject, truth)
        assert found.orientation == 0.75
        silent = measured(masks(truth.read, orientation=0 * kinds), subject, truth)
        assert silent.orientation == 0.0

    def test_failures_need_the_masks(self):
        subject, truth = planted(4, n=60, d=12, m=3)
        other = telling_hashes(np.random.default_rng(99), 60, 12, 3)
        assert measured(masks(other), subject, truth).failures < 0.5

    @pytest.mark.parametrize("components", [0, 1])
    def test_a_proposal_of_nothing(self, components):
        subject, truth = planted(5)
        found = measured(masks(np.zeros((40, components), dtype=bool)), subject, truth)
        assert found.score == found.chance == found.failures == 0.0
        assert found.bits == found.units == found.tokens == Rates(0.0, 0.0)

    def test_other_tokens_are_refused(self):
        subject, truth = planted(5)
        with pytest.raises(DomainError, match="a row for each of 40 tokens; got 39"):
            measured(masks(truth.read[1:]), subject, truth)


class TestProposal:
    def test_scores_must_be_numbers(self):
        with pytest.raises(DomainError, match="scores must be numbers"):
            Proposal(np.zeros((4, 2), dtype=bool), np.array([1.0, math.nan]))

    def test_shapes_must_fit(self):
        """In a process of its own: here the annotations are checked first."""
        program = """
import numpy as np
from theory.domain import DomainError
from train.organism.proposal import Proposal
read, fitting = np.zeros((4, 2), dtype=bool), np.ones(2)
for more in ({"scores": np.ones(3)}, {"write": read.T}, {"orientation": np.ones(3, dtype=int)}):
    try:
        Proposal(**{"read": read, "scores": fitting} | more)
    except DomainError as error:
        print(error)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout.splitlines() == [
            "scores must have shape (2,); got (3,)",
            "write must have shape (4, 2); got (2, 4)",
            "orientation must have shape (2,); got (3,)",
        ]

    def test_the_best_by_score(self):
        read = np.eye(4, dtype=bool)
        ordered = Proposal(read, np.array([1.0, 3.0, 3.0, 2.0])).best(3)
        assert (ordered.read == read[:, [1, 2, 3]]).all()
        assert ordered.scores.tolist() == [3.0, 3.0, 2.0]

    def test_loadings_must_be_finite(self):
        with pytest.raises(DomainError, match="finite"):
            of_loadings(np.array([[1.0], [np.inf], [0.0]]))

    def test_constant_loadings_own_nothing(self):
        assert not of_loadings(np.ones((5, 2))).read.any()
        assert not of_loadings(np.zeros((5, 2))).read.any()

    def test_directions_of_the_residual_stream(self):
        subject, truth = planted(6)
        rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))[0]
        network = subject.network
        turned = replace(network, W_E=(network.W_E @ rotation).astype(np.float32))
        found = of_directions(-2.0 * rotation, replace(subject, network=turned))
        assert score(found, truth) == 1.0


class TestActivations:
    @pytest.mark.parametrize("site", Site)
    def test_they_are_the_networks(self, site):
        subject, _ = planted(7)
        seen = draw(subject, site, np.random.default_rng(0), 50)
        network = subject.network
        x = network.residual(seen.tokens, seen.alpha)
        wanted = {
            Site.RESID_PRE: x,
            Site.RELU: np.maximum(x @ network.W_in + network.b_in, 0.0),
            Site.RESID_POST: network.after_layer(x),
        }[site]
        assert seen.values == pytest.approx(wanted)
        assert (seen.alpha >= 1.0).all()
        assert (seen.alpha <= subject.c).all()

    @settings(max_examples=20)
    @given(seed=SEEDS)
    def test_effects_of_tokens_are_those_of_a_sum(self, seed):
        rng = np.random.default_rng(seed)
        n, tokens = 15, random_sets(rng, 4000, 15, 3)
        effects = rng.standard_normal((n, 2))
        found = token_effects(tokens, effects[tokens].sum(axis=1), n)
        # one number a column cannot be told, since every input has three tokens
        wanted = effects - effects.mean(axis=0)
        assert found - found.mean(axis=0) == pytest.approx(wanted, abs=0.02)

    def test_a_token_that_no_input_has_has_no_effect(self):
        tokens = random_sets(np.random.default_rng(0), 500, 10, 3)
        found = token_effects(tokens, np.random.default_rng(1).random((500, 1)), 12)
        assert found.shape == (12, 1)
        assert found[10:] == pytest.approx(0.0)


# the run-time type checker of the tests would refuse them first; a user has none
UNCHECKED = """
import numpy as np
from theory.domain import DomainError
from train.organism.proposal import Proposal

right = {"read": np.ones((4, 2), dtype=np.bool_), "scores": np.zeros(2)}
wrong = [
    {"read": np.ones((4, 2), dtype=np.int64)},
    {"read": np.full((4, 2), np.nan)},
    {"write": np.full((4, 2), -1.0)},
    {"scores": np.array(["a", "b"])},
    {"scores": np.array([0.0, np.nan])},
    {"read": np.ones(4, dtype=np.bool_)},
]
for changes in wrong:
    try:
        Proposal(**{**right, **changes})
    except DomainError as error:
        assert "must" in str(error)
    else:
        raise AssertionError(changes)
best = Proposal(np.eye(4, 2, dtype=np.bool_), np.array([0, 9], dtype=np.uint8)).best(1)
assert best.read[:, 0].tolist() == [False, True, False, False]
"""


def test_masks_that_are_none_are_refused_and_unsigned_scores_keep_their_order() -> None:
    """Numbers in place of masks would be scored as whatever their products are."""
    subprocess.run([sys.executable, "-c", UNCHECKED], check=True)
