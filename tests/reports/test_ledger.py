"""Verdicts follow from saved numbers, prose from the same numbers, and what is missing is said."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reports import render
from reports.documents import figures, record, table, verdict
from reports.jobs import SCALING, SOURCE_ANALYSIS, STUDY
from reports.ledger import Claim, Finding, Verdict, failed_checks, judge, ledger
from reports.numbers import Checks, Evidence
from reports.results import Results
from reports.traced import given
from simulate.jobs import checks
from simulate.jobs.checks import Check, Which
from simulate.jobs.intervals import Estimate, Interval
from simulate.jobs.table import Kind, Point, as_csv
from tests.reports.planted import save_run, write_json

A, B = (Which("curve", "slope", {"n": n}) for n in (10, 20))
RATE = Estimate(0.25, (0.125, 0.5), 0.95, 1000, Interval.CLOPPER_PEARSON)


@dataclass(frozen=True)
class Record:
    rate: Estimate
    count: int = 3
    nothing: float | None = None


ANALYSIS = record(SOURCE_ANALYSIS, "analysis.json", Record)
TABLE = table(STUDY, "curve", Point)


def check(which: Which, observed: float | None, passed: bool = True) -> Check:
    at = dict(which.at)
    interval = (0.5, None)
    return Check(
        which.id, "a slope", which.panel, which.quantity, at, 1.0, observed, interval, passed, 0.0
    )


def save_checks(folder: Path, *saved: Check) -> None:
    write_json(folder, verdict(SCALING), checks.verdict(saved))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A few results, as the jobs leave them."""
    for job in (SCALING, STUDY, SOURCE_ANALYSIS):
        save_run(tmp_path, job)
    save_checks(tmp_path, check(A, 1.25), check(B, 2.0))
    write_json(tmp_path, ANALYSIS, Record(RATE))
    rows = [
        Point("tv", "s", Kind.MEASURED, 1, 0.5, 0.25, 0.75),
        Point("tv", "s", Kind.EXACT, 2, 1.5),
    ]
    (tmp_path / TABLE.file).write_text(as_csv(rows))
    entry = {"id": "curve", "caption": "What it shows.", "files": ["curve.csv", "curve.svg"]}
    write_json(tmp_path, figures(STUDY), [entry])
    (tmp_path / "study/curve.svg").write_text("<svg>")
    return tmp_path


class TestNumbers:
    @pytest.mark.parametrize(
        ("read", "value", "text"),
        [
            (lambda e: e.number("", ANALYSIS, lambda r: r.count), 3, "3"),
            (
                lambda e: e.number("", ANALYSIS, lambda r: r.rate, ".1%"),
                0.25,
                "25.0% [12.5%, 50.0%], 1,000 samples",
            ),
            (
                lambda e: e.check("", SCALING, A, ".2f"),
                1.25,
                "1.25, predicted 1.00; interval [0.50, …]",
            ),
            (
                lambda e: e.point("", TABLE, lambda row: row.x == 1, ".2f"),
                0.5,
                "0.50 [0.25, 0.75]",
            ),
            (lambda e: e.point("", TABLE, lambda row: row.x == 2, ".2f"), 1.5, "1.50"),
            (
                lambda e: e.bounds("", ANALYSIS, lambda r: r.rate.interval, ".3f"),
                0.3125,
                "[0.125, 0.500]",
            ),
        ],
    )
    def test_interval_prediction_and_samples(self, saved, read, value, text):
        evidence = Evidence(Results(saved))
        assert read(evidence) == value
        assert [found.text for found in evidence.found] == [text]

    def test_rules_see_ends_of_intervals(self, saved):
        evidence = Evidence(Results(saved))
        rate = evidence.number("", ANALYSIS, lambda r: r.rate)
        assert (rate.low, rate.high) == RATE.interval
        count = evidence.number("", ANALYSIS, lambda r: r.count)
        assert (count.low, count.high) == (3, 3)

    def test_places_are_those_that_were_read(self, saved):
        evidence = Evidence(Results(saved))
        evidence.number("", ANALYSIS, lambda r: r.rate)
        evidence.check("", SCALING, A)
        evidence.point("", TABLE, lambda row: row.x == 1)
        evidence.passed("", Checks(SCALING, "curve"))
        assert [found.place for found in evidence.found] == [
            "analysis/source/analysis.json > rate",
            "scaling/verdict.json > checks > curve/slope/n=10",
            "study/curve.csv > tv/s/measured/1",
            "scaling/verdict.json > checks > curve",
        ]

    def test_ranges(self, saved):
        evidence = Evidence(Results(saved))
        found = evidence.points("", TABLE, lambda row: row.axis == "tv", ".1f", "points")
        assert (found.low, found.high, found.count) == (0.5, 1.5, 2)
        assert evidence.found[0].text == "0.5 to 1.5, 2 points"
        observed = evidence.observed("", Checks(SCALING, "curve", "slope"))
        assert (observed.low, observed.high, observed.count) == (1.25, 2.0, 2)

    def test_passed_checks(self, saved):
        assert Evidence(Results(saved)).passed("", Checks(SCALING, "curve", "slope"))
        save_checks(saved, check(A, 1.0), check(B, 1.0, passed=False))
        evidence = Evidence(Results(saved))
        assert not evidence.passed("", Checks(SCALING))
        assert evidence.found[0].text == "1 of 2"
        only_a = Checks(SCALING, fits=lambda check: check.at["n"] == 10)
        assert evidence.passed("", only_a)

    @pytest.mark.parametrize(
        "read",
        [
            lambda e: e.number("", record(STUDY, "no.json", Record), lambda r: r.count),
            lambda e: e.check("", STUDY, A),
            lambda e: e.check("", STUDY, Which("curve", "slope", {"n": 30})),
            lambda e: e.point("", TABLE, lambda row: row.x == 7),
            lambda e: e.point("", TABLE, lambda row: row.axis == "tv"),  # one is one
            lambda e: e.points("", TABLE, lambda row: row.axis == "kl"),
            lambda e: e.passed("", Checks(STUDY, "curve")),
        ],
    )
    def test_what_is_missing_is_no_number(self, saved, read):
        evidence = Evidence(Results(saved))
        read(evidence)
        assert list(evidence.missing) == [STUDY]
        assert evidence.found == []


def slope(evidence: Evidence) -> Finding:
    found = evidence.check("slope", SCALING, A)
    rate = evidence.number("rate", ANALYSIS, lambda r: r.rate)
    return Finding([found > 1.0], f"The slope is {found:.2f}.", f"But {rate:.0%} fail.", rate > 0.2)


def claim(**changes: Any) -> Claim:
    made = Claim(
        "1",
        "A slope",
        "It is above 1.",
        lambda evidence: replace(slope(evidence), limit=""),
        figures=[(STUDY, "curve")],
    )
    return replace(made, **changes)


class TestVerdicts:
    def test_confirmed(self, saved):
        row = judge(claim(), Results(saved))
        assert (row.verdict, row.finding) == (Verdict.CONFIRMED, "The slope is 1.25.")
        assert row.limit == ""
        assert row.commands == [
            "python -m scaling",
            "python -m analysis/source",
            "python -m study",
        ]
        assert row.missing == []

    def test_prose_follows_the_number(self, saved):
        save_checks(saved, check(A, 1.75))
        assert judge(claim(), Results(saved)).finding == "The slope is 1.75."

    @pytest.mark.parametrize("observed", [0.75, None])
    def test_a_wrong_number_is_refuted_and_nothing_is_said_of_it(self, saved, observed):
        save_checks(saved, check(A, observed))
        row = judge(claim(rule=slope), Results(saved))
        assert (row.verdict, row.finding, row.limit) == (Verdict.REFUTED, "", "")
        assert judge(claim(question=True), Results(saved)).verdict == Verdict.OPEN

    def test_what_cannot_be_measured_confirms_nothing(self, saved):
        def rule(evidence: Evidence) -> Finding:
            evidence.number("", ANALYSIS, lambda r: given(r.nothing))
            return Finding([True], "It is so.")

        row = judge(claim(rule=rule), Results(saved))
        assert (row.verdict, row.missing) == (Verdict.REFUTED, [])

    def test_a_job_that_did_not_end_is_missing(self, saved):
        (saved / "scaling/run.json").unlink()
        row = judge(claim(), Results(saved))
        assert (row.verdict, row.missing, row.finding) == (Verdict.MISSING, ["scaling"], "")
        assert [number.label for number in row.numbers] == ["rate"]

    def test_a_limit_is_stated_where_it_applies(self, saved):
        row = judge(claim(rule=slope), Results(saved))
        assert (row.verdict, row.limit) == (Verdict.LIMITED, "But 25% fail.")
        assert judge(claim(rule=slope, question=True), Results(saved)).verdict == Verdict.PARTLY
        write_json(saved, ANALYSIS, Record(replace(RATE, value=0.1)))
        row = judge(claim(rule=slope), Results(saved))
        assert (row.verdict, row.limit) == (Verdict.CONFIRMED, "")

    def test_a_verdict_says_of_what_alone_it_holds(self, saved):
        row = judge(
            claim(rule=lambda evidence: replace(slope(evidence), scope="of half")), Results(saved)
        )
        assert row.judged == "confirmed with a limit, of half"

    def test_figures_that_are_not_there_are_missing(self, saved):
        row = judge(claim(), Results(saved))
        assert ([figure.name for figure in row.figures], row.missing) == (["curve"], [])
        row = judge(claim(figures=[(STUDY, "other")]), Results(saved))
        assert (row.figures, row.missing) == ([], ["study"])
        row = judge(claim(figures=(), where_there=[(STUDY, "other")]), Results(saved))
        assert (row.figures, row.missing) == ([], [])

    def test_failed_checks_are_named(self, saved):
        assert failed_checks(Results(saved)) == []
        save_checks(saved, check(A, 9.0, passed=False))
        assert failed_checks(Results(saved)) == ["scaling: a slope"]


class TestRendering:
    def test_markdown_has_numbers_places_figures_and_commands(self, saved):
        rows = ledger([claim()], Results(saved))
        text = render.markdown(rows, ["python -m survey"])
        for part in (
            "Of 1 claims and questions: 1 confirmed.",
            "| 1 | [A slope](#1-a-slope) | confirmed |",
            "## 1. A slope",
            "`scaling/verdict.json > checks > curve/slope/n=10`",
            "![curve](figures/study_curve.svg)",
            "python -m analysis/source",
            "    python -m survey",
        ):
            assert part in text

    def test_html_escapes_what_it_shows(self, saved):
        text = render.section(ledger([claim(title="<b>", said="1 < 2")], Results(saved)))
        assert "&lt;b&gt;" in text
        assert "1 &lt; 2" in text
        assert base64.b64encode(gzip.compress(b"<svg>", 9, mtime=0)).decode() in text

    def test_minus_signs(self, saved):
        save_checks(saved, check(A, 1.25e-8))
        text = "It is -3 of 1e-8, -0.00 or -0.01, not a-b or 3-4."

        def rule(evidence: Evidence) -> Finding:
            return replace(slope(evidence), conditions=[True], text=text)

        row = judge(claim(rule=rule), Results(saved))
        assert row.finding == "It is −3 of 1e−8, 0.00 or −0.01, not a-b or 3-4."
