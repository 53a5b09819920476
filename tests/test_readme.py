"""The README's Python runs as it stands."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

BLOCKS = re.findall(r"```python\n(.*?)```", Path("README.md").read_text("utf-8"), re.DOTALL)


def test_its_programs_are_short() -> None:
    assert len(BLOCKS) == 2
    analysis = next(block for block in BLOCKS if "model" in block)
    assert len([line for line in analysis.splitlines() if line.strip()]) < 20


def test_theory_and_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    exec(next(block for block in BLOCKS if "model" not in block), {})
    counted, exact, measured, expected = map(float, capsys.readouterr().out.split())
    assert counted == pytest.approx(exact, rel=0.5)
    assert measured == pytest.approx(expected, rel=0.5)


def test_a_network_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    import numpy as np

    from simulate.constructions import clamp
    from simulate.sampling import random_hashes
    from train.organism.hooked import HookedNetwork

    exact = clamp(random_hashes(np.random.default_rng(0), 64, 20, 5), beta=16.0, dtype=np.float32)
    # biases that cancel in every logit, and that the program must not lose
    b_out = np.linspace(-1.0, 1.0, 20, dtype=np.float32)
    biased = replace(exact, b_out=b_out, b_U=-b_out @ exact.W_U)
    exec(next(block for block in BLOCKS if "model" in block), {"model": HookedNetwork(biased)})
    assert "verdict            clamp: a Bloom filter" in capsys.readouterr().out
