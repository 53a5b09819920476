"""The checker stands alone, accepts what is true, refuses what is false, and says what is bad."""

from __future__ import annotations

import ast
import base64
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from simulate.constructions import clamp, complement
from simulate.enumeration import subsets
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from tests.train.certified_networks import noisy
from train.certificate import checker
from train.certificate.checker.__main__ import main
from train.certificate.proof import Proof, prove, weights_of
from train.reading.normal_form import NormalForm
from train.reading.weights import safetensors_bytes

CHECKER = Path(checker.__file__).parent


def form_of(size: float, beta: float = 12.0, build=clamp, dtype=np.float32) -> NormalForm:
    rng = np.random.default_rng(0)
    hashes = random_hashes(rng, 24, 10, 3)
    network = build(hashes, beta, dtype=dtype)
    if size:
        network = noisy(network, rng, size)
    return NormalForm(network, 2, 2.0, hashes, np.full(10, -1 if build is clamp else 1))


def certified(form: NormalForm, **options: Any) -> Proof:
    with np.errstate(all="ignore"):
        return prove(form, np.random.default_rng(0), **options)


def files_of(proof: Proof) -> tuple[bytes, dict[str, Any]]:
    weights = safetensors_bytes(weights_of(proof.form.network), {})
    return weights, json.loads(json.dumps(proof.certificate, allow_nan=False))


def refused(weights: bytes, cert: dict[str, Any]) -> list[str]:
    """Sentences that the checker does not prove. Raises BadInput for what it does not read."""
    tensors = checker.read_weights(weights)
    read = checker.read_certificate(json.dumps(cert), tensors)
    with np.errstate(all="ignore"):
        return [x[1] for x in checker.Checker(tensors, read).verdicts() if not x[2]]


def named(weights: bytes, cert: dict[str, Any]) -> dict[str, Any]:
    """The certificate with a fingerprint that fits these weights."""
    tensors = checker.read_weights(weights)
    name = checker.fingerprint(tensors, cert["k"], cert["c"], cert["arithmetic"])
    return {**cert, "weights": name}


@pytest.fixture(scope="module")
def structural() -> tuple[bytes, dict[str, Any]]:
    return files_of(certified(form_of(0.0)))


@pytest.fixture(scope="module")
def enumerated() -> tuple[bytes, dict[str, Any]]:
    return files_of(certified(form_of(0.05, 3.0), precision=0.02))


def of_kind(cert: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [x for x in cert["statements"] if x["kind"] == kind]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_it_imports_nothing_of_this_project_and_rests_on_no_assert() -> None:
    imported, own = set(), {path.stem for path in CHECKER.glob("*.py")}
    assert len(own) > 3
    for node in (node for path in CHECKER.glob("*.py") for node in ast.walk(parsed(path))):
        assert not isinstance(node, ast.Assert)
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            # from the folder itself
            assert node.level == 1
            assert node.module is None or node.module in own
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


def test_accepts_the_truth(structural, enumerated) -> None:
    for weights, cert in (structural, enumerated):
        assert refused(weights, cert) == []
    kinds = {x["kind"] for _, cert in (structural, enumerated) for x in cert["statements"]}
    assert kinds == set(checker.KINDS)
    ways = {
        x["by"] for _, cert in (structural, enumerated) for x in cert["statements"] if "by" in x
    }
    assert ways == {checker.STRUCTURE, checker.PREFIXES, checker.ENUMERATION}


@pytest.mark.parametrize("build", [clamp, complement])
@pytest.mark.parametrize("beta", [12.0, 0.1, 3.3, 10.34174923])
def test_the_constructions_get_everything_without_slack(build, beta) -> None:
    """Dyadic beta or not: gates by their own exactness, margins of exactly beta a missing bit."""
    weights, cert = files_of(certified(form_of(0.0, beta, build, np.float64), precision=1.0))
    assert of_kind(cert, "hit")[0]["units"] == of_kind(cert, "missed")[0]["units"] == [*range(10)]
    margins = [x["margin"] for x in of_kind(cert, "outranks") if x["by"] == "structure"]
    for s, margin in enumerate(margins, start=1):
        assert margin <= s * beta <= np.nextafter(margin, np.inf)
    for kind in ("member_spread", "covered_gap"):
        assert of_kind(cert, kind)[0]["at_most"] == 0.0
    assert refused(weights, cert) == []
    more = copy.deepcopy(cert)
    first = of_kind(more, "outranks")[0]
    first["margin"] = float(np.nextafter(np.nextafter(first["margin"], np.inf), np.inf))
    assert len(refused(weights, more)) == 1


def overclaims(cert: dict[str, Any]) -> list[dict[str, Any]]:
    """Every statement made to say a little more than was proved."""
    found = []
    for i, statement in enumerate(cert["statements"]):
        changes: list[dict[str, Any]] = []
        if statement["kind"] == "outranks":
            changes.append({"margin": statement["margin"] + 0.01})
        if statement["kind"] in ("member_spread", "covered_gap", "margin_at_most"):
            changes.append({"at_most": statement["at_most"] - 0.01})
        if statement["kind"] == "covered":
            changes += [{"inputs": statement["inputs"] + 1}, {"covered_tokens": 0}]
        if "between" in statement:
            low, high = statement["between"]
            changes.append({"between": [(low + high) / 2.0 + 1e-5, 1.0]})
            changes.append({"between": [0.0, (low + high) / 2.0 - 1e-5]})
        if statement["kind"] == "margin_at_most":
            changes.append({"other": statement["member"]})
        for change in changes:
            new = copy.deepcopy(cert)
            new["statements"][i] |= change
            found.append(new)
    return found


def test_refuses_every_claim_of_more(structural, enumerated) -> None:
    for weights, cert in (structural, enumerated):
        attempts = overclaims(cert)
        assert len(attempts) > 8
        for new in attempts:
            assert refused(weights, new) != []


def test_refuses_other_masks_and_another_task(enumerated) -> None:
    weights, cert = enumerated
    owners = bytearray(base64.b64decode(cert["owners"]))
    owners[3] ^= 16
    other = {**cert, "owners": base64.b64encode(bytes(owners)).decode()}
    assert refused(weights, other) != []
    assert refused(weights, {**cert, "sign": [-x for x in cert["sign"]]}) != []
    # k and c are bound to the weights
    assert refused(weights, {**cert, "c": 3.0})[0].startswith("the certificate is of these weights")
    assert refused(weights, {**cert, "arithmetic": "float32"}) != []


def columns(weights: bytes, name: str, more: np.ndarray) -> bytes:
    tensors = {key: x.copy() for key, x in checker.read_weights(weights).items()}
    tensors[name] = more.astype(np.float32)
    return safetensors_bytes(tensors, {})


Change = Callable[[bytes, dict[str, Any]], tuple[bytes, dict[str, Any]]]
WIDER: dict[str, Change] = {
    "an output more": lambda w, c: (columns(w, "W_U", np.ones((10, 25))), c),
    "b_U of another shape": lambda w, c: (columns(w, "b_U", np.ones((1, 24))), c),
    "b_out of another length": lambda w, c: (columns(w, "b_out", np.ones(11)), c),
    "complex tensors": lambda w, c: (w.replace(b'"F32"', b'"C64"'), c),
    "integer tensors": lambda w, c: (w.replace(b'"F32"', b'"I32"'), c),
    "a tensor nobody knows": lambda w, c: (w.replace(b'"W_in"', b'"W_im"'), c),
    "weights cut short": lambda w, c: (w[:-1], c),
    "no weights at all": lambda w, c: (b"", c),
    "a signalling NaN": lambda w, c: (w[:-4] + bytes([1, 0, 0xA0, 0x7F]), c),
    "infinite weights": lambda w, c: (columns(w, "b_in", np.full(10, np.inf)), c),
    "owners too short": lambda w, c: (w, {**c, "owners": base64.b64encode(b"abc").decode()}),
    "owners no base64": lambda w, c: (w, {**c, "owners": "%%%"}),
    "a key nobody knows": lambda w, c: (w, {**c, "extra": 1}),
    "a key less": lambda w, c: (w, {k: v for k, v in c.items() if k != "q"}),
    "another n": lambda w, c: (w, {**c, "n": 25}),
    "k is true": lambda w, c: (w, {**c, "k": True}),
    "k is text": lambda w, c: (w, {**c, "k": "2"}),
    "k above n": lambda w, c: (w, {**c, "k": 10**30}),
    "c below 1": lambda w, c: (w, {**c, "c": 0.5}),
    "no statements": lambda w, c: (w, {**c, "statements": None}),
    "an unknown kind": lambda w, c: (w, {**c, "statements": [{"kind": "all is well"}]}),
    "false as text": lambda w, c: (w, {**c, "statements": [{"kind": "hit", "units": "False"}]}),
    "a negative unit": lambda w, c: (w, {**c, "statements": [{"kind": "hit", "units": [-1]}]}),
}
INPUTS = {
    "a negative token": {"tokens": [0, -1]},
    "a token twice": {"tokens": [3, 3]},
    "a token beyond": {"tokens": [0, 24]},
    "too few tokens": {"tokens": [3]},
    "alpha above c": {"alpha": [1.0, 2.5]},
    "alpha is none": {"alpha": [1.0, None]},
    "a negative other": {"other": -1},
    "a bound that is none": {"at_most": "0"},
}


@pytest.mark.parametrize("what", [*WIDER, *INPUTS])
def test_bad_files_are_one_line_and_2(what, enumerated, tmp_path, capsys) -> None:
    weights, cert = enumerated
    if what in WIDER:
        weights, cert = WIDER[what](weights, cert)
    else:
        cert = copy.deepcopy(cert)
        of_kind(cert, "margin_at_most")[0].update(INPUTS[what])
    paths = tmp_path / "w", tmp_path / "c"
    paths[0].write_bytes(weights)
    paths[1].write_text(json.dumps(cert))
    assert main([str(path) for path in paths]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "1", '{"n": 1, "n": 2}', "[" * 100_000, "NaN", '"\ud800"']
)
def test_what_is_no_certificate(text, enumerated, tmp_path, capsys) -> None:
    paths = tmp_path / "w", tmp_path / "c"
    paths[0].write_bytes(enumerated[0])
    paths[1].write_bytes(text.encode(errors="surrogatepass"))
    assert main([str(path) for path in paths]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([str(paths[0]), str(tmp_path / "none")]) == 2
    assert main(["--jobs", "x"]) == 2


def test_a_certificate_without_ranking_says_so(structural, tmp_path, capsys) -> None:
    weights, cert = structural
    paths = tmp_path / "w", tmp_path / "c"
    paths[0].write_bytes(weights)
    others = [x for x in cert["statements"] if x["kind"] != "outranks"]
    zero = [{"kind": "outranks", "missing": 1, "by": "structure", "margin": 0.0}]
    for statements in ([], others, zero):
        paths[1].write_text(json.dumps({**cert, "statements": statements}))
        assert main([str(path) for path in paths]) == 1
        said = capsys.readouterr().out
        assert "REJECTED" not in said
        assert "it proves nothing about ranking" in said


@pytest.mark.parametrize("owned", ["nothing", "everything", "one unit by all but one"])
@pytest.mark.parametrize("by", ["structure", "prefixes"])
def test_what_no_token_can_miss_ranks_nobody(owned, by, structural, tmp_path, capsys) -> None:
    """True of any network, as it speaks of no input."""
    weights, cert = structural
    own = np.zeros((24, 10), bool)
    if owned == "everything":
        own[:] = True
    elif owned != "nothing":
        own[1:, 0] = True
    owners = base64.b64encode(np.packbits(own).tobytes()).decode()
    paths = tmp_path / "w", tmp_path / "c"
    paths[0].write_bytes(weights)
    claim = {"kind": "outranks", "missing": 1, "by": by, "margin": 100.0}
    paths[1].write_text(json.dumps({**cert, "owners": owners, "statements": [claim]}))
    assert main([str(path) for path in paths]) == 1
    said = capsys.readouterr().out
    assert "REJECTED every member outranks" in said
    assert "it proves nothing about ranking" in said


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_every_float_format_is_read(dtype) -> None:
    """Hashes and whole numbers are the same in all of them."""
    weights = {name: x.astype(np.float64) for name, x in weights_of(form_of(0.0).network).items()}
    stored, header, at = b"", {}, 0
    for name, x in weights.items():
        narrow = x.astype(checker.DTYPES[dtype]) if dtype != "BF16" else None
        raw = (x.astype("<f4").view("<u4") >> 16).astype("<u2") if narrow is None else narrow
        stored += raw.tobytes()
        spans = [at, len(stored)]
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": spans}
        at = len(stored)
    text = json.dumps(header).encode()
    found = checker.read_weights(len(text).to_bytes(8, "little") + text + stored)
    assert all((found[name] == weights[name]).all() for name in weights)


def test_what_float32_cannot_tell_apart_is_refused_there() -> None:
    """A common weight, or a common offset, that real arithmetic does not see."""
    exact = form_of(0.0, 8.0)
    shifted = ReluNetwork(
        *(getattr(exact.network, name) for name in checker.SHAPES),
        b_U=np.full(24, 2.0**27, np.float32),
    )
    shifted_form = NormalForm(shifted, 2, 2.0, exact.owners, exact.sign)
    large = exact.network.W_U + np.float32(2.0**20)
    common = ReluNetwork(
        *(getattr(exact.network, name) for name in ("W_E", "W_in", "b_in", "W_out")), W_U=large
    )
    common_form = NormalForm(common, 2, 2.0, exact.owners, exact.sign)
    for form in (shifted_form, common_form):
        real = certified(form, precision=1.0)
        ranking = [x for x in real.certificate["statements"] if x["kind"] == "outranks"]
        assert max(x["margin"] for x in ranking) > 0.0
        single = certified(form, arithmetic="float32", precision=1.0)
        positive = [
            x
            for x in single.certificate["statements"]
            if x["kind"] == "outranks" and x["margin"] > 0.0
        ]
        assert positive == []
        (failure,) = of_kind(single.certificate, "failure")
        assert failure["between"] == [0.0, 1.0]


def test_what_overflows_proves_nothing() -> None:
    form = form_of(0.0)
    weights = {name: x.astype(np.float64) for name, x in weights_of(form.network).items()}
    weights["W_E"] = weights["W_E"] * 2.0**149
    weights["W_U"] = weights["W_U"] * 2.0**140
    content = safetensors_bytes(weights, {})
    _, cert = files_of(certified(form))
    new = named(content, {**cert, "arithmetic": "float32"})
    assert refused(content, new) != []
    weights["W_E"][0, 0] = 2.0**151
    with pytest.raises(checker.BadInput, match="below 2\\^150"):
        checker.read_weights(safetensors_bytes(weights, {}))


def test_numbers_that_float64_does_not_hold_are_bad_input(structural) -> None:
    """A margin of 2^60 + 1 would be read as 2^60."""
    weights, cert = structural
    for margin in (2**60 + 1, 2**149 + 1):
        more = {"kind": "outranks", "missing": 1, "by": "structure", "margin": margin}
        with pytest.raises(checker.BadInput, match="margin is of a wrong type, length or range"):
            refused(weights, {**cert, "statements": [more]})
    assert refused(weights, {**cert, "statements": [{**more, "margin": 2**60}]}) != []


def test_what_is_tiny_is_not_nothing() -> None:
    """Without a covered input, and with logits far apart, single precision sees no mass off."""
    hashes = np.eye(6, dtype=bool)
    form = NormalForm(clamp(hashes, 200.0, dtype=np.float32), 2, 2.0, hashes, np.full(6, -1))
    weights, cert = files_of(certified(form, precision=1.0))
    assert refused(weights, cert) == []
    for by in ("structure", "enumeration"):
        none = {"kind": "total_variation", "by": by, "between": [0.0, 0.0]}
        assert refused(weights, {**cert, "statements": [none]}) != []


@pytest.mark.parametrize("c", [1.0, 1.0 + 2.0**-52, 1.0 + 2.0**-45, 1.0 + 2.0**-10])
def test_boxes_too_narrow_to_halve_are_not_counted_as_halves(c) -> None:
    """Alpha is all but 1, so that the truth is that at 1, of every input."""
    before = form_of(0.3, 3.0, dtype=np.float64)
    form = NormalForm(before.network, 2, c, before.owners, before.sign)
    _, cert = files_of(certified(form, precision=0.001))
    every = subsets(24, 2, 0, 276)
    logits = form.network.logits(every, np.ones(every.shape))
    output = np.exp(logits - logits.max(axis=1, keepdims=True))
    on_members = np.take_along_axis(output, every, 1).sum(axis=1) / output.sum(axis=1)
    fails = (on_members < (2 / 3 + 1) / 2).mean()
    (failure,) = of_kind(cert, "failure")
    assert failure["between"][0] <= fails <= failure["between"][1]
    assert failure["between"][1] - failure["between"][0] < 0.03


@pytest.mark.parametrize("name", ["q", "g", "typical"])
@pytest.mark.parametrize("value", [1e6, 1e13, 1e44])
def test_a_far_reference_proves_less_and_breaks_nothing(name, value, enumerated) -> None:
    weights, cert = enumerated
    far = {name: [value, *cert[name][1:]], "precision": 1.0}
    assert refused(weights, {**cert, **far, "statements": of_kind(cert, "failure")}) != []


def test_as_a_script_without_torch(structural, tmp_path) -> None:
    """From a bare folder, with neither torch nor this project on the path."""
    weights, cert = structural
    (tmp_path / "w").write_bytes(weights)
    (tmp_path / "c").write_text(json.dumps(cert))
    shutil.copytree(CHECKER, tmp_path / "checker")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        options = "-E", "-s", "-O", "-X", "importtime"
        command = [sys.executable, *options, "-m", "checker", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    good = run("w", "c")
    assert good.returncode == 0
    assert "REJECTED" not in good.stdout
    assert "torch" not in good.stderr
    (tmp_path / "w").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    bad = run("w", "c")
    assert bad.returncode == 1
    assert "REJECTED the certificate is of these weights" in bad.stdout
    assert run("--help").returncode == 0
