"""Finishing: what it moves, what it leaves alone, and that the result is certified."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import softmax

pytest.importorskip("torch")

from simulate.constructions import clamp, complement, mixed
from simulate.enumeration import subsets
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_hashes
from tests.train.certified_networks import noisy
from theory.domain import DomainError
from train.certificate.finish import certifiable, finish, is_sharp
from train.certificate.gates import gates
from train.certificate.levels import levels
from train.reading.failure import fails
from train.reading.normal_form import NormalForm


def rotated(network: ReluNetwork, rng: np.random.Generator) -> ReluNetwork:
    """The same function in another basis of the residual stream."""
    turn = np.linalg.qr(rng.standard_normal((network.d, network.d)))[0]
    return ReluNetwork(
        W_E=(network.W_E @ turn).astype(np.float32),
        W_in=(turn.T @ network.W_in).astype(np.float32),
        b_in=network.b_in.astype(np.float32),
        W_out=(network.W_out @ turn).astype(np.float32),
        W_U=(turn.T @ network.W_U).astype(np.float32),
    )


def form_of(size: float = 0.04, seed: int = 0) -> NormalForm:
    rng = np.random.default_rng(seed)
    hashes = random_hashes(rng, 60, 20, 5)
    network = noisy(clamp(hashes, 3.0), rng, size)
    return NormalForm(rotated(network, rng), 2, 2.0, hashes, np.full(20, -1))


def at(form: NormalForm, strength: float, scale: float = 1.0) -> NormalForm:
    network = finish(form, strength, scale)
    return NormalForm(network, form.k, form.c, form.owners, form.sign)


def test_the_end_of_the_way_is_a_construction() -> None:
    """Two levels of reads, equal members, no direct path; scale multiplies the margins."""
    form = form_of()
    done = at(form, 1.0)
    assert done.network.dtype == np.float32
    assert (done.network.W_in == form.network.W_in).all()
    for unit in range(20):
        for owned in (True, False):
            values = done.read.mid[form.owners[:, unit] == owned, unit]
            assert np.ptp(values) < 1e-5
    assert np.abs(done.direct().mid).max() < 1e-4
    found = levels(done)
    assert found.member_spread < 1e-4
    assert gates(done).proved.all()
    twice = levels(at(form, 1.0, 2.0))
    np.testing.assert_allclose(twice.margin[1:], 2 * found.margin[1:], rtol=1e-3)


def test_margins_grow_along_the_way() -> None:
    form = form_of()
    assert levels(form).margin[1] < 0.0
    margins = [levels(at(form, strength)).margin[1] for strength in (0.0, 0.5, 0.75, 1.0)]
    assert (np.diff(margins) > 0).all()
    assert margins[-1] > 0.0


@pytest.mark.parametrize("goal", ["least", "sharp"])
def test_certifiable_reaches_its_goal(goal) -> None:
    form = form_of()
    found = certifiable(form, np.random.default_rng(1), goal, inputs=4000)
    assert found is not None
    assert gates(found.form).proved.all()
    assert levels(found.form).margin[1] > 0.0
    assert found.total_variation.value <= 1.1 * found.before.value
    if goal == "least":
        assert 0.0 < found.strength < 1.0
        earlier = at(form, found.strength - 1 / 32)
        assert not (gates(earlier).proved.all() and levels(earlier).margin[1] > 0.0)
    else:
        assert found.strength == 1.0


@pytest.mark.parametrize("build", [clamp, complement])
def test_a_steep_construction_fails_where_it_is_covered(build) -> None:
    """Sharp from some scale on; there the inputs that fail are the covered ones, by definition."""
    rng = np.random.default_rng(4)
    n, d, m, k = 30, 14, 4, 2
    hashes = random_hashes(rng, n, d, m)
    sign = np.full(d, -1 if build is clamp else 1)
    sharp = []
    for beta in (1.0, 2.0, 4.0, 8.0, 12.0):
        form = NormalForm(build(hashes, beta), k, 2.0, hashes, sign)
        sharp.append(is_sharp(levels(form), n, k))
    assert sharp == sorted(sharp)
    assert not sharp[0]
    assert sharp[-1]
    tokens = subsets(n, k, 0, math.comb(n, k))
    logits = form.network.logits(tokens, random_coefficients(rng, len(tokens), k, 2.0))
    mass = np.take_along_axis(softmax(logits, axis=1), tokens, axis=1).sum(axis=1)
    missing = hashes[None] & ~hashes[tokens].any(axis=1)[:, None]
    covered = np.count_nonzero(~missing.any(axis=2), axis=1) > k
    assert (fails(mass, k) == covered).all()


def test_complement_and_mixed_networks_are_finished_too() -> None:
    """A complement at width d, which is no exact construction there, keeps a small direct path."""
    rng = np.random.default_rng(2)
    hashes = random_hashes(rng, 60, 20, 5)
    tall = complement(hashes, 3.0)
    # the second half of the residual stream is all that the readout sees
    flat = ReluNetwork(
        tall.W_E[:, :20] * 1e-2, tall.W_in[:20] * 1e2, tall.b_in, tall.W_out[:, 20:], tall.W_U[20:]
    )
    form = NormalForm(noisy(flat, rng, 1e-3), 2, 2.0, hashes, np.ones(20, dtype=int))
    assert levels(at(form, 1.0)).margin[1] > 0.0
    # of the clamp's bits every token has as many
    hashes = np.hstack([random_hashes(rng, 60, 10, 2), random_hashes(rng, 60, 10, 3)])
    both = mixed(hashes, 10, 3.0)
    sign = np.where(np.arange(20) < 10, -1, 1)
    wide = NormalForm(noisy(both, rng, 1e-2), 2, 2.0, hashes, sign)
    done = levels(at(wide, 1.0))
    assert done.margin[1] > 0.0
    assert done.member_spread < 0.5


def test_bad_input() -> None:
    form = form_of()
    with pytest.raises(DomainError, match="strength must be a finite number in"):
        finish(form, 1.5)
    with pytest.raises(DomainError, match="scale must be"):
        finish(form, 1.0, 0.0)
    network = form.network
    more = ReluNetwork(
        network.W_E,
        np.hstack([network.W_in, network.W_in]),
        np.tile(network.b_in, 2),
        np.vstack([network.W_out, network.W_out]),
        network.W_U,
    )
    doubled = NormalForm(more, 2, 2.0, np.hstack([form.owners] * 2), np.full(40, -1))
    with pytest.raises(DomainError, match="W_in must have rank h = 40"):
        finish(doubled, 0.5)


def test_what_is_no_bloom_filter_is_not_certifiable() -> None:
    rng = np.random.default_rng(3)
    network = ReluNetwork(
        rng.standard_normal((30, 8)),
        rng.standard_normal((8, 8)),
        rng.standard_normal(8),
        rng.standard_normal((8, 8)),
        rng.standard_normal((8, 30)),
    )
    form = NormalForm(network, 2, 2.0, rng.random((30, 8)) < 0.5, np.full(8, -1))
    assert certifiable(form, rng, inputs=500) is None
