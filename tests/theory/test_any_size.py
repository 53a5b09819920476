"""Every evaluator over its whole declared domain: no exception, no warning, only probabilities.

Sizes are drawn log-uniformly up to the largest that are declared, with the corners in between.
"""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

from theory import codes, false_positives, width
from theory.__main__ import main
from theory.blocked import Blocked
from theory.column_weight import INDEPENDENT, WITH_REPLACEMENT
from theory.command_line import DONE
from theory.domain import DomainError
from theory.double_hashing import DOUBLE_HASHING, LARGEST_WIDTH
from theory.fixed_weight import FIXED_WEIGHT
from theory.occupancy import Value
from theory.partitioned import PARTITIONED

LARGEST_K, LARGEST_D, LARGEST_N = 10**9, 10**11, 10**12
SIZES = 5000


def log_uniform(rng: np.random.Generator, low: int, high: int) -> int:
    """An integer of [low, high], often one of the ends."""
    if rng.random() < 0.1:
        return int(rng.choice([low, high, min(high, low + 1)]))
    return min(high, max(low, round(math.exp(rng.uniform(math.log(low), math.log(high + 0.5))))))


def draw(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """(n, k, d, m) of the declared domain; half of them near the best m."""
    k = log_uniform(rng, 1, LARGEST_K)
    n = k + log_uniform(rng, 1, LARGEST_N - k) if rng.random() < 0.97 else k
    d = log_uniform(rng, 1, LARGEST_D)
    if rng.random() < 0.5:
        d = min(LARGEST_D, max(1, round(k * math.exp(rng.uniform(-2, 5)))))
        m = max(1, round(d / k * math.exp(rng.uniform(-2, 1.5))))
    else:
        m = log_uniform(rng, 1, d)
    return n, k, d, min(m, d, 10**4 if d > 10**6 or k > 1000 else d)


def is_cheap(n: int, k: int, d: int, m: int) -> bool:
    """Leaves out what the exact laws take seconds for; a slow test looks at some of those."""
    return m * min(d, k * m) <= 3e7 and not (k * m < 10**6 and k * m * min(d, k * m) > 3e7)


def look_at(scheme: codes.HashScheme, n: int, k: int, d: int, parameter: float) -> None:
    rate = scheme.enclose(k, d, parameter, Value())
    assert rate.lower <= rate.middle <= rate.upper <= 0.0
    if n == k:
        assert scheme.log_failure(n, k, d, parameter) == -math.inf
        return
    failure = scheme.enclose(k, d, parameter, Value(some=n - k))
    assert failure.lower <= failure.middle <= failure.upper <= 0.0
    assert rate.lower <= failure.upper + 1e-9
    assert failure.lower <= rate.upper + math.log(n - k) + 1e-9
    assert 0.0 <= math.exp(failure.middle) <= 1.0


OTHERS = (WITH_REPLACEMENT, INDEPENDENT, PARTITIONED, Blocked(), DOUBLE_HASHING)


def fitted(
    scheme: codes.HashScheme, rng: np.random.Generator, d: int, m: int
) -> tuple[codes.HashScheme, int, float]:
    """The scheme, with a block where it has one; a width and a parameter of its domain, nearby."""
    if scheme.parameter == "density":
        return scheme, d, min(0.999999, max(1e-9, m / d))
    if isinstance(scheme, Blocked):
        scheme = Blocked(int(rng.choice([8, 64, 512, 4096])), bool(rng.integers(2)))
        return scheme, max(scheme.block, d // scheme.block * scheme.block), min(m, scheme.block)
    if scheme is DOUBLE_HASHING:
        return scheme, min(d, log_uniform(rng, 1, LARGEST_WIDTH)), min(m, 40)
    return scheme, d, m


PARTS = [0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 25))]


@pytest.mark.parametrize("part", PARTS)
def test_sizes_of_the_declared_domain(part: int) -> None:
    """5,000 sizes in all, each under two laws of a token, every warning an error.

    A size may be refused, where the scheme says so of it. The fast part leaves out what takes long,
    and the others look at one of those in eight.
    """
    rng = np.random.default_rng(part)
    looked_at = refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while looked_at < SIZES // len(PARTS):
            n, k, d, m = draw(rng)
            if not is_cheap(n, k, d, m) and (part == 0 or looked_at % 8):
                continue
            looked_at += 1
            look_at(FIXED_WEIGHT, n, k, d, m)
            lower = false_positives.log_lower_bound(k, d, m)
            upper = false_positives.log_upper_bound(k, d, m)
            rate = false_positives.log_false_positive_rate(k, d, m)
            assert lower - 1e-9 - 1e-13 * abs(lower) <= rate <= upper + 1e-9 + 1e-13 * abs(upper)
            if part == 0 and k * m * min(d, k * m) > 1e6:
                continue
            scheme, width_, parameter = fitted(OTHERS[looked_at % len(OTHERS)], rng, d, m)
            if part == 0 and scheme is DOUBLE_HASHING:
                continue
            try:
                look_at(scheme, n, k, width_, parameter)
            except DomainError:
                refused += 1
                assert scheme.name in ("blocked", "double-hashing")
    assert refused < 0.1 * looked_at


NAMES = ("fixed-weight", "with-replacement", "independent", "partitioned", "blocked")


def command_at(rng: np.random.Generator, scheme: str) -> str:
    """A command of the shell at a size of the declared domain."""
    n, k, d, m = draw(rng)
    k, d = min(k, 10**7), min(d, 10**10)
    epsilon = math.exp(rng.uniform(math.log(1e-12), math.log(0.4)))
    if scheme == "blocked":
        d = max(1, k // 50_000, min(d, 10**4 * k) // 512) * 512  # no block holds 10^5 tokens
    of_task = f"--n {n}" if n > k and rng.random() < 0.5 else "--query"
    chosen = f"--scheme {scheme}"
    # searches at sizes where one evaluation is quick
    few = min(k, int(rng.integers(1, 300)))
    m = min(m, d, 64)
    bits = f"--m {m}"
    fill = d // 2 if scheme == INDEPENDENT.name else max(m, min(d // 2, k * m))
    if scheme == INDEPENDENT.name and m >= d:  # a density of 1 is none
        bits = f"--density {m / (m + 1)!r}"
    return (
        f"rates {of_task} --k {k} --d {d} {bits} {chosen} --queries 3 --fill {fill}",
        f"width {of_task} --k {few} --epsilon {epsilon!r} {chosen} --multiple-of 64",
        f"capacity {of_task} --d {512 * int(rng.integers(1, 9))} --epsilon {epsilon!r} {chosen}",
    )[int(rng.integers(3))]


def probabilities(record: dict[str, object]) -> list[float]:
    """All rates and probabilities of a record, and of the records in it."""
    found = []
    for name, value in record.items():
        if isinstance(value, dict):
            found += probabilities(value)
        elif isinstance(value, float) and ("rate" in name or "probability" in name):
            found.append(math.exp(value) if name.startswith("log_") else value)
    return found


@pytest.mark.parametrize("part", PARTS[:9])
def test_commands_at_sizes_of_the_declared_domain(
    part: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every scheme from the shell: probabilities only, both ends on their sides, no warning."""
    rng = np.random.default_rng(100 + part)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(5 if part == 0 else 40):
            command = command_at(rng, NAMES[i % len(NAMES)])
            assert main([*command.split(), "--json"]) == DONE, command
            found = json.loads(capsys.readouterr().out)
            values = probabilities(found)
            assert values or found.get("k") == 0 or "capacity" in command, command
            assert all(0.0 <= value <= 1.0 for value in values), (command, found)
            if "lower" in found:
                assert found["lower"] <= found["false_positive_rate"] <= found["upper"], command


@pytest.mark.parametrize(
    ("n", "k", "d", "m"),
    [(44, 43, 5, 4), (10**6, 10**4, 95851, 7), (4, 3, 1, 1), (9, 5, 4, 4), (10**12, 1, 1, 1)],
)
def test_nothing_above_one(n: int, k: int, d: int, m: int) -> None:
    """Sizes at which rounding once gave probabilities above 1."""
    assert false_positives.log_failure_probability(n, k, d, m) <= 0.0
    assert false_positives.false_positive_rate(k, d, m) <= 1.0
    assert 0.0 <= false_positives.independent_failure_probability(n, k, d, m) <= 1.0
    assert false_positives.missing_bits_law(k, d, m).max() <= 1.0 if d < 100 else True


@pytest.mark.parametrize(
    ("n", "k", "epsilon", "d", "m"),
    [
        (1_000_003, 3, 0.9999999999994588, 22, 9),
        (10_004, 4, 0.9999999999986684, 14, 7),
    ],
)
def test_width_next_to_certain_failure(n: int, k: int, epsilon: float, d: int, m: int) -> None:
    """A narrower width suffices here although a wider one does not."""
    code = width.smallest_width(n, k, epsilon)
    assert (code.width, code.hashes) == (d, m)
    success = false_positives.log_success_probability
    enough = math.log1p(-epsilon)
    assert success(n, k, d, m) >= enough
    for narrower in (d - 1, d - 2):
        assert max(success(n, k, narrower, j) for j in range(1, narrower + 1)) < enough
    wider = [max(success(n, k, d + 1, j) for j in range(1, d + 2))]
    assert min(wider) < enough


def test_numbers_too_long_to_print_are_refused() -> None:
    """Python prints no integer of thousands of digits, and makes no float of it."""
    for size in (2**20_000, -(2**20_000)):
        with pytest.raises(DomainError, match=r"k must be .* one of about 6021 digits"):
            false_positives.false_positive_rate(size, 10, 2)
        with pytest.raises(DomainError, match=r"epsilon must be .* one of about 6021 digits"):
            width.smallest_width(100, 3, size)


def test_no_width_is_claimed_where_it_cannot_be_settled() -> None:
    with pytest.raises(DomainError, match=r"epsilon must be at most 0\.999999"):
        width.smallest_width(10**9, 200, 1 - 1e-12)


@pytest.mark.parametrize(
    "command",
    [
        "rates --query --k 1e8 --d 2^30 --m 10",
        "rates --query --k 65536 --d 1179648 --m 12",
        "rates --n 1e12 --k 1e9 --d 1e11 --m 30",
        "rates --n 1e12 --k 1e4 --d 1e11 --m 3",
        "width --n 1e9 --k 64 --epsilon 1e-12",
        "width --n 20001 --k 20000 --epsilon 0.01",
    ],
)
def test_large_sizes_from_the_shell(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    rate = found.get("false_positive_rate", found.get("failure_probability"))
    assert 0.0 <= rate <= 1.0
    if "lower" in found:
        assert found["lower"] <= rate <= found["upper"]
        assert found["relative_width"] <= 1e-6


def test_width_of_a_large_filter() -> None:
    """n = k + 1 at k = 1e7: one bit narrower the rate is above epsilon, whatever m."""
    code = FIXED_WEIGHT.smallest_width(10**7 + 1, 10**7, 1e-7)
    assert code.width == pytest.approx(335_477_043.2, rel=1e-3)
    for d, fits in ((code.width, True), (code.width - 1, False)):
        rates = [FIXED_WEIGHT.enclose(10**7, d, m, Value()) for m in range(22, 26)]
        assert any(rate.upper <= math.log(1e-7) for rate in rates) == fits
        assert fits or all(rate.lower > math.log(1e-7) for rate in rates)


@pytest.mark.parametrize("scheme", [FIXED_WEIGHT, WITH_REPLACEMENT], ids=["different", "draws"])
def test_a_union_whose_size_is_certain(scheme: codes.HashScheme) -> None:
    """One member of m different bits, or of one draw: its variance is 0, also after rounding."""
    m = 4462 if scheme is FIXED_WEIGHT else 1
    look_at(scheme, 6, 1, 281_372_385, m)
