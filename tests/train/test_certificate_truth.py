"""Every certified bound against the enumerated truth: trained, random, adversarial networks."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from simulate.enumeration import subsets
from tests.train.certificate_truth import midpoint_rule, truth
from tests.train.certified_networks import forms, train_them
from train.certificate import checker
from train.certificate.boxes import Boxes
from train.certificate.gates import gates
from train.certificate.proof import certificate, prove, weights_of
from train.certificate.search import TOLERANCE
from train.reading.normal_form import NormalForm


@pytest.fixture(scope="module", autouse=True)
def _trained() -> None:
    train_them()


def never_violated(form: NormalForm) -> None:
    """All bounds that there are, once."""
    exact = truth(form)
    proof = prove(form, np.random.default_rng(0), splits=6)

    decided = gates(form)
    for statement, extreme, holds in (
        (decided.hit, exact.hit_high, lambda y: y <= 0),
        (decided.missed, exact.missed_low, lambda y: y >= 0),
    ):
        for unit, y in enumerate(extreme):
            if y is None:
                assert np.isinf(statement.bound[unit])
                assert statement.holds[unit]
            else:
                assert statement.holds[unit] == holds(y)
                size = max(1.0, np.abs(form.read.mid[:, unit]).max(), abs(form.bias.mid[unit]))
                assert float(abs(Fraction(float(statement.bound[unit])) - y)) < 1e-5 * size

    for found in (proof.levels, proof.separate, proof.plain):
        for bound, margin in zip(found.margin, exact.margin, strict=True):
            assert margin is None or Fraction(float(bound)) <= margin
        assert Fraction(found.member_spread) >= exact.member_spread
        assert exact.covered_gap is None or Fraction(found.covered_gap) >= exact.covered_gap
    assert (proof.separate.margin >= proof.plain.margin - 1e-9).all()

    searched = proof.searched
    for s in range(1, searched.levels + 1):
        margin = exact.margin[s]
        if margin is None:
            assert searched.margin_low[s] == np.inf
            continue
        assert Fraction(float(searched.margin_low[s])) <= margin
        assert margin <= Fraction(searched.witnesses[s].margin)
        room = TOLERANCE + 32 * Boxes(form).pair_error + 1e-6
        assert searched.margin_low[s] >= float(margin) - room

    failure, variation = zip(*(midpoint_rule(form, row, 12) for row in _inputs(form)), strict=True)
    for low, high in (searched.failure, proof.consequences.failure):
        # the rule errs by no more than the boxes that its points stand for
        room = 0.0 if form.c == 1.0 else 0.35
        assert low - room - 1e-9 <= np.mean(failure) <= high + room + 1e-9
    for low, high in (searched.total_variation, proof.consequences.total_variation):
        assert low - 0.02 <= np.mean(variation) <= high + 0.02

    cert = json.loads(json.dumps(certificate(proof), allow_nan=False))
    rejected = [claim for claim, ok in checker.check(weights_of(form.network), cert) if not ok]
    assert rejected == []


def _inputs(form: NormalForm) -> np.ndarray:
    return subsets(form.n, form.k, 0, math.comb(form.n, form.k))


@settings(max_examples=100)
@given(forms())
def test_bounds_hold(form) -> None:
    never_violated(form)


@pytest.mark.slow
@settings(max_examples=1000)
@given(forms())
def test_bounds_hold_for_a_thousand_more(form) -> None:
    never_violated(form)
