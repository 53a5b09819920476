"""`python -m simulate.estimate`: every method beside the exact value, and bad input.

False-alarm budget: seven comparisons of an estimate with the exact value at six standard errors.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulate.__main__ import main as listing
from simulate.estimate import main
from tests.simulate.running import run

KEYS = {
    *("schema", "n", "k", "d", "m", "method", "sets", "families", "seed"),
    *("estimate", "standard_error", "interval", "confidence"),
    *("quantity", "exact", "seconds", "setup_seconds"),
}


def estimate(arguments: str) -> dict[str, Any]:
    done = run(main, *arguments.split(), "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


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
    found = estimate(f"{arguments} --seed 3")
    assert set(found) == KEYS
    low, high = found["interval"]
    assert low < found["estimate"] < high
    assert abs(found["estimate"] - found["exact"]) < 6 * found["standard_error"]
    assert estimate(f"{arguments} --seed 3")["estimate"] == found["estimate"]


def test_a_rate_with_few_hits_has_an_honest_interval() -> None:
    """No false positive seen: the interval begins at 0 and still holds the family's exact rate."""
    found = estimate("--n 1000 --k 4 --d 140 --m 14 --method quenched --sets 1000")
    low, high = found["interval"]
    assert low == 0.0
    assert found["exact"] < high


def test_sets_are_split_evenly() -> None:
    found = estimate("--n 50 --k 3 --d 30 --m 6 --method direct --sets 1000")
    assert found["families"] == 32
    assert found["sets"] == 32 * (1000 // 32)


def test_the_table_says_the_same() -> None:
    arguments = "--n 50 --k 3 --d 30 --m 6 --method direct --sets 1000"
    lines = run(main, *arguments.split()).out.splitlines()
    found = estimate(arguments)
    assert [line.split()[0] for line in lines] == ["estimate", "exact"]
    assert lines[0].split()[1] == f"{found['estimate']:.6g}"


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
    sizes = "--n 50 --k 3 --d 30 --m 6 --method direct"
    done = run(main, *f"{sizes} {arguments}".split())
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_the_package_lists_its_commands() -> None:
    done = run(listing)
    assert done.code == 0
    names = [line.split(":")[0] for line in done.out.splitlines()]
    assert names == ["python -m simulate.estimate", "python -m simulate.scaling"]
