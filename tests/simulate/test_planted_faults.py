"""Checks that cannot fail prove nothing: the main job's verdict catches each planted fault."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulate import constructions, estimators, kernels
from simulate.jobs.panel import QUICK, Panel
from simulate.panels import (
    PANELS,
    failure_against_hashes,
    failure_against_width,
    false_positive_count,
    linear_readout,
    quenched_against_annealed,
    softmax_output,
)
from simulate.scaling import main
from tests.simulate.running import failed, results, run
from theory import false_positives, quenched
from theory import softmax_output as softmax_theory
from theory.command_line import CHECK_FAILED, DONE


@cache
def correct(name: str) -> list[Any]:
    """A panel's results without a fault: a fault of the theory needs no others."""
    return results(PANELS[name])


def caught(panel: Panel) -> bool:
    """With a fault of the theory planted."""
    return bool(failed(panel, correct(panel.name)))


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


def plant(monkeypatch, module, function: str, fault: Callable[..., object]) -> None:
    """The fault in place of the module's function, which it is made from."""
    monkeypatch.setattr(module, function, fault(getattr(module, function)))


def half_bias(*arguments, **options):
    network = constructions.clamp(*arguments, **options)
    return dataclasses.replace(network, b_in=network.b_in / 2)


def test_the_job_passes_without_a_fault_and_fails_with_one(tmp_path: Path, monkeypatch) -> None:
    """By its exit code."""
    name = false_positive_count.NAME
    options = ("--quick", "--engine", "serial", "--formats", "png", "--panels", name)
    job = (*options, "--out", str(tmp_path))
    assert run(main, *job).code == DONE
    plant(monkeypatch, false_positive_count, "failure_probability", one_more_token)
    assert run(main, *job).code == CHECK_FAILED


@pytest.mark.parametrize(
    "panel",
    [failure_against_hashes, false_positive_count, softmax_output, quenched_against_annealed],
    ids=lambda panel: panel.NAME,
)
def test_without_a_fault_the_panels_pass(panel) -> None:
    assert failed(panel.PANEL, correct(panel.NAME)) == []


@pytest.mark.parametrize(
    ("panel", "function", "classic"),
    [
        pytest.param(
            failure_against_width,
            "failure_probability",
            classic_failure,
            marks=pytest.mark.slow,
        ),
        (failure_against_hashes, "failure_probability", classic_failure),
        (
            linear_readout,
            "expected_false_positives",
            lambda n, k, d, m: (n - k) * false_positives.classic(k, d, m),
        ),
    ],
)
def test_classic_formula_in_place_of_the_exact_one(monkeypatch, panel, function, classic) -> None:
    correct(panel.NAME)  # whose tasks are chosen by the exact one
    monkeypatch.setattr(panel, function, classic)
    assert caught(panel.PANEL)


@pytest.mark.parametrize(
    "panel",
    [
        pytest.param(failure_against_hashes, marks=pytest.mark.slow),
        false_positive_count,
        pytest.param(softmax_output, marks=pytest.mark.slow),
        pytest.param(quenched_against_annealed, marks=pytest.mark.slow),
    ],
    ids=lambda panel: panel.NAME,
)
def test_hashes_drawn_with_replacement(monkeypatch, panel) -> None:
    for module in (estimators, kernels, quenched_against_annealed, softmax_output):
        monkeypatch.setattr(module, "random_hashes", hashes_with_replacement)
    assert failed(panel.PANEL, results(panel.PANEL))


@pytest.mark.parametrize(
    "function",
    [
        "false_positive_inputs",
        pytest.param("expected_false_positives", marks=pytest.mark.slow),
    ],
)
def test_quenched_rates_of_other_hashes(monkeypatch, function: str) -> None:
    """The exact quenched rates of the same hashes but for one token are not this family's."""
    right = getattr(quenched, function)

    def wrong(hashes: np.ndarray, k: int):
        return right(np.concatenate([hashes[1:], hashes[:1] ^ hashes[1:2]]), k)

    monkeypatch.setattr(quenched, function, wrong)
    # the counted family needs a whole quick run's inputs to tell
    effort = (
        QUICK if function == "expected_false_positives" else dataclasses.replace(QUICK, unions=600)
    )
    assert failed(
        quenched_against_annealed.PANEL,
        results(quenched_against_annealed.PANEL, effort=effort),
    )


@pytest.mark.slow
def test_bias_of_one_half(monkeypatch) -> None:
    class Planted:
        clamp = staticmethod(half_bias)

    monkeypatch.setattr(softmax_output, "constructions", Planted)
    assert failed(softmax_output.PANEL, results(softmax_output.PANEL))


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
def test_one_non_member_too_many(monkeypatch, panel, function: str) -> None:
    plant(monkeypatch, panel, function, one_more_token)
    assert caught(panel.PANEL)


def test_kl_in_bits_instead_of_nats(monkeypatch) -> None:
    def in_bits(*arguments):
        exact = softmax_theory.expected_divergence(*arguments)
        return dataclasses.replace(exact, kl=exact.kl / math.log(2))

    monkeypatch.setattr(softmax_output, "expected_divergence", in_bits)
    assert caught(softmax_output.PANEL)
