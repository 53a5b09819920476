"""Saved files are read by the type of what they hold; a number knows where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from reports.documents import figures, record, run, table, verdict
from reports.jobs import JOBS, SCALING, SOURCE_ANALYSIS, STUDY, SURVEY
from reports.results import MissingResult, Results
from reports.traced import Unmeasured, given, located, only
from simulate.jobs.checks import Verdict
from simulate.jobs.table import Kind, Point, as_csv
from tests.reports.planted import save_run, write_json
from theory.domain import DomainError


@dataclass(frozen=True)
class Level:
    missing: int
    logit: float | None


@dataclass(frozen=True)
class Record:
    rate: float
    levels: list[Level]

    def level(self, missing: int) -> Level:
        return only(self.levels, lambda each: each.missing == missing)

    @property
    def first(self) -> Level:
        return self.levels[0]


RECORD = Record(0.25, [Level(1, -4.0), Level(0, -0.5), Level(2, None)])
DOCUMENT = record(SCALING, "record.json", Record)
TABLE = table(STUDY, "curve", Point)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    for job in (SCALING, STUDY):
        save_run(tmp_path, job)
    write_json(tmp_path, DOCUMENT, RECORD)
    rows = [Point("a", "s", Kind.EXACT, 1, 0.5), Point("a", "s", Kind.MEASURED, 2, 1.5, 1.0, 2.0)]
    (tmp_path / TABLE.file).write_text(as_csv(rows))
    return tmp_path


class TestResults:
    def test_files_by_their_types(self, saved):
        results = Results(saved)
        assert results.read(DOCUMENT) == RECORD
        assert [row.y for row in results.read(TABLE)] == [0.5, 1.5]
        assert results.command(SCALING) == "python -m scaling"

    @pytest.mark.parametrize("document", [verdict(SURVEY), run(SOURCE_ANALYSIS), verdict(SCALING)])
    def test_what_is_not_there_names_its_job(self, saved, document):
        with pytest.raises(MissingResult) as raised:
            Results(saved).read(document)
        assert raised.value.job == document.job

    def test_a_job_that_did_not_end_has_no_results(self, saved):
        (saved / run(SCALING).file).unlink()
        with pytest.raises(MissingResult):
            Results(saved).read(DOCUMENT)

    def test_missing_jobs_and_their_commands(self, saved):
        missing = Results(saved).missing()
        assert missing == [job for job in JOBS if job not in (SCALING, STUDY)]
        assert SURVEY.command("there") == "python -m train.survey --out there/survey"
        command = SOURCE_ANALYSIS.command("there")
        assert (
            command
            == "python -m train.analyse there/networks/source --inputs 100000 --formats svg "
            "--out there/analysis/source"
        )

    def test_figures_come_from_the_index_of_the_job(self, saved):
        entry = {"id": "curve", "caption": "What it shows.", "files": ["curve.csv", "curve.svg"]}
        write_json(saved, figures(STUDY), [entry])
        (figure,) = Results(saved).figures()
        assert (figure.job, figure.name, figure.caption) == (STUDY, "curve", "What it shows.")
        assert figure.csv == saved / TABLE.file

    @pytest.mark.parametrize("content", ["{", '{"rate": 0.5}', '{"rate": "x", "levels": []}'])
    def test_a_file_of_another_kind_says_how_to_make_it_again(self, saved, content):
        (saved / DOCUMENT.file).write_text(content)
        with pytest.raises(DomainError, match=r"results must be whole and of this version.*again:"):
            Results(saved).read(DOCUMENT)

    def test_results_are_a_folder(self, tmp_path):
        with pytest.raises(DomainError, match="results must be a folder"):
            Results(tmp_path / "nowhere")

    def test_labels_are_for_people_only(self, saved):
        """A verdict without any label in it reads as well."""
        assert Verdict(True, 0.0, []).passed


class TestTraced:
    @pytest.mark.parametrize(
        ("get", "value", "path"),
        [
            (lambda r: r.rate, 0.25, ("rate",)),
            (lambda r: r.levels[1].logit, -0.5, ("levels", 1, "logit")),
            (lambda r: r.level(0).logit, -0.5, ("levels", 1, "logit")),
            (lambda r: r.first.missing, 1, ("levels", 0, "missing")),
            (lambda r: given(r.first.logit), -4.0, ("levels", 0, "logit")),
            (lambda r: r.levels[-1].missing, 2, ("levels", -1, "missing")),
        ],
    )
    def test_value_and_place(self, get, value, path):
        assert located(RECORD, get) == (value, path)

    def test_nothing_to_measure(self):
        with pytest.raises(Unmeasured):
            located(RECORD, lambda r: given(r.level(2).logit))

    def test_what_is_not_there(self):
        with pytest.raises(LookupError):
            located(RECORD, lambda r: r.level(7).logit)

    def test_numbers_are_parts_and_not_computed(self):
        with pytest.raises(TypeError):
            located(RECORD, lambda r: 2.0)
