"""The comparison of rivals, its table in the README, and the widths read backwards."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import capacity, comparison, dense_codes, false_positives, pseudo_inverse, width
from theory.domain import DomainError
from theory.moment_curve import radon_width

PAGE = Path(__file__).parents[2] / "reports" / "docs" / "filters.md"
SIZES = st.tuples(st.integers(2, 3000), st.integers(1, 300), st.sampled_from([0.3, 1e-2, 1e-6]))


def test_the_table_in_the_documentation_is_generated() -> None:
    text = PAGE.read_text("utf-8")
    command, shown = re.search(
        r"`python -m theory rivals (.*?)`.*?<!-- rivals -->\n\n(.*?)\n<!-- /rivals -->", text, re.S
    ).groups()
    n, k, epsilon = re.fullmatch(r"--n (\d+) --k (\d+) --epsilon (\S+)", command).groups()
    assert shown == comparison.as_markdown(int(n), int(k), float(epsilon))


def test_no_width_is_below_its_limit() -> None:
    for n, k, epsilon in [(1000, 4, 0.1), (4096, 8, 1e-6), (300, 20, 1e-3)]:
        widths = {row.name: row.width for row in comparison.compare(n, k, epsilon)}
        failing = [row for row in comparison.compare(n, k, epsilon) if row.error == "P_fail"]
        of_bits = [row.width for row in failing if row.precision == "1 bit a coordinate"]
        assert min(of_bits) == widths["any residual of d bits"]
        reals = widths["any residual of d reals, linear readout"]
        assert all(row.width >= reals for row in failing)
        bloom, replaced, bernoulli = (row.width for row in comparison.compare(n, k, epsilon)[:3])
        assert bloom <= replaced <= bernoulli
        assert widths["any residual, linear readout (Radon)"] <= bloom
        squared = widths["any code, affine readout"]
        assert squared <= widths["random signs, linear readout"]


def test_the_least_sizes() -> None:
    rows = {row.name: row for row in comparison.compare(3, 1, 0.49)}
    assert rows["pseudo-inverse of random W_U"].precision == "–"


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(DomainError, match="n must be at least 3k = 24"):
        comparison.compare(20, 8, 0.1)


@settings(max_examples=40)
@given(SIZES)
def test_one_token_more_does_not_fit(sizes: tuple[int, int, float]) -> None:
    """At the capacity P_fail <= epsilon, at one token more it is above: by each rival's formula."""
    n, d, epsilon = sizes

    def bloom(k: int) -> float:
        m = width.optimal_hashes_for_failure(n, k, d)
        return false_positives.failure_probability(n, k, d, m)

    def thresholded(k: int) -> float:
        cut = dense_codes.best_cut(n, k, d)
        return dense_codes.thresholded_failure_bound(n, k, d, cut)

    def pseudo(k: int) -> float:
        return pseudo_inverse.failure_probability(n, k, d) if k <= d else 1.0

    def information(k: int) -> float:
        return 0.0 if width.information_width(n, k, epsilon) <= d else 1.0

    for found, failure in [
        (capacity.bloom(n, d, epsilon), bloom),
        (capacity.pseudo_inverse_readout(n, d, epsilon), pseudo),
        (capacity.thresholded_jl(n, d, epsilon), thresholded),
        (capacity.information_limit(n, d, epsilon), information),
    ]:
        assert 0 <= found.k <= n
        if found.k:
            assert failure(found.k) <= epsilon
            if found.failure_probability is not None:
                assert math.isclose(found.failure_probability, failure(found.k), rel_tol=1e-9)
        if found.k < n:
            assert failure(found.k + 1) > epsilon


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 150), st.sampled_from([0.3, 0.1, 0.01]))
def test_small_vocabularies(n: int, d: int, epsilon: float) -> None:
    """All k up to the capacity fit and the next does not: near k = n few non-members fit again."""

    def first_failing(fits) -> int:
        return next((k for k in range(1, n + 1) if not fits(k)), n + 1)

    def bloom(k: int) -> bool:
        m = width.optimal_hashes_for_failure(n, k, d)
        return false_positives.failure_probability(n, k, d, m) <= epsilon

    def pseudo(k: int) -> bool:
        return k <= d and pseudo_inverse.failure_probability(n, k, d) <= epsilon

    assert capacity.bloom(n, d, epsilon).k == first_failing(bloom) - 1
    assert capacity.pseudo_inverse_readout(n, d, epsilon).k == first_failing(pseudo) - 1
    assert 0 <= capacity.information_limit(n, d, epsilon).k <= n


@given(st.integers(1, 500), st.integers(1, 2000))
def test_radon_limit(d: int, n: int) -> None:
    k = capacity.linear_readout_limit(n, d).k
    assert k == n or (radon_width(k + 1) > d and n >= 3 * (k + 1))
    assert k == n or k == 0 or radon_width(k) <= d
