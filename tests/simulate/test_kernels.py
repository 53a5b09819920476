"""Every engine and every path counts what plain Python sets count."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate import kernels, numba_kernels, numpy_kernels
from simulate.kernels import ENGINES, PackedHashes
from simulate.sampling import random_hashes, random_sets
from theory.false_positives import missing_bits_law

# below and above the number of sets from which tables are built
PATHS = [(engine, sets) for engine in ("numba", "numpy") for sets in (3, 300)]


def missing_by_sets(hashes: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Missing bits of every token, int [sets, n], from Python's sets."""
    family = [set(np.flatnonzero(row).tolist()) for row in hashes]
    unions = [set().union(*(family[token] for token in row)) for row in tokens.tolist()]
    return np.array([[len(own - union) for own in family] for union in unions])


def disagreements(hashes: np.ndarray, tokens: np.ndarray, engine: kernels.Engine) -> int:
    """Counts of covered tokens, and histograms, that differ from those of Python's sets."""
    packed = PackedHashes.of(hashes)
    missing = missing_by_sets(hashes, tokens)
    levels = np.arange(hashes.sum(axis=1).max() + 1)
    histogram = (missing[:, :, None] == levels).sum(axis=1)
    wrong = packed.count_covered(tokens, engine) != histogram[:, 0]
    wrong |= (packed.missing_bits_histogram(tokens, engine) != histogram).any(axis=1)
    wrong |= (packed.missing_bits(tokens) != missing).any(axis=1)
    return int(wrong.sum())


def test_both_engines_are_tested() -> None:
    assert ENGINES == ("numba", "numpy")


@pytest.mark.parametrize(("engine", "sets"), PATHS)
@pytest.mark.parametrize(
    ("n", "k", "d", "m"),
    [(1, 1, 1, 1), (63, 2, 7, 3), (64, 5, 8, 2), (65, 3, 9, 4), (600, 4, 65, 6), (513, 2, 200, 3)],
)
def test_awkward_sizes(n: int, k: int, d: int, m: int, engine: kernels.Engine, sets: int) -> None:
    """Sizes around a byte, a word and a tile of each engine."""
    rng = np.random.default_rng(5)
    hashes = random_hashes(rng, n, d, m)
    assert disagreements(hashes, random_sets(rng, sets, n, k), engine) == 0


@settings(max_examples=25)
@given(st.data())
@pytest.mark.parametrize(("engine", "sets"), PATHS)
def test_masks_of_any_weight(engine: kernels.Engine, sets: int, data: st.DataObject) -> None:
    """Rows of any weight, empty and repeated ones among them."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, d = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 140))
    hashes = rng.random((n, d)) < data.draw(st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]))
    tokens = random_sets(rng, sets, n, data.draw(st.integers(1, min(n, 6))))
    assert disagreements(hashes, tokens, engine) == 0


def test_tiles_of_numpy() -> None:
    """More tokens than one tile of 4096: both engines agree, members are covered."""
    rng = np.random.default_rng(6)
    packed = PackedHashes.random(rng, 9001, 90, 8)
    tokens = random_sets(rng, 1000, 9001, 5)
    by_numba, by_numpy = (packed.count_covered(tokens, engine) for engine in ENGINES)
    assert (by_numba == by_numpy).all()
    assert (by_numba >= 5).all()
    few = packed.count_covered(tokens[:20])
    assert (few == by_numpy[:20]).all()
    assert (packed.missing_bits_histogram(tokens[:20])[:, 0] == few).all()


def test_random_family() -> None:
    """Drawn in blocks, it has the weights of `random_hashes`; in one block, its very hashes."""
    packed = PackedHashes.random(np.random.default_rng(7), 3000, 1500, 11)
    assert (np.bitwise_count(packed.words).sum(axis=1) == 11).all()
    assert np.bitwise_count(packed.planes).sum() == 3000 * 11
    small = PackedHashes.random(np.random.default_rng(7), 300, 100, 9)
    expected = PackedHashes.of(random_hashes(np.random.default_rng(7), 300, 100, 9))
    assert (small.words == expected.words).all()
    assert (small.planes == expected.planes).all()


def test_histogram_has_the_exact_law() -> None:
    """Fresh families: the mean share of each level lies within 5 standard errors of its law.

    False-alarm budget 1e-5: twelve levels, each about 6e-7.
    """
    rng = np.random.default_rng(8)
    n, k, d, m, families = 400, 4, 70, 11, 300
    shares = np.empty((families, m + 1))
    for place in range(families):
        histogram = PackedHashes.random(rng, n, d, m).missing_bits_histogram(
            random_sets(rng, 40, n, k)
        )
        histogram[:, 0] -= k
        shares[place] = histogram.mean(axis=0) / (n - k)
    error = shares.std(axis=0, ddof=1) / np.sqrt(families)
    assert (abs(shares.mean(axis=0) - missing_bits_law(k, d, m)) < 5 * error + 1e-9).all()


@pytest.mark.parametrize("fault", ["last group", "last tile", "sign"])
@pytest.mark.parametrize("inner", [numba_kernels, numpy_kernels])
def test_a_faulty_loop_is_caught(inner, fault: str, monkeypatch) -> None:
    right = inner.subtract_uncovered
    tiles = []

    def wrong(counts, table, absent) -> None:
        tiles.append(None)
        if fault == "last group":
            right(counts, table[:-1], np.ascontiguousarray(absent[:, :-1]))
        elif fault == "sign":
            right(counts, table, ~absent)
        elif len(tiles) == 1:
            right(counts, table, absent)

    monkeypatch.setattr(inner, "subtract_uncovered", wrong)
    rng = np.random.default_rng(9)
    engine = "numba" if inner is numba_kernels else "numpy"
    hashes = random_hashes(rng, 4200, 64, 6)
    assert disagreements(hashes, random_sets(rng, 260, 4200, 3), engine) > 200


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("token", [-1, 20])
def test_a_token_outside_the_vocabulary(engine: kernels.Engine, token: int) -> None:
    packed = PackedHashes.random(np.random.default_rng(0), 20, 12, 3)
    tokens = np.array([[0, 1], [2, token]])
    for query in (packed.count_covered, packed.missing_bits_histogram):
        with pytest.raises(IndexError, match=r"tokens must lie in 0\.\.19"):
            query(tokens, engine)


def test_without_numba_the_numbers_are_the_same() -> None:
    """In a Python that cannot find Numba, the estimate is the same to the last digit."""
    arguments = "--n 700 --k 3 --d 40 --m 8 --method direct --sets 60000 --families 30 --json"
    hide = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'numba' else find(name, *rest)\n"
        "sys.modules['numba'] = None\n"
    )
    estimates = []
    for preparation in ("", hide):
        code = (
            f"import sys\n{preparation}sys.argv[1:] = {arguments.split()!r}\n"
            "from simulate import estimate, kernels\nestimate.main()\n"
            "print(kernels.ENGINES, file=sys.stderr)"
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        estimates.append(run.stdout.split('"estimate": ')[1].split(",")[0])
        engines = run.stderr.strip()
    assert engines == "('numpy',)"
    assert estimates[0] == estimates[1]
