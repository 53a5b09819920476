"""Whatever is changed in a certificate or its weights: what the checker then accepts is true.

Each mutation is of one kind of fault: a field or tensor dropped, repeated, swapped, moved by one
float, of another type, length or shape. The outcome is bad input, a refusal, or statements that are
each shown true by enumerating all inputs and all vertices of their alpha in rational arithmetic.
"""

from __future__ import annotations

import copy
import json
import math
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from simulate.constructions import clamp
from simulate.network import ReluNetwork
from tests.train.certificate_truth import truth
from tests.train.certified_networks import in_pieces, noisy
from tests.train.test_certificate_truth import is_true
from train.certificate import checker
from train.certificate.proof import prove, weights_of
from train.reading.normal_form import NormalForm
from train.reading.weights import safetensors_bytes

HASHES = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=bool)
VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        "",
        "1",
        "real",
        -1,
        0,
        1,
        2,
        5,
        10**400,
        0.5,
        -0.0,
        1e308,
        2.0**151,
        [],
        {},
    ]
) | st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture(autouse=True)
def _made_before_anything_is_drawn() -> None:
    """Proofs make temporary files, whose names are random; strategies must not."""
    cases()


@cache
def cases() -> tuple[tuple[bytes, str], ...]:
    """Files of networks whose certificates state everything there is to state."""
    rng = np.random.default_rng(0)
    exact = clamp(HASHES, 3.3)
    near = noisy(clamp(HASHES, 2.0, dtype=np.float32), rng, 0.1)
    biased = ReluNetwork(
        *(getattr(near, name) for name in checker.SHAPES),
        b_out=rng.standard_normal(3).astype(np.float32),
        b_U=(0.1 * rng.standard_normal(5)).astype(np.float32),
    )
    found = []
    for network, arithmetic in (
        (exact, "real"),
        (near, "real"),
        (biased, "real"),
        (near, "float32"),
    ):
        form = NormalForm(network, 2, 2.0, HASHES, np.full(3, -1))
        proof = prove(form, np.random.default_rng(1), arithmetic, precision=0.05)
        weights = safetensors_bytes(weights_of(network), {"k": 2})
        found.append((weights, json.dumps(proof.certificate)))
    return tuple(found)


def outcome(weights: bytes, certificate: bytes) -> tuple[bool, list[dict[str, Any]], Any]:
    """Whether all was proved, what, and of which network; raises only what `main` catches."""
    tensors = checker.read_weights(weights)
    cert = checker.read_certificate(certificate, tensors)
    verdicts = list(checker.Checker(tensors, cert).verdicts())
    network = ReluNetwork(**{name: x.astype(np.float64) for name, x in tensors.items()})
    sign = np.array(cert["sign"])
    form = NormalForm(network, cert["k"], float(cert["c"]), cert["own"], sign)
    return all(x[2] for x in verdicts), [x[0] for x in verdicts if x[0] and x[2]], form


TRUTHS: dict[Any, Any] = {}


def survives(weights: bytes, certificate: bytes) -> bool:
    """Whether any statement was accepted; each that was is true, or this fails."""
    try:
        _, accepted, form = outcome(weights, certificate)
    except checker.BadInput:
        return False
    tensors = b"".join(np.ascontiguousarray(x).tobytes() for x in weights_of(form.network).values())
    key = tensors, form.k, form.c, form.owners.tobytes(), form.sign.tobytes()
    if accepted and key not in TRUTHS:
        TRUTHS[key] = truth(form)
    for statement in accepted:
        assert is_true(statement, form, TRUTHS[key]), statement
    return bool(accepted)


def places(tree: Any, at: tuple = ()) -> list[tuple]:
    """Paths to everything in a JSON document."""
    inside = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [at, *(path for key, value in inside for path in places(value, (*at, key)))]


def holder(tree: Any, path: tuple) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def mutate(draw: st.DrawFn, tree: Any) -> Any:
    """One place of a JSON document changed in one way."""
    path = draw(st.sampled_from(places(tree)[1:]))
    inside, key = holder(tree, path), path[-1]
    value = inside[key]
    how = draw(st.sampled_from(["value", "float", "drop", "repeat", "swap", "near", "text"]))
    if how == "value":
        inside[key] = draw(VALUES)
    elif how == "drop":
        del inside[key]
    elif how == "repeat" and isinstance(inside, list):
        inside.insert(key, copy.deepcopy(value))
    elif how == "repeat":
        inside[str(key) + draw(st.sampled_from(["", "2", "_"]))] = value
    elif how == "swap":
        other = draw(
            st.sampled_from(list(inside) if isinstance(inside, dict) else range(len(inside)))
        )
        inside[key], inside[other] = inside[other], inside[key]
    elif type(value) in (int, float) and math.isfinite(value):
        if how == "float":
            toward = draw(st.sampled_from([-math.inf, math.inf]))
            inside[key] = math.nextafter(float(value), toward)
        elif how == "near":
            inside[key] = value + draw(st.sampled_from([-1, 1, -0.25, 0.01, -0.01, 1e-9]))
        else:
            inside[key] = str(value)
    elif isinstance(value, str) and value:
        i = draw(st.integers(0, len(value) - 1))
        inside[key] = value[:i] + draw(st.sampled_from(["", "A", "/", "=", "é"])) + value[i + 1 :]
    return tree


def mutate_weights(draw: st.DrawFn, content: bytes) -> bytes:
    """One thing of a safetensors file changed: in its header, its data, or both."""
    end = 8 + int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8:end]), bytearray(content[end:])
    how = draw(st.sampled_from(["header", "byte", "longer", "shorter", "type", "shape", "number"]))
    name = draw(st.sampled_from(sorted(set(header) - {"__metadata__"})))
    entry = header[name]
    if how == "header":
        header = mutate(draw, header)
    elif how == "byte":
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    elif how == "longer":
        data += bytes(draw(st.integers(1, 16)))
    elif how == "shorter":
        data = data[: -draw(st.integers(1, 16))]
    elif how == "type":
        entry["dtype"] = draw(st.sampled_from(["F16", "BF16", "F32", "F64", "I32", "C64", "BOOL"]))
    elif how == "shape":
        shape = list(entry["shape"])
        entry["shape"] = draw(
            st.sampled_from([shape[::-1], [1, *shape], [*shape, 1], shape[1:], []])
        )
    else:
        # one more column, as an output that outranks all, or one fewer
        start, stop = entry["data_offsets"]
        columns, size = draw(st.sampled_from([-1, 1])), (stop - start) // math.prod(entry["shape"])
        rows = math.prod(entry["shape"][:-1])
        more = columns * rows * size
        data = (
            data[:stop] + data[stop - more : stop] + data[stop:]
            if more > 0
            else data[: stop + more] + data[stop:]
        )
        entry["shape"][-1] += columns
        for x in header.values():
            if "data_offsets" in x and x["data_offsets"][0] >= stop:
                x["data_offsets"] = [offset + more for offset in x["data_offsets"]]
        entry["data_offsets"][1] += more
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Files with one to three faults; mostly with a fingerprint that fits, so that more is read."""
    weights, text = draw(st.sampled_from(cases()))
    tree = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.integers(0, 3)) == 0:
            # a file that was broken before may have nothing to break
            with suppress(ValueError, TypeError, LookupError, ZeroDivisionError, AttributeError):
                weights = mutate_weights(draw, weights)
        else:
            tree = mutate(draw, tree)
    if draw(st.integers(0, 3)):
        with suppress(checker.BadInput, LookupError, ValueError, TypeError, OverflowError):
            tensors = checker.read_weights(weights)
            name = checker.fingerprint(tensors, tree["k"], tree["c"], tree["arithmetic"])
            tree["weights"] = name
    return weights, json.dumps(tree).encode()


def fuzz(files: tuple[bytes, bytes]) -> None:
    survives(*files)


quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=60, deadline=None, suppress_health_check=quiet)
@given(mutations())
def test_what_is_accepted_is_true(files) -> None:
    fuzz(files)


@pytest.mark.slow
@pytest.mark.parametrize("piece", range(9))
def test_what_is_accepted_is_true_of_many_more(piece) -> None:
    """2,250 mutations in pieces, each of which can be run by itself."""
    in_pieces(fuzz, piece, 250, mutations())


def test_the_originals_are_accepted() -> None:
    for weights, text in cases():
        proved, accepted, _ = outcome(weights, text.encode())
        assert proved
        kinds = {x["kind"] for x in accepted}
        assert {"outranks", "covered", "failure", "total_variation", "margin_at_most"} <= kinds
        assert survives(weights, text.encode())
