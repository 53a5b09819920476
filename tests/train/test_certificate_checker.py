"""The checker stands alone, accepts what is true and rejects what was tampered with."""

from __future__ import annotations

import ast
import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.numpy import save_file

from simulate.constructions import clamp, complement
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from tests.train.certified_networks import noisy
from theory.domain import DomainError
from train.certificate import checker
from train.certificate.proof import certificate, prove, weights_of
from train.reading.normal_form import NormalForm

CHECKER = Path(checker.__file__)


def certified(form: NormalForm) -> dict[str, Any]:
    found = certificate(prove(form, np.random.default_rng(0)))
    return json.loads(json.dumps(found, allow_nan=False))


def form_of(size: float, beta: float = 12.0, build=clamp) -> NormalForm:
    rng = np.random.default_rng(0)
    hashes = random_hashes(rng, 24, 10, 3)
    network = build(hashes, beta, dtype=np.float32)
    if size:
        network = noisy(network, rng, size)
        network = ReluNetwork(network.W_E * 2, *(getattr(network, name) for name in REST))
    return NormalForm(network, 2, 2.0, hashes, np.full(10, -1 if build is clamp else 1))


REST = ("W_in", "b_in", "W_out", "W_U")


@pytest.fixture(scope="module")
def structural() -> tuple[NormalForm, dict[str, Any]]:
    form = form_of(1e-4)
    cert = certified(form)
    assert cert["claims"]["structure"]["sharp"]
    return form, cert


@pytest.fixture(scope="module")
def enumerated() -> tuple[NormalForm, dict[str, Any]]:
    form = form_of(0.12, 3.0)
    cert = certified(form)
    assert cert["claims"]["structure"] is None
    assert cert["claims"]["enumeration"]["margin"] is not None
    assert cert["claims"]["gate_counterexamples"]
    return form, cert


def rejected(form: NormalForm, cert: dict[str, Any]) -> list[str]:
    """What is rejected; an assertion or an error of the checker rejects too."""
    try:
        return [
            claim for claim, ok in checker.check(weights_of(form.network), cert) if ok is not True
        ]
    except (AssertionError, ValueError, KeyError, IndexError, TypeError) as error:
        return [repr(error)]


def test_it_is_short_and_imports_nothing_of_this_project() -> None:
    source = CHECKER.read_text()
    assert len(source.splitlines()) < 200
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy", "safetensors"}


def test_accepts_the_truth(structural, enumerated) -> None:
    for form, cert in (structural, enumerated):
        assert rejected(form, cert) == []


@pytest.mark.parametrize("build", [clamp, complement])
def test_claims_of_the_constructions_have_no_slack(build) -> None:
    form = form_of(0.0, build=build)
    cert = certified(form)
    assert cert["claims"]["structure"]["margins"] == [12.0, 24.0, 36.0]
    assert cert["claims"]["structure"]["member_spread"] == 0.0
    assert rejected(form, cert) == []
    cert["claims"]["structure"]["margins"][0] = float(np.nextafter(12.0, 13.0))
    assert rejected(form, cert) == ["gates, margins"]


def test_rejects_any_changed_weight(structural) -> None:
    form, cert = structural
    rng = np.random.default_rng(1)
    for name in ("W_E", *REST):
        weights = {key: tensor.copy() for key, tensor in weights_of(form.network).items()}
        at = tuple(rng.integers(size) for size in weights[name].shape)
        weights[name][at] = np.nextafter(weights[name][at], np.float32(np.inf))
        first = next(iter(checker.check(weights, cert)))
        assert first == ("these are the weights", False)


def edits(cert: dict[str, Any]):
    """Every way to claim a little more than was proved."""
    claims = cert["claims"]

    def changed(edit) -> dict[str, Any]:
        new = copy.deepcopy(cert)
        edit(new)
        return new

    if claims["structure"]:
        for s in range(len(claims["structure"]["margins"])):
            yield changed(
                lambda new, s=s: new["claims"]["structure"]["margins"].__setitem__(
                    s, claims["structure"]["margins"][s] + 0.01
                )
            )
        for name in ("member_spread", "covered_gap"):
            yield changed(
                lambda new, name=name: new["claims"]["structure"].__setitem__(
                    name, claims["structure"][name] - 0.01
                )
            )
    if claims["enumeration"] and claims["enumeration"]["margin"] is not None:
        yield changed(
            lambda new: new["claims"]["enumeration"].__setitem__(
                "margin", claims["enumeration"]["margin"] + 0.01
            )
        )
    if claims["enumeration"]:
        yield changed(lambda new: new["claims"]["enumeration"].__setitem__("covered", 1))
    for unit, (hit, missed) in enumerate(zip(claims["hit"], claims["missed"], strict=True)):
        for name, holds in (("hit", hit), ("missed", missed)):
            if not holds:
                yield changed(
                    lambda new, name=name, unit=unit: new["claims"][name].__setitem__(unit, True)
                )
    for i, (_, _, _, member, _, most) in enumerate(claims["counterexamples"]):
        yield changed(
            lambda new, i=i, most=most: new["claims"]["counterexamples"][i].__setitem__(
                5, most - 1e-6
            )
        )
        yield changed(
            lambda new, i=i, member=member: new["claims"]["counterexamples"][i].__setitem__(
                4, member
            )
        )
        yield changed(lambda new, i=i: new["claims"]["counterexamples"][i][2].__setitem__(0, 2.5))
        yield changed(lambda new, i=i: new["claims"]["counterexamples"][i].__setitem__(0, 99))
    for i, (_, tokens, _) in enumerate(claims["gate_counterexamples"]):
        yield changed(
            lambda new, i=i, tokens=tokens: new["claims"]["gate_counterexamples"][i].__setitem__(
                1, [tokens[0]] * len(tokens)
            )
        )


def test_rejects_every_claim_of_more(structural, enumerated) -> None:
    for form, cert in (structural, enumerated):
        attempts = list(edits(cert))
        assert len(attempts) > 8
        for new in attempts:
            assert rejected(form, new) != []


def test_rejects_other_masks(structural) -> None:
    """A certificate with a bit of its masks flipped claims something else, and false."""
    form, cert = structural
    owners = np.frombuffer(base64.b64decode(cert["owners"]), np.uint8).copy()
    for byte in range(0, len(owners), 7):
        flipped = owners.copy()
        flipped[byte] ^= 16
        new = {**cert, "owners": base64.b64encode(flipped.tobytes()).decode()}
        assert rejected(form, new) != []
    assert rejected(form, {**cert, "sign": [1] * 10}) != []
    assert rejected(form, {**cert, "c": 3.0}) != []
    assert rejected(form, {**cert, "k": 9}) != []


def test_rejects_inputs_that_are_none(structural, enumerated) -> None:
    """A token twice, under one name or two, would have a coefficient beyond c."""
    form, cert = enumerated
    unit, tokens, alpha = cert["claims"]["gate_counterexamples"][0]
    twice = [tokens[0], tokens[0] - form.n]
    for wrong in ([unit, twice, alpha], [unit, [*tokens, tokens[0]], [*alpha, 1.0]]):
        new = copy.deepcopy(cert)
        new["claims"]["gate_counterexamples"] = [wrong]
        assert rejected(form, new) != []
    # flags, not places
    form, cert = structural
    for flags in ([True], [True] * (form.h + 1)):
        assert rejected(form, {**cert, "claims": {**cert["claims"], "hit": flags}}) != []


def test_what_overflows_is_refused(structural) -> None:
    """In a sorted sum infinity less infinity is no number, and would be passed over."""
    form, cert = structural
    weights = {name: x.astype(np.float64) for name, x in weights_of(form.network).items()}
    for name, size in (("W_E", 1e160), ("W_E", 1e300), ("W_U", 1e308)):
        large = {key: tensor.copy() for key, tensor in weights.items()}
        large[name][0, 0] = size
        large["W_in"][0, 0] = max(large["W_in"][0, 0], size)
        with pytest.raises(DomainError, match="below 2\\^150"):
            NormalForm(ReluNetwork(**large), form.k, form.c, form.owners, form.sign)
        with np.errstate(all="ignore"):
            new = {**cert, "weights": checker.fingerprint(large)}
            assert [x for x in checker.check(large, new) if not x[1]]


def test_as_a_script_without_torch(structural, tmp_path) -> None:
    """From a bare file, with neither torch nor this project on the path."""
    form, cert = structural
    weights, file = tmp_path / "weights.safetensors", tmp_path / "certificate.json"
    arrays = {name: np.ascontiguousarray(x) for name, x in weights_of(form.network).items()}
    save_file(arrays, weights)
    file.write_text(json.dumps(cert))
    alone = tmp_path / "alone.py"
    alone.write_text(CHECKER.read_text())

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-X", "importtime", str(alone), str(weights), str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    good = run()
    assert good.returncode == 0
    assert "REJECTED" not in good.stdout
    assert "torch" not in good.stderr
    arrays["b_in"] = arrays["b_in"] * np.float32(0.999)
    save_file(arrays, weights)
    bad = run()
    assert bad.returncode == 1
    assert "REJECTED these are the weights" in bad.stdout
