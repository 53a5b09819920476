"""`python -m train.survey --quick` as a user runs it, its panels on known rows, planted faults."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from simulate.constructions import clamp
from simulate.jobs import tasks as sweep
from simulate.jobs.checks import MOST_FALSE_ALARM
from simulate.jobs.panel import DEFAULT, FULL, QUICK, Row
from tests.train.subjects import hashes_for
from train.analysis import prediction
from train.analysis.behaviour import draw_sample
from train.analysis.outcomes import hashes_of
from train.panels import SURVEY, formation, learned_density, predicted_against_measured
from train.panels.analysed import covered
from train.panels.formation import lag, moments, step_at, values
from train.panels.learned_density import exponent
from train.reading.masks import extract


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("survey")
    command = [sys.executable, "-m", "train.survey", "--quick", "--out", str(out), "--json"]
    run = subprocess.run(
        [*command, "--formats", "svg"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["passed"] is True
    return out


@pytest.fixture(scope="module")
def rows(finished: Path) -> dict[str, list[Row]]:
    """Each panel's rows, as its checks and table see them."""
    lines = (finished / "results.jsonl").read_text().splitlines()[1:]
    results = {line["task"]: line["result"] for line in map(json.loads, lines)}
    return {
        name: [{**task.arguments, **results[task.name]} for task in panel.tasks(QUICK)]
        for name, panel in SURVEY.items()
    }


def test_files(finished: Path) -> None:
    """Every panel has its figure and its numbers."""
    for name in SURVEY:
        for ending in ("csv", "svg"):
            assert (finished / f"{name}.{ending}").stat().st_size > 0
    checks = json.loads((finished / "verdict.json").read_text())["checks"]
    assert len(checks) >= 2


def test_shared_networks_are_trained_once(finished: Path) -> None:
    """Two panels read the same rows; the ledger has each once."""
    lines = (finished / "results.jsonl").read_text().splitlines()[1:]
    names = [json.loads(line)["task"] for line in lines]
    asked = [task.name for panel in SURVEY.values() for task in panel.tasks(QUICK)]
    assert len(names) == len({*names}) < len(asked)
    assert {*names} == {*asked}


@pytest.mark.parametrize("effort", [QUICK, DEFAULT, FULL], ids=lambda effort: effort.name)
def test_every_effort(effort) -> None:
    """Equal names are equal tasks, and the checks stay within the false-alarm budget."""
    tasks = [task for panel in SURVEY.values() for task in panel.tasks(effort)]
    assert len(sweep.distinct(tasks)) < len(tasks)
    networks = len(predicted_against_measured.tasks(effort))
    assert effort is QUICK or networks >= 30
    assert 2 * networks * 1e-6 < MOST_FALSE_ALARM


def test_masks_with_a_flipped_bit_fail() -> None:
    """The exact law of masks that are not the network's is not what its own do."""
    network, k, rng = clamp(hashes_for(24, 28, 3), beta=8.0), 3, np.random.default_rng(0)
    masks = extract(network, k, 2.0)
    sample = draw_sample(network, hashes_of(masks), k, 2.0, rng, 50_000)

    def failed(judged) -> int:
        found = prediction.analyse(network, judged, k, 2.0, rng, 50_000, sample)
        row = {
            "diverged": False,
            "verdict": "clamp",
            "embedding_scale": 1.0,
            "seed": 0,
            **{"n": 24, "k": k, "d": 28},
            "comparisons": found.record["comparisons"],
            "covered": covered(sample.outcomes.false_positives),
        }
        checks = predicted_against_measured.checks([row])
        assert len(checks) == 2
        return sum(not check.passed for check in checks)

    assert failed(masks) == 0
    flipped = copy.deepcopy(masks)
    token = 14  # a bit fewer, and its hash is covered so often that the rate grows by a third
    flipped.read[token, flipped.read[token].argmax()] = False
    assert failed(flipped) == 2


@pytest.mark.parametrize("change", [{"failing": 0}, {"failing": 20_000}])
def test_other_counts_fail(rows: dict[str, list[Row]], change: Row) -> None:
    panel = SURVEY["predicted_against_measured"]
    assert all(check.passed for check in panel.checks(rows[panel.name]))
    worse = copy.deepcopy(rows[panel.name])
    for row in worse:
        row["covered"] |= change
    assert not any(check.passed for check in panel.checks(worse) if check.name.startswith("inputs"))


def test_an_exact_filter_that_lets_one_pass_fails(rows: dict[str, list[Row]]) -> None:
    """Of held-out sets or of others."""
    panel = SURVEY["covered_inputs"]
    own = rows[panel.name]
    assert [check.passed for check in panel.checks(own)] == [True] * 2 * len(own)
    for which in range(2):
        worse = copy.deepcopy(own)
        for row in worse:
            row["ways"][which]["failing"][-1] = round(0.98 * row["ways"][which]["inputs"])
        assert sum(not check.passed for check in panel.checks(worse)) == len(own)


def test_shares_inside_are_counted(rows: dict[str, list[Row]]) -> None:
    """A prediction moved out of every interval is inside none."""
    panel = SURVEY["predicted_against_measured"]

    def inside(of: list[Row]) -> float:
        (point,) = (
            point
            for point in panel.table(of)
            if (point.axis, point.series) == ("inside", "mechanistic_failure_rate from masks")
        )
        return point.y

    moved = copy.deepcopy(rows[panel.name])
    for row in moved:
        for each in row["comparisons"]:
            each["inside"] = False
    assert inside(moved) == 0.0
    assert inside(rows[panel.name]) > 0.0


def test_diverged_networks_are_left_out(rows: dict[str, list[Row]]) -> None:
    """Every panel draws what is left."""
    for name, panel in SURVEY.items():
        first, *rest = panel.tasks(QUICK)
        lost = {**first.arguments, "diverged": True}
        kept = panel.table([lost, *rows[name][1:]])
        assert panel.checks([lost, *rows[name][1:]]) == panel.checks(rows[name][1:])
        panel.figure(kept)
        assert len(rest) > 0


def test_the_exponent_of_a_power_law() -> None:
    """Exact on a power; its interval holds the truth for 95 % of noisy ones."""
    x = np.repeat([32.0, 48.0, 64.0, 96.0], 3)
    exact = exponent(x, 3.0 * x**-0.7)
    assert exact.estimate == pytest.approx(-0.7)
    rng = np.random.default_rng(0)
    noisy = [exponent(x, 3.0 * x**-0.7 * np.exp(0.1 * rng.normal(size=12))) for _ in range(1000)]
    # 950 ± 5 standard deviations of 6.9
    assert 915 <= sum(each.contains(-0.7) for each in noisy) <= 985


def density_rows(power: float) -> list[Row]:
    """Rows of the default sweeps whose density goes as a power of k and of nothing else."""
    return [
        {
            **task.arguments,
            "diverged": False,
            "verdict": "clamp",
            "density": 0.3 * task.arguments["k"] ** power,
            "failures": 10,
            "inputs": 1000,
        }
        for task in learned_density.tasks(DEFAULT)
    ]


def test_densities_follow_what_is_planted() -> None:
    """Each sweep finds its own power; networks that are no clamp are counted, not fitted."""
    planted = density_rows(-1.0)
    planted[0]["verdict"] = "none"
    points = learned_density.table(planted)
    power = {p.axis: p.y for p in points if p.axis.startswith("power") and p.series == "learned"}
    assert power.pop("power of k") == pytest.approx(-1.0)
    assert len(power) == len(learned_density.SWEEPS) - 1
    assert all(abs(each) < 1e-9 for each in power.values())
    left_out = {p.series: p.y for p in points if p.axis == "left out"}
    assert left_out["k"] == 1
    assert sum(left_out.values()) == 1
    learned_density.figure(points)


def test_moments_end_at_the_last_step() -> None:
    for steps, count in ((1, 5), (10, 30), (12_000, 100)):
        found = moments(steps, count)
        assert found[:2] == [0, 1]
        assert found[-1] == steps
        assert found == sorted({*found})
        assert len(found) <= count + 1


def test_step_at() -> None:
    """Interpolated in the logarithm; the last crossing counts; at once is the first moment."""
    step = [0, 1, 2, 4, 8]
    assert step_at(step, np.array([1.0, 1.0, 1.0, 0.0, 0.0])) == pytest.approx(2 * 2**0.5)
    assert step_at(step, np.array([0.0, 1.0, 0.0, 0.0, 1.0])) == pytest.approx(4 * 2**0.5)
    assert step_at(step, np.array([0.0, 1.0, 1.0, 1.0, 1.0])) == 1.0
    assert step_at(step, np.array([1.0, 1.0, 1.0, 1.0, 1.0])) == 1.0


def test_lags_are_told_apart() -> None:
    """Modes that part two doublings after the loss, an agreement one doubling before it."""
    step = np.array([0, *2 ** np.arange(10)])

    def after(power: int) -> list[float]:
        return (step >= 2**power).astype(float).tolist()

    row = {
        "n": 100,
        "k": 2,
        "step": step.tolist(),
        "kl": [math.log(50) * (1 - each) for each in after(5)],
        "two_modes": after(7),
        "agreement": after(4),
        "clamp": after(6),
        "complement": [0.0] * len(step),
    }
    assert lag(row, "two_modes") == pytest.approx(2.0)
    assert lag(row, "agreement") == pytest.approx(-1.0)
    assert lag(row, "oriented") == pytest.approx(1.0)
    assert lag(row, "kl") == pytest.approx(math.log2(2 ** (4 + 0.9) / 2 ** (4 + 0.5)))
    assert values(row | {"kl": [100.0, 1.0]}, "kl")[0] == 1.0


def test_a_look_at_a_network() -> None:
    """A construction agrees in full; shuffled outputs agree no more than by chance."""
    from dataclasses import replace

    network = clamp(hashes_for(80, 16, 4))
    seen = formation.look(network, 3, 2.0)
    assert seen["agreement"] == seen["score"] == seen["clamp"] == seen["two_modes"] == 1.0
    assert seen["density"] == 0.25
    assert seen["complement"] == 0.0
    order = np.random.default_rng(0).permutation(80)
    shuffled = formation.look(replace(network, W_U=network.W_U[:, order]), 3, 2.0)
    assert abs(shuffled["agreement"]) < 0.2
    assert shuffled["clamp"] == 0.0
