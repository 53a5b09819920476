"""The README's programs run as they stand, and print what it says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

README = Path("README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
(OUTPUT,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


def test_it_can_be_read_in_a_minute() -> None:
    assert len(README.splitlines()) <= 150
    assert len(BLOCKS) == 2


def test_one_version_everywhere() -> None:
    version = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["version"]
    changes = Path("CHANGELOG.md").read_text("utf-8")
    newest, released = re.findall(r"^## \[(\d.*)\] - (\S+)$", changes, re.MULTILINE)[0]
    assert newest == version
    citation = Path("CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\ndate-released: {released}\n" in citation


def test_each_release_has_its_date_and_newer_ones_stand_first() -> None:
    titles = re.findall(r"^## (.*)$", Path("CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert titles[0] == "[Unreleased]"
    dated = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)", each) for each in titles[1:]]
    dates = [found[1] for found in dated if found]
    assert len(dates) == len(titles) - 1 >= 2
    assert dates == sorted(map(date.isoformat, map(date.fromisoformat, dates)), reverse=True)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert Path(target).exists(), target


def test_the_short_example(capsys: pytest.CaptureFixture[str]) -> None:
    exec(next(block for block in BLOCKS if "model" not in block), {})
    assert capsys.readouterr().out == OUTPUT


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
    assert "clamp" in capsys.readouterr().out
