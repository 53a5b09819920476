"""What the command says of a model, on the records that come with the project."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from theory import command_line
from train.readout.outputs import Whose
from train.readout.report import Report, summary
from train.readout.units import layer_writes
from train.unembedding import RECORD, main

EVIDENCE = Path("reports/evidence/real_models")


def report_of(name: str) -> Report:
    return msgspec.json.decode((EVIDENCE / name / RECORD).read_bytes(), type=Report)


def test_the_summary_says_what_was_looked_for_and_what_would_have_been_found() -> None:
    report = report_of("smollm2")
    lines = {line[:19].strip(): line[19:] for line in summary(report) if line[:19].strip()}
    assert lines["verdict"] == "found"
    assert lines["directions"].startswith("2 with two levels, which part the 49152 tokens into 4")
    assert lines["near misses"].startswith("8 of the 10 best directions have 75% or more")
    assert "85.0% with 12% of the tokens on one" in lines["near misses"]
    assert "the best direction in them has 0.650, and at most 0 pass" in lines["nulls"]
    assert lines["power"].startswith("2 %: 0.77, 5 %: 0.76, 10 %: 0.71, 20 %: 0.63, 30 %: 0.02")
    assert lines["states"] == "2046 made by running the model; perplexity per token: 35.3"
    assert "vary by 1.02 of their mean" in lines["natural outputs"]
    assert "Bloom filter with noise 1.38" in lines["natural outputs"]
    assert lines["k*"].startswith("73: by the theory, random sets of so many tokens")


def test_noise_makes_a_filters_spacings_smoother_and_neither_network_is_as_uneven() -> None:
    for name in ("recogniser", "smollm2"):
        natural = report_of(name).natural
        assert natural is not None
        model, noisy, filter_ = (
            natural.of(each).spacing_cv for each in (Whose.MODEL, Whose.NOISY_BLOOM, Whose.BLOOM)
        )
        assert model < noisy < filter_


def test_units_that_write_nothing_are_left_out_and_scale_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 6)).astype(np.float32)
    directions = rng.standard_normal((5, 6)).astype(np.float32)
    with_dead = np.concatenate([directions, np.zeros((2, 6), np.float32)])
    found = layer_writes(np.random.default_rng(1), "layer", with_dead, vectors)
    assert found is not None
    assert found.units.units == 5
    assert layer_writes(rng, "dead", np.zeros((3, 6), np.float32), vectors) is None
    for scale in (1e-12, 1e12):
        scaled = layer_writes(
            np.random.default_rng(1),
            "layer",
            with_dead * np.float32(scale),
            vectors * np.float32(scale),
        )
        assert scaled is not None
        np.testing.assert_allclose(
            list(vars(scaled.units.kurtosis).values()),
            list(vars(found.units.kurtosis).values()),
            rtol=1e-3,
        )


def test_the_help_says_what_found_means_how_long_it_takes_and_has_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == command_line.DONE
    text = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    for told in ("`found` alone is no Bloom filter", "minutes on two cores", "Example: python -m"):
        assert told in text
