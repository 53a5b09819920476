"""Hashing schemes of engineers: brute force, literature, enclosures, and the searches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from theory import double_hashing, false_positives, occupancy, partitioned
from theory.blocked import Blocked
from theory.codes import HashScheme
from theory.column_weight import INDEPENDENT, WITH_REPLACEMENT
from theory.domain import DomainError
from theory.double_hashing import DOUBLE_HASHING
from theory.fixed_weight import FIXED_WEIGHT
from theory.formulas.schemes import BLOCKED_RATE, JOINT_RATE, RATE_AT_LOAD
from theory.occupancy import Value
from theory.partitioned import PARTITIONED
from theory.schemes import SCHEMES

Token = frozenset[int]


def of_fixed_weight(d: int, m: int) -> list[Token]:
    return [frozenset(bits) for bits in itertools.combinations(range(d), m)]


def of_draws(d: int, m: int) -> list[Token]:
    return [frozenset(bits) for bits in itertools.product(range(d), repeat=m)]


def of_partitions(d: int, m: int) -> list[Token]:
    sizes = [bits for bits, count in partitioned.blocks(d, m) for _ in range(count)]
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    ranges = [range(start, start + size) for start, size in zip(starts, sizes, strict=False)]
    return [frozenset(bits) for bits in itertools.product(*ranges)]


def of_blocks_of_three(d: int, m: int) -> list[Token]:
    return [
        frozenset(3 * at + bit for bit in bits)
        for at in range(d // 3)
        for bits in itertools.combinations(range(3), m)
    ]


def of_double_hashing(d: int, m: int) -> list[Token]:
    pairs = itertools.product(range(d), repeat=2)
    return [frozenset((a + i * b + (i**3 - i) // 6) % d for i in range(m)) for a, b in pairs]


def by_brute_force(tokens: list[Token], n: int, k: int, queries: int) -> tuple[Fraction, ...]:
    """(FPR, P_fail, P(all of several queries are false positives)) over every choice of members."""
    rate = failure = joint = Fraction(0)
    for members in itertools.product(tokens, repeat=k):
        union = frozenset().union(*members)
        f = Fraction(sum(token <= union for token in tokens), len(tokens))
        rate, failure, joint = rate + f, failure + 1 - (1 - f) ** (n - k), joint + f**queries
    return tuple(total / len(tokens) ** k for total in (rate, failure, joint))


BRUTE = [
    (FIXED_WEIGHT, of_fixed_weight, (5, 2, 5, 2)),
    (WITH_REPLACEMENT, of_draws, (5, 2, 4, 3)),
    (WITH_REPLACEMENT, of_draws, (4, 1, 2, 5)),
    (PARTITIONED, of_partitions, (4, 2, 5, 2)),
    (PARTITIONED, of_partitions, (9, 3, 7, 3)),
    (PARTITIONED, of_partitions, (30, 2, 9, 2)),
    (Blocked(3), of_blocks_of_three, (4, 2, 6, 2)),
    (Blocked(3), of_blocks_of_three, (6, 3, 9, 1)),
    (DOUBLE_HASHING, of_double_hashing, (5, 2, 6, 3)),
    (DOUBLE_HASHING, of_double_hashing, (4, 1, 3, 5)),
]


def name_of(value: object) -> str:
    """The same on every worker: no address in it."""
    own = getattr(value, "name", None) or getattr(value, "__name__", None)
    return str(own or (value if isinstance(value, int | float | tuple) else type(value).__name__))


@pytest.mark.parametrize(("scheme", "tokens", "sizes"), BRUTE, ids=name_of)
def test_every_choice_of_members(
    scheme: HashScheme, tokens: Callable[[int, int], list[Token]], sizes: tuple[int, int, int, int]
) -> None:
    """The exact rate, and P_fail and the joint rate of three queries between their ends."""
    n, k, d, m = sizes
    rate, failure, joint = map(float, by_brute_force(tokens(d, m), n, k, 3))
    found = scheme.enclose(k, d, m, Value())
    assert math.exp(found.middle) == pytest.approx(rate, rel=1e-11)
    for value, exact in ((Value(some=n - k), failure), (Value(all_of=3), joint)):
        ends = scheme.enclose(k, d, m, value)
        assert math.exp(ends.lower) <= exact <= math.exp(ends.upper)
    assert math.exp(scheme.log_failure(n, k, d, m)) == pytest.approx(
        failure, rel={"blocked": 0.05, "double-hashing": 0.1}.get(scheme.name, 1e-9)
    )
    # planted: one non-member more, one query more
    assert not math.isclose(rate, float(by_brute_force(tokens(d, m), n, k, 1)[1]), rel_tol=1e-6)


@pytest.mark.parametrize(
    ("scheme", "sizes", "printed"),
    [
        (WITH_REPLACEMENT, (3, 24, 5), 0.0264641775),
        (WITH_REPLACEMENT, (1, 44, 31), 1.10736e-8),
        (FIXED_WEIGHT, (3, 24, 5), 0.0222953),
        (FIXED_WEIGHT, (65536, 1179648, 12), 1.761499e-4),
        (Blocked(512, replacing=True), (2**20, 2**24, 9), 8.439e-4),
        (Blocked(512, replacing=True), (2**20, 2**24, 11), 8.855e-4),
    ],
    ids=name_of,
)
def test_literature(scheme: HashScheme, sizes: tuple[int, int, int], printed: float) -> None:
    """To the digits that were published."""
    rate = math.exp(scheme.enclose(*sizes, Value()).middle)
    digits = len(f"{printed:.10g}".split("e")[0].replace(".", "").lstrip("0"))
    assert float(f"{rate:.{digits - 1}e}") == pytest.approx(printed, rel=10.0 ** (1 - digits))


CODES = [(3, 40, 6), (8, 230, 18), (16, 500, 20), (40, 700, 12), (300, 4000, 9), (60, 6000, 60)]


@pytest.mark.parametrize("code", CODES, ids=str)
@pytest.mark.parametrize(
    "value", [Value(), Value(some=5), Value(some=10**6), Value(all_of=2)], ids=repr
)
def test_enclosure_holds_the_exact_law(
    code: tuple[int, int, int], value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moments alone and the exact law of the union agree, by all three laws of a token."""
    k, d, m = code
    union = occupancy.Union(k, d, occupancy.different_bits, m, m)
    coverage = occupancy.RootedCoverage(d, m, distinct=True)
    enclosed = occupancy.mean_of(union, coverage, value)
    monkeypatch.setattr(occupancy, "_QUICK", math.inf)
    exact = false_positives.enclosure(k, d, m, value).middle
    assert enclosed.lower - 1e-10 <= exact <= enclosed.upper + 1e-10
    # planted: a law of one bit more is outside, where the ends are close
    if enclosed.relative_width < 1e-6:
        other = false_positives.enclosure(k, d + 1, m, value).middle
        assert exact > -1e-9 or not enclosed.lower <= other <= enclosed.upper


@pytest.mark.parametrize("k", [10_000, 10**6, 10**9])
@pytest.mark.parametrize(
    "scheme", [FIXED_WEIGHT, WITH_REPLACEMENT, INDEPENDENT, PARTITIONED], ids=name_of
)
def test_ends_are_close_at_any_size(scheme: HashScheme, k: int) -> None:
    """Relative width at most 1e-6 from ten thousand tokens on, for one query and for many."""
    for bits in (1, 10, 100):
        d = min(10**11, bits * k)
        parameter = scheme.likely_parameter(k, d)
        parameter = parameter if scheme is INDEPENDENT else max(1, round(parameter))
        for value in (Value(), Value(some=10**6), Value(some=10**12), Value(all_of=2)):
            found = scheme.enclose(k, d, parameter, value)
            assert found.lower <= found.middle <= found.upper <= 0.0
            loose = scheme is PARTITIONED and value.some > 1
            assert found.relative_width <= (1e-2 if loose else 1e-6), (d, parameter, value)


def test_blocked_formulas() -> None:
    for j, block, m in [(1, 4, 2), (3, 5, 2), (4, 6, 1)]:
        exact = float(RATE_AT_LOAD.exact(a=j, B=block, m=m).evalf(30))
        assert RATE_AT_LOAD.evaluate(a=j, B=block, m=m) == pytest.approx(exact, rel=1e-11)
    for k, b, block, m in [(2, 2, 3, 1), (3, 4, 4, 2)]:
        exact = float(BLOCKED_RATE.exact(k=k, b=b, B=block, m=m).evalf(30))
        assert BLOCKED_RATE.evaluate(k=k, b=b, B=block, m=m) == pytest.approx(exact, rel=1e-10)


def test_joint_rate_formula() -> None:
    for q, k, d, m in [(1, 2, 5, 2), (2, 3, 6, 3), (4, 2, 7, 2)]:
        exact = float(sp.N(JOINT_RATE.exact(q=q, k=k, d=d, m=m), 30))
        assert JOINT_RATE.evaluate(q=q, k=k, d=d, m=m) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("name", ["with-replacement", "partitioned", "blocked", "independent"])
def test_widths_of_every_scheme(name: str) -> None:
    """It suffices; one step narrower no parameter nearby does; multiples and powers of two too."""
    scheme = SCHEMES[name]
    n, k, epsilon = 4000, 300, 1e-2
    code = scheme.smallest_width(n, k, epsilon)
    assert code.failure_probability <= epsilon
    assert code.width % scheme.unit == 0
    narrower = code.width - scheme.unit
    assert scheme.at_best(n, k, narrower).failure_probability > epsilon
    wider = scheme.smallest_width(n, k, epsilon, 64)
    assert wider.width % 64 == 0
    assert code.width <= wider.width < code.width + max(64, scheme.unit)
    power = scheme.smallest_power_of_two(n, k, epsilon).width
    assert power & (power - 1) == 0
    assert code.width <= power < 2 * code.width
    capacity = scheme.capacity_for_queries(2048, epsilon).k
    assert scheme.at_best(capacity + 1, capacity, 2048).failure_probability <= epsilon
    assert scheme.at_best(capacity + 2, capacity + 1, 2048).failure_probability > epsilon


def test_double_hashing_never_falls_below_equal_pairs() -> None:
    """The gap to ideal hashing: N/d^2 stays however many bits a token has."""
    k, d = 8, 230
    for m in (6, 12):
        rate = double_hashing.double_hashing_rate(k, d, m)
        assert rate > double_hashing.equal_pair_rate(k, d)
        assert rate > math.exp(WITH_REPLACEMENT.enclose(k, d, m, Value()).middle)
    with pytest.raises(DomainError, match="epsilon must be larger for double hashing"):
        DOUBLE_HASHING.smallest_width(10**6, 8, 1e-6)


@pytest.mark.parametrize(
    ("scheme", "sizes"),
    [
        (FIXED_WEIGHT, (10**12, 1000, 20_000)),
        (FIXED_WEIGHT, (10**12, 10**5, 2 * 10**6)),
        (WITH_REPLACEMENT, (10**12, 1000, 20_000)),
        (PARTITIONED, (10**12, 1000, 20_000)),
        (Blocked(512), (10**15, 10**6, 20_480_000)),
        (DOUBLE_HASHING, (10**12, 100, 1500)),
    ],
    ids=name_of,
)
def test_where_failure_is_certain_the_best_m_has_the_lowest_rate(
    scheme: HashScheme[int], sizes: tuple[int, int, int]
) -> None:
    """P_fail is 1 for every m in doubles, so that it cannot choose between them."""
    n, k, d = sizes
    best = scheme.best_parameter(n, k, d)
    assert scheme.log_failure(n, k, d, best) > -1e-6
    of_rate = WITH_REPLACEMENT if scheme is DOUBLE_HASHING else scheme
    rates = [of_rate.enclose(k, d, m, Value()).middle for m in range(1, 2 * best + 3)]
    assert rates[best - 1] == min(rates)
    # planted: the smallest m, which a tie used to choose, has many more false positives
    assert rates[0] > rates[best - 1] + 3.0


def test_where_failure_is_certain_the_best_density_has_the_lowest_rate() -> None:
    assert INDEPENDENT.best_parameter(10**12, 1000, 20_000) == 1.0 / 1001


def test_arrays_broadcast() -> None:
    widths, tokens = np.arange(20, 40), np.arange(1, 4)[:, None]
    found = false_positives.failure_probability(100, tokens, widths, 4)
    assert found.shape == (3, 20)
    single = false_positives.failure_probability(100, 3, 25, 4)
    assert found[2, 5] == pytest.approx(single, rel=1e-12)
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Blocked(100).enclose(3, 250, 2, Value()), "d must be a multiple of block = 100"),
        (lambda: Blocked(100).enclose(3, 200, 101, Value()), "m must be at least 1 and at most"),
        (lambda: Blocked(0), "block must be at least 1"),
        (lambda: PARTITIONED.enclose(3, 20, 21, Value()), "m must be at least 1 and at most d"),
        (lambda: Blocked(96).smallest_power_of_two(99, 3, 0.1), "block must be a power of two"),
        (lambda: DOUBLE_HASHING.enclose(3, 5000, 4, Value()), "d must be at least 1 and at most"),
        (lambda: WITH_REPLACEMENT.enclose(3, 20, 0, Value()), "m must be at least 1"),
    ],
)
def test_bad_sizes_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()
