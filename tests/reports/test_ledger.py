"""Verdicts follow from saved numbers, prose from the same numbers, and what is missing is said."""

from __future__ import annotations

import csv
import json
import re
import shutil
import string
from pathlib import Path
from typing import Any

import pytest

from reports import render
from reports.claims import CLAIMS
from reports.ledger import (
    CONFIRMED,
    LIMITED,
    MISSING,
    OPEN,
    REFUTED,
    Claim,
    Number,
    Passed,
    Range,
    failed_checks,
    judge,
    ledger,
)
from reports.results import COMMANDS, MissingResult, Results, shown
from theory.domain import DomainError

EVIDENCE = Path("reports/evidence")
VERDICT, ANALYSIS, TABLE = "scaling/verdict.json", "analysis/source/analysis.json", "study/a.csv"


def check(name: str, panel: str, observed: float, passed: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "panel": panel,
        "predicted": 1.0,
        "observed": observed,
        "interval": [0.5, None],
        "passed": passed,
        "false_alarm": 0.0,
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A few results, as the jobs leave them."""
    write(tmp_path, VERDICT, {"checks": [check("slope", "a", 1.25), check("slope of b", "b", 2.0)]})
    estimate = {"value": 0.25, "interval": [0.125, 0.5], "inputs": 1000}
    levels = [{"missing": 0, "logit": -0.5}, {"missing": 1, "logit": -4.0}]
    write(tmp_path, ANALYSIS, {"failure_rate": estimate, "levels": levels, "exact": 3})
    for job in ("scaling", "analysis/source", "study"):
        write(tmp_path, f"{job}/run.json", {"command": f"python -m {job}"})
    (tmp_path / TABLE).write_text("axis,x,y,low,high\ntv,1,0.5,0.25,0.75\ntv,2,1.5,,\n")
    (tmp_path / "scaling/figures.md").write_text(
        "# Figures of it\n\nBars.\n\n## curve\n\nWhat it shows.\n\nNumbers: [x](x)\n"
    )
    for kind in ("svg", "csv"):
        (tmp_path / f"scaling/curve.{kind}").write_text(f"<{kind}>")
    return tmp_path


def write(folder: Path, file: str, record: Any) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps(record))


class TestResults:
    def test_numbers_by_key_position_and_selector(self, saved):
        results = Results(saved)
        assert results.find(ANALYSIS, ("levels", 1, "logit")) == -4.0
        assert results.find(ANALYSIS, ("levels", {"missing": 0}, "logit")) == -0.5
        assert results.find(TABLE, ({"axis": "tv", "x": 2.0}, "y")) == 1.5
        names = ("checks", {"name": re.compile("^slope")}, "observed")
        assert results.find_all(VERDICT, names) == [1.25, 2.0]

    def test_one_is_one(self, saved):
        with pytest.raises(DomainError, match=r"must have one value at scaling.*; got 2"):
            Results(saved).find(VERDICT, ("checks", {"name": re.compile("slope")}, "observed"))

    @pytest.mark.parametrize(
        ("file", "path"),
        [
            ("survey/verdict.json", ()),
            (ANALYSIS, ("no such key",)),
            (ANALYSIS, ("levels", 7)),
            (ANALYSIS, ("levels", {"missing": 7}, "logit")),
        ],
    )
    def test_what_is_not_there_names_its_job(self, saved, file, path):
        with pytest.raises(MissingResult, match=file.rpartition("/")[0]):
            Results(saved).find(file, path)

    def test_missing_jobs_come_with_their_commands(self, saved):
        missing = Results(saved).missing()
        assert set(missing) == set(COMMANDS) - {"scaling", "analysis/source", "study"}
        assert missing["survey"] == f"python -m train.survey --out {saved}/survey"

    def test_figures_have_captions(self, saved):
        (figure,) = Results(saved).figures()
        assert (figure.job, figure.name, figure.caption) == ("scaling", "curve", "What it shows.")
        with pytest.raises(MissingResult, match="scaling"):
            Results(saved).figure("scaling", "another")

    def test_bad_input(self, saved, tmp_path):
        with pytest.raises(DomainError, match="results must be a folder"):
            Results(tmp_path / "nowhere")
        (saved / VERDICT).write_text("{")
        with pytest.raises(DomainError, match="results must be whole"):
            Results(saved).read(VERDICT)


class TestNumbers:
    @pytest.mark.parametrize(
        ("number", "value", "text"),
        [
            (Number("", ANALYSIS, ("exact",)), 3, "3"),
            (
                Number("", ANALYSIS, ("failure_rate",), ".1%"),
                0.25,
                "25.0% [12.5%, 50.0%], 1,000 inputs",
            ),
            (
                Number("", VERDICT, ("checks", {"name": "slope"}), ".2f"),
                1.25,
                "1.25, predicted 1.00; interval [0.50, …]",
            ),
            (Number("", TABLE, ({"x": 1.0},), ".2f"), 0.5, "0.50 [0.25, 0.75]"),
            (Number("", TABLE, ({"x": 2.0},), ".2f"), 1.5, "1.50"),
        ],
    )
    def test_interval_prediction_and_inputs(self, saved, number, value, text):
        found = number.found(Results(saved))
        assert (found.value, found.text) == (value, text)
        assert found.place == shown(number.file, number.path)

    def test_ranges(self, saved):
        found = Range("", TABLE, ({"axis": "tv"}, "y"), ".1f", "points").found(Results(saved))
        assert (found.value.low, found.value.high, found.value.count) == (0.5, 1.5, 2)
        assert found.text == "0.5 to 1.5, 2 points"

    def test_passed_checks(self, saved):
        assert Passed("", VERDICT).found(Results(saved)).value
        write(saved, VERDICT, {"checks": [check("x", "a", 1.0), check("y", "a", 1.0, False)]})
        found = Passed("", VERDICT, "a").found(Results(saved))
        assert not found.value
        assert found.text == "1 of 2"


def claim(**changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "key": "1",
        "title": "A slope",
        "claim": "It is above 1.",
        "numbers": {
            "slope": Number("slope", VERDICT, ("checks", {"name": "slope"})),
            "rate": Number("rate", ANALYSIS, ("failure_rate",)),
        },
        "finding": "The slope is {slope:.2f}.",
        "holds": lambda values: values["slope"] > 1.0,
        "figures": [("scaling", "curve")],
    }
    return Claim(**fields | changes)


class TestVerdicts:
    def test_confirmed(self, saved):
        row = judge(claim(), Results(saved))
        assert (row.verdict, row.finding, row.limit) == (CONFIRMED, "The slope is 1.25.", "")
        assert row.commands == ["python -m scaling", "python -m analysis/source"]
        assert row.missing == []

    def test_prose_follows_the_number(self, saved):
        write(saved, VERDICT, {"checks": [check("slope", "a", 1.75)]})
        assert judge(claim(), Results(saved)).finding == "The slope is 1.75."

    @pytest.mark.parametrize("observed", [0.75, None])
    def test_a_wrong_number_is_refuted_and_nothing_is_said_of_it(self, saved, observed):
        write(saved, VERDICT, {"checks": [check("slope", "a", observed)]})
        row = judge(claim(limit="But."), Results(saved))
        assert (row.verdict, row.finding, row.limit) == (REFUTED, "", "")
        assert judge(claim(question=True), Results(saved)).verdict == OPEN

    def test_rules_see_intervals(self, saved):
        surely = claim(holds=lambda values: values["rate"].high < 0.4)
        assert judge(surely, Results(saved)).verdict == REFUTED
        surely = claim(holds=lambda values: values["rate"].low > 0.1)
        assert judge(surely, Results(saved)).verdict == CONFIRMED

    def test_a_job_that_did_not_end_is_missing(self, saved):
        (saved / "scaling/run.json").unlink()
        row = judge(claim(), Results(saved))
        assert (row.verdict, row.missing) == (MISSING, ["scaling"])

    def test_a_limit_is_stated_where_it_applies(self, saved):
        limited = {"limit": "But {rate:.0%} fail."}
        row = judge(claim(**limited), Results(saved))
        assert (row.verdict, row.limit) == (LIMITED, "But 25% fail.")
        row = judge(claim(**limited, limited=lambda values: values["rate"] > 0.5), Results(saved))
        assert (row.verdict, row.limit) == (CONFIRMED, "")

    def test_open_questions_stay_open(self, saved):
        assert judge(claim(holds=None), Results(saved)).verdict == OPEN

    def test_without_its_results_there_is_no_verdict(self, saved):
        (saved / ANALYSIS).unlink()
        row = judge(claim(), Results(saved))
        assert (row.verdict, row.finding) == (MISSING, "")
        assert row.missing == ["analysis/source"]
        assert [number.label for number in row.numbers] == ["slope"]

    def test_failed_checks_are_named(self, saved):
        assert failed_checks(Results(saved)) == []
        write(saved, VERDICT, {"checks": [check("slope", "a", 9.0, passed=False)]})
        assert failed_checks(Results(saved)) == ["scaling: slope"]


class TestRendering:
    def test_markdown_has_numbers_places_figures_and_commands(self, saved):
        rows = ledger([claim()], Results(saved))
        text = render.markdown(rows, {"survey": "python -m survey"})
        for part in (
            "Of 1 claims and questions: 1 confirmed.",
            "| 1 | [A slope](#1-a-slope) | confirmed |",
            "## 1. A slope",
            "`scaling/verdict.json > checks > [name = slope]`",
            "![curve](figures/scaling_curve.svg)",
            "python -m analysis/source",
            "    python -m survey",
        ):
            assert part in text

    def test_html_escapes_what_it_shows(self, saved):
        text = render.section(ledger([claim(title="<b>", limit="1 < 2")], Results(saved)))
        assert "&lt;b&gt;" in text
        assert "1 &lt; 2" in text
        assert "confirmed with a limit" in text


@pytest.fixture(scope="module")
def rows():
    """Every claim over the results that come with the project."""
    return ledger(CLAIMS, Results(EVIDENCE))


@pytest.fixture(scope="module")
def of_another_network(tmp_path_factory):
    """The same results, but for an analysis of a network that was never trained."""
    pytest.importorskip("torch")
    import numpy as np

    from tests.train.subjects import untrained
    from train.analysis.report import analyse
    from train.reading.subject import Subject

    folder = shutil.copytree(EVIDENCE, tmp_path_factory.mktemp("planted") / "evidence")
    network = untrained(np.random.default_rng(0), 96, 24, 24)
    record = analyse(Subject(network, k=3, c=2.0), inputs=2000).record
    for name in ("source", "complement"):
        write(folder, f"analysis/{name}/analysis.json", record)
    return ledger(CLAIMS, Results(folder))


class TestEvidence:
    """The results that come with the project, and the claims over them."""

    def test_every_claim_has_its_results(self, rows):
        assert Results(EVIDENCE).missing() == {}
        assert [row.key for row in rows if row.missing or row.verdict == MISSING] == []
        assert failed_checks(Results(EVIDENCE)) == []

    def test_all_claims_and_questions_of_the_source_are_there(self, rows):
        keys = [row.key for row in rows]
        assert keys == [*map(str, range(1, 16)), *"ABCDEF"]
        assert [row.key for row in rows if not row.numbers or not row.figures] == []

    def test_every_run_tells_how_it_was_made(self):
        for job in COMMANDS:
            record = Results(EVIDENCE).read(f"{job}/run.json")
            assert record["command"].startswith("python -m ")
            assert {"configuration", "commit", "versions", "seconds"} <= set(record)

    @pytest.mark.parametrize("each", CLAIMS, ids=lambda each: each.key)
    def test_prose_measures_nothing_by_itself(self, each):
        for prose in (each.finding, each.limit):
            literal = "".join(text for text, *_ in string.Formatter().parse(prose))
            assert re.findall(r"\d[.]\d|\d ?%", literal) == []

    def test_numbers_of_the_readme(self):
        points = Results(EVIDENCE).read("study/learned_codes.csv")
        trained = [point for point in points if point["kind"] == "trained"]
        text = " ".join(Path("README.md").read_text("utf-8").split())
        densest = {512.0: (0.156, 0.159), 1024.0: (0.0, 1.0)}  # preset best, and wide
        variations = []
        for n, (low, high) in densest.items():
            own = [point for point in trained if point["n"] == n and low < point["x"] < high]
            failing = [100.0 * point["y"] for point in own if point["axis"] == "failure"]
            assert len(failing) == 5
            assert f"{min(failing):.2f} to {max(failing):.2f} %" in text
            variations += [point["y"] for point in own if point["axis"] == "variation"]
        assert f"is {min(variations):.4f} to {max(variations):.4f}" in text

    def test_the_readme_has_the_verdicts(self, rows):
        text = Path("README.md").read_text("utf-8")
        table = text.partition("<!-- verdicts -->\n\n")[2].partition("\n\n<!-- /verdicts -->")[0]
        assert table == render.verdicts(rows)

    # those about what a trained network is and does
    @pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "14"])
    def test_an_untrained_network_confirms_nothing(self, of_another_network, key):
        row = next(row for row in of_another_network if row.key == key)
        assert row.verdict in (REFUTED, MISSING)

    @pytest.mark.parametrize("key", ["12", "13", "14", "15", "E"])
    def test_a_failed_check_confirms_nothing(self, tmp_path, key):
        folder = shutil.copytree(EVIDENCE, tmp_path / "evidence")
        for job in ("scaling", "survey"):
            record = json.loads((folder / f"{job}/verdict.json").read_text())
            checks = [each | {"passed": False} for each in record["checks"]]
            write(folder, f"{job}/verdict.json", {"checks": checks})
        row = judge(next(each for each in CLAIMS if each.key == key), Results(folder))
        assert row.verdict in (REFUTED, OPEN)

    @pytest.mark.parametrize(
        ("key", "file", "wrong"),
        [
            ("A", "certificates/finished/certify.json", {"structural": False}),
            ("A", "certificates/source/certify.json", {"searched": {"how": "sample", "inputs": 9}}),
            ("C", "analysis/source/analysis.json", {"uniformity": {"unsaturated_variance": 0.1}}),
        ],
    )
    def test_a_question_stays_open_without_its_answer(self, tmp_path, key, file, wrong):
        folder = shutil.copytree(EVIDENCE, tmp_path / "evidence")
        record = json.loads((folder / file).read_text())
        for name, value in wrong.items():
            record[name] = record[name] | value if isinstance(value, dict) else value
        write(folder, file, record)
        row = judge(next(each for each in CLAIMS if each.key == key), Results(folder))
        assert (row.verdict, row.finding) == (OPEN, "")

    @pytest.mark.parametrize("key", ["B", "F"])
    def test_a_number_of_no_effect_answers_nothing(self, tmp_path, key):
        folder = shutil.copytree(EVIDENCE, tmp_path / "evidence")
        for name in ("learned_density", "formation"):
            rows = list(csv.DictReader((folder / f"survey/{name}.csv").read_text().splitlines()))
            for row in rows:
                if row["axis"].startswith("power of") or row["axis"] == "lag":
                    row |= {"y": "0.0", "low": "-1.0", "high": "1.0"}
            with (folder / f"survey/{name}.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, rows[0])
                writer.writeheader()
                writer.writerows(rows)
        row = judge(next(each for each in CLAIMS if each.key == key), Results(folder))
        assert row.verdict == OPEN

    def test_it_is_small(self):
        size = sum(path.stat().st_size for path in EVIDENCE.rglob("*") if path.is_file())
        assert size < 20 * 2**20
