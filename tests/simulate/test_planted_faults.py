"""Checks that cannot fail prove nothing: the main job's verdict catches each planted fault."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simulate import constructions, estimators, kernels
from simulate.panels import (
    failure_against_hashes,
    failure_against_width,
    false_positive_count,
    linear_readout,
    quenched_against_annealed,
    softmax_output,
)
from simulate.scaling import Scaling
from theory import false_positives, quenched
from theory import softmax_output as softmax_theory
from theory.command_line import CHECK_FAILED, DONE


def job(out: Path, *panels: str) -> int:
    """Exit code of the main job on the named panels, in this process."""
    return Scaling(quick=True, out=out, engine="serial", panels=panels, formats=("png",)).run()


def classic_failure(n: int, k: int, d: int, m: int) -> float:
    rate = false_positives.classic(k, d, m)
    return -math.expm1((n - k) * math.log1p(-rate))


def one_more_token(function: Callable[..., object]) -> Callable[..., object]:
    """The function with N = n - k + 1."""
    return lambda n, *rest: function(n + 1, *rest)


def hashes_with_replacement(rng: np.random.Generator, n: int, d: int, m: int) -> np.ndarray:
    hashes = np.zeros((n, d), dtype=bool)
    np.put_along_axis(hashes, rng.integers(0, d, size=(n, m)), True, axis=1)
    return hashes


def half_bias(*arguments, **options):
    network = constructions.clamp(*arguments, **options)
    return dataclasses.replace(network, b_in=network.b_in / 2)


def test_without_a_fault_the_panels_pass(tmp_path: Path) -> None:
    panels = ("failure_against_hashes", "false_positive_count", "softmax_output")
    assert job(tmp_path, *panels, "quenched_against_annealed") == DONE


def test_classic_formula_in_place_of_the_exact_one(tmp_path: Path, monkeypatch) -> None:
    for panel in (failure_against_width, failure_against_hashes):
        monkeypatch.setattr(panel, "failure_probability", classic_failure)
        assert job(tmp_path, panel.NAME) == CHECK_FAILED
    monkeypatch.setattr(
        linear_readout,
        "expected_false_positives",
        lambda n, k, d, m: (n - k) * false_positives.classic(k, d, m),
    )
    assert job(tmp_path, linear_readout.NAME) == CHECK_FAILED


def test_hashes_drawn_with_replacement(tmp_path: Path, monkeypatch) -> None:
    for module in (estimators, kernels, quenched_against_annealed, softmax_output):
        monkeypatch.setattr(module, "random_hashes", hashes_with_replacement)
    for panel in (
        failure_against_hashes,
        false_positive_count,
        softmax_output,
        quenched_against_annealed,
    ):
        assert job(tmp_path, panel.NAME) == CHECK_FAILED, panel.NAME


@pytest.mark.parametrize("function", ["false_positive_inputs", "expected_false_positives"])
def test_quenched_rates_of_other_hashes(tmp_path: Path, monkeypatch, function: str) -> None:
    """The exact quenched rates of the same hashes but for one token are not this family's."""
    right = getattr(quenched, function)

    def wrong(hashes: np.ndarray, k: int):
        return right(np.concatenate([hashes[1:], hashes[:1] ^ hashes[1:2]]), k)

    monkeypatch.setattr(quenched, function, wrong)
    assert job(tmp_path, quenched_against_annealed.NAME) == CHECK_FAILED


def test_bias_of_one_half(tmp_path: Path, monkeypatch) -> None:
    class Planted:
        clamp = staticmethod(half_bias)

    monkeypatch.setattr(softmax_output, "constructions", Planted)
    assert job(tmp_path, softmax_output.NAME) == CHECK_FAILED


@pytest.mark.parametrize(
    ("panel", "function"),
    [
        (false_positive_count, "failure_probability"),
        (false_positive_count, "expected_false_positives"),
        (quenched_against_annealed, "failure_probability"),
        (quenched_against_annealed, "expected_false_positives"),
        (softmax_output, "expected_divergence"),
    ],
)
def test_one_non_member_too_many(tmp_path: Path, monkeypatch, panel, function: str) -> None:
    monkeypatch.setattr(panel, function, one_more_token(getattr(panel, function)))
    assert job(tmp_path, panel.NAME) == CHECK_FAILED


def test_kl_in_bits_instead_of_nats(tmp_path: Path, monkeypatch) -> None:
    def in_bits(*arguments):
        exact = softmax_theory.expected_divergence(*arguments)
        return dataclasses.replace(exact, kl=exact.kl / math.log(2))

    monkeypatch.setattr(softmax_output, "expected_divergence", in_bits)
    assert job(tmp_path, softmax_output.NAME) == CHECK_FAILED
