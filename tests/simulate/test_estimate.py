"""`python -m simulate.estimate`: every method beside the exact value, and bad input.

False-alarm budget: seven comparisons of an estimate with the exact value at six standard errors.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

KEYS = {"estimate", "standard_error", "interval", "sets", "seconds", "setup_seconds", "exact"}


def estimate(arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulate.estimate", *arguments.split()]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        "--n 1000 --k 4 --d 76 --m 11 --method direct --sets 400000",
        "--n 1000 --k 4 --d 76 --m 11 --method direct --sets 100000 --families 50",
        "--n 4096 --k 8 --d 598 --m 47 --method conditional --sets 20000",
        "--n 4096 --k 3 --d 221 --m 41 --method conditional --sets 20000",
        "--n 300 --k 4 --d 304 --m 45 --method planted --sets 1000",
        "--n 1000 --k 4 --d 1000 --m 400 --method conditional --sets 20000",
        "--n 1000 --k 4 --d 76 --m 11 --method quenched --sets 100000",
    ],
)
def test_every_method(arguments: str) -> None:
    run = estimate(arguments + " --json --seed 3")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert set(found) >= KEYS
    low, high = found["interval"]
    assert low < found["estimate"] < high
    assert abs(found["estimate"] - found["exact"]) < 6 * found["standard_error"]
    again = json.loads(estimate(arguments + " --json --seed 3").stdout)
    assert again["estimate"] == found["estimate"]


def test_a_rate_with_few_hits_has_an_honest_interval() -> None:
    """No false positive seen: the interval begins at 0 and still holds the family's exact rate."""
    run = estimate("--n 1000 --k 4 --d 140 --m 14 --method quenched --sets 1000 --json")
    found = json.loads(run.stdout)
    low, high = found["interval"]
    assert low == 0.0
    assert found["exact"] < high


def test_sets_are_split_evenly() -> None:
    found = json.loads(
        estimate("--n 50 --k 3 --d 30 --m 6 --method direct --sets 1000 --json").stdout
    )
    assert found["families"] == 32
    assert found["sets"] == 32 * (1000 // 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--sets 0", "sets must be at least 2; got 0"),
        ("--sets -3", "sets must be at least 2; got -3"),
        ("--sets 10 --families 1", "families must be at least 2 and at most sets = 10; got 1"),
        ("--sets 10 --families 2 --method conditional", "families must come with method direct"),
        ("--sets 10 --seed -1", "seed must be at least 0; got -1"),
        ("--sets 10 --m 31", "m must be at least 1 and at most d = 30; got 31"),
        ("--sets 10 --k 51", "k must be at least 1 and at most n = 50; got 51"),
        ("--sets 10 --k 50 --method planted", "n must exceed k = 50"),
    ],
)
def test_bad_input_is_one_line(arguments: str, message: str) -> None:
    run = estimate("--n 50 --k 3 --d 30 --m 6 --method direct " + arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
