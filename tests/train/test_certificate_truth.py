"""Every certified statement against the enumerated truth: trained, random, adversarial networks."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from simulate.enumeration import subsets
from simulate.network import ReluNetwork
from tests.train.certificate_truth import FORMATS, Truth, float_logits, midpoint_rule, truth
from tests.train.certified_networks import forms, in_pieces, train_them
from train.certificate.gates import gates
from train.certificate.proof import Proof, check, prove, weights_of
from train.reading.normal_form import NormalForm
from train.reading.weights import safetensors_bytes

# of a hundred networks each
PIECES = range(10)


@pytest.fixture(scope="module", autouse=True)
def _trained() -> None:
    train_them()


def proved(form: NormalForm, arithmetic: str = "real") -> Proof:
    """The proof; the checker accepts all of the certificate."""
    with np.errstate(all="ignore"):
        proof = prove(form, np.random.default_rng(0), arithmetic, precision=0.02)
        files = safetensors_bytes(weights_of(form.network), {}), json.dumps(proof.certificate)
        rejected = [x.sentence for x in check(proof, files[0], files[1].encode()) if not x.proved]
    assert rejected == []
    return proof


def is_true(statement: dict, form: NormalForm, exact: Truth) -> bool:
    """Whether one statement holds in exact arithmetic, by what was enumerated."""
    kind, sign = statement["kind"], 1
    if kind in ("hit", "missed"):
        extreme, sign = (exact.hit_high, 1) if kind == "hit" else (exact.missed_low, -1)
        units = [extreme[u] for u in statement["units"]]
        return all(y is None or sign * y <= 0 for y in units)
    if kind == "outranks":
        margin = exact.margin[min(statement["missing"], len(exact.margin) - 1)]
        return margin is None or Fraction(statement["margin"]) <= margin
    if kind == "margin_at_most":
        margin = exact.margin[statement["missing"]]
        return margin is not None and margin <= Fraction(statement["at_most"])
    if kind == "member_spread":
        return exact.member_spread <= Fraction(statement["at_most"])
    if kind == "covered_gap":
        return exact.covered_gap is None or exact.covered_gap <= Fraction(statement["at_most"])
    if kind == "gate_errs":
        high, low = exact.hit_high[statement["unit"]], exact.missed_low[statement["unit"]]
        return (high is not None and high > 0) or (low is not None and low < 0)
    every = subsets(form.n, form.k, 0, math.comb(form.n, form.k))
    if kind == "covered":
        union = form.owners[every].any(axis=1)
        covered = (~(form.owners & ~union[:, None]).any(axis=2)).sum(axis=1) - form.k
        return (int((covered > 0).sum()), int(covered.sum())) == (
            statement["inputs"],
            statement["covered_tokens"],
        )
    rule = np.array([midpoint_rule(form, row, 24 if form.k < 3 else 12) for row in every])
    found = rule[:, 0 if kind == "failure" else 1].mean()
    low, high = statement["between"]
    # the rule's own error
    room = 1e-6 if form.c == 1.0 else 0.15 if kind == "failure" else 0.01
    return low - room <= found <= high + room


def never_violated(form: NormalForm) -> None:
    """All statements that there are, once."""
    exact = truth(form)
    proof = proved(form)
    for statement in proof.certificate["statements"]:
        assert is_true(statement, form, exact), statement
    decided = gates(form)
    for side, extreme, holds in (
        (decided.hit, exact.hit_high, lambda y: y <= 0),
        (decided.missed, exact.missed_low, lambda y: y >= 0),
    ):
        for unit, y in enumerate(extreme):
            assert side.holds[unit] == (y is None or holds(y))
    for found in (proof.levels, *proof.weaker):
        for bound, margin in zip(found.margin, exact.margin, strict=True):
            assert margin is None or Fraction(float(bound)) <= margin
        assert Fraction(found.member_spread) >= exact.member_spread
        assert exact.covered_gap is None or Fraction(found.covered_gap) >= exact.covered_gap
    separate, plain = proof.weaker
    assert (separate.margin >= plain.margin - 1e-9).all()


@settings(max_examples=20)
@given(forms())
def test_bounds_hold(form) -> None:
    never_violated(form)


@pytest.mark.slow
@pytest.mark.parametrize("piece", PIECES)
def test_bounds_hold_for_a_thousand_more(piece) -> None:
    in_pieces(never_violated, piece, 100, forms())


def never_violated_in_floats(form: NormalForm, arithmetic: str) -> None:
    """Statements about float passes against actual ones, whose sums are taken in three orders."""
    rounded = FORMATS[arithmetic]
    weights = {name: rounded(x.astype(np.float32)) for name, x in weights_of(form.network).items()}
    single = NormalForm(ReluNetwork(**weights), form.k, form.c, form.owners, form.sign)
    proof = proved(single, arithmetic)
    rng = np.random.default_rng(0)
    every = subsets(form.n, form.k, 0, math.comb(form.n, form.k))
    tokens = np.repeat(every, 12, axis=0)
    alpha = rng.choice([1.0, form.c], tokens.shape)
    alpha[::3] = rng.uniform(1.0, form.c, alpha[::3].shape)
    alpha = rounded(alpha.astype(np.float32))
    # what the format rounds beyond c is no coefficient of an input
    alpha = np.where(alpha > form.c, np.float32(1.0), alpha)
    found = [float_logits(single.network, tokens, alpha, x, rounded) for x in range(3)]
    passes = np.stack(found).astype(float)
    own = np.take_along_axis(passes, np.broadcast_to(tokens, (3, *tokens.shape)), 2)
    union = form.owners[tokens].any(axis=1)
    missing = (form.owners & ~union[:, None]).sum(axis=2)
    np.put_along_axis(missing, tokens, -1, axis=1)
    lead = own.min(axis=2)[:, :, None] - passes
    behind = own.max(axis=2)[:, :, None] - passes
    top = passes.max(axis=2, keepdims=True)
    on_members = np.exp(own - top).sum(axis=2) / np.exp(passes - top).sum(axis=2)
    fails = on_members < (form.k / (form.k + 1) + 1) / 2
    for statement in proof.certificate["statements"]:
        if statement["kind"] == "outranks":
            far = np.broadcast_to(missing >= statement["missing"], lead.shape)
            assert (lead[far] >= statement["margin"]).all(), statement
        if statement["kind"] == "member_spread":
            assert np.ptp(own, axis=2).max() <= statement["at_most"]
        if statement["kind"] == "covered_gap":
            near = np.broadcast_to(missing == 0, lead.shape)
            assert (behind[near] <= statement["at_most"]).all()
        if statement["kind"] == "failure":
            low, high = statement["between"]
            assert low < 1.0 or fails.all()
            assert high > 0.0 or not fails.any()


@settings(max_examples=20)
@given(forms(), st.sampled_from(list(FORMATS)))
def test_float_bounds_hold_for_passes_in_three_orders(form, arithmetic) -> None:
    never_violated_in_floats(form, arithmetic)


@pytest.mark.slow
@pytest.mark.parametrize("arithmetic", list(FORMATS))
@pytest.mark.parametrize("piece", PIECES)
def test_float_bounds_hold_for_a_thousand_more(piece, arithmetic) -> None:
    in_pieces(never_violated_in_floats, piece, 100, forms(), st.just(arithmetic))
