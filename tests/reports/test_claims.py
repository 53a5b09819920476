"""The claims over the results that come with the project, and over planted ones."""

from __future__ import annotations

import ast
import csv
import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports import claims, render
from reports.claims import CLAIMS
from reports.claims.sources import COMPLEMENT, SOURCE
from reports.documents import figures, run, verdict
from reports.jobs import JOBS
from reports.ledger import Claim, Row, Verdict, failed_checks, judge, ledger
from reports.numbers import Evidence
from reports.results import Results
from simulate.jobs.table import Named
from tests.reports.planted import Planted, changes, part, write_json

EVIDENCE = Path("reports/evidence")
SAVED = Results(EVIDENCE)
# the organisms' table is of no figure
TABLES = [path for path in sorted(EVIDENCE.rglob("*.csv")) if path.stem != "organisms"]
HOLDS = (Verdict.CONFIRMED, Verdict.LIMITED, Verdict.ANSWERED, Verdict.PARTLY)


@pytest.fixture(scope="module")
def rows():
    """Every claim over the results that come with the project."""
    return ledger(CLAIMS, SAVED)


class TestEvidence:
    def test_every_claim_has_its_results(self, rows):
        assert SAVED.missing() == []
        assert [(row.key, row.missing) for row in rows if row.missing] == []
        assert failed_checks(SAVED) == []

    def test_all_claims_and_questions_of_the_source_are_there(self, rows):
        keys = [row.key for row in rows]
        assert keys == [*map(str, range(1, 13)), "12b", *map(str, range(13, 16)), *"ABCDEF"]
        assert [row.key for row in rows if not row.numbers or not row.figures] == []

    @pytest.mark.parametrize("job", JOBS, ids=lambda job: job.folder)
    def test_every_run_tells_how_it_was_made(self, job):
        record = SAVED.read(run(job))
        assert record.command.startswith("python -m ")
        assert record.versions

    @pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
    def test_every_row_has_a_clean_id_of_its_own(self, path):
        """Of figures' tables; axes and series are data, and neither mathematics nor prose."""
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert len({row["id"] for row in rows}) == len(rows)
        for row in rows:
            assert row["id"].startswith(f"{row['axis']}/{row['series']}/{row['kind']}/")
            assert re.fullmatch(r"[-\w.,=/]+", f"{row['axis']}/{row['series']}")

    def test_it_is_small(self):
        size = sum(path.stat().st_size for path in EVIDENCE.rglob("*") if path.is_file())
        assert size < 20 * 2**20


def _planted(claim: Claim) -> Iterator[Results]:
    """The saved results with each number that the claim reads changed, one number at a time."""
    evidence = Evidence(SAVED)
    claim.rule(evidence)
    for found in evidence.found:
        saved = SAVED.read(found.document)
        # a range, or a count of checks, is of several parts, which change together
        for others in zip(*(changes(part(saved, path)) for path in found.parts), strict=True):
            parts = dict(zip(found.parts, others, strict=True))
            yield Planted(SAVED, found.document.file, parts)


class TestRules:
    """Every rule fails on results that are otherwise."""

    @pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
    def test_each_condition_can_fail(self, claim):
        before = claim.rule(Evidence(SAVED)).conditions
        assert before
        standing = set(range(len(before)))
        for results in _planted(claim):
            after = claim.rule(Evidence(results)).conditions
            fallen = {at for at in standing if before[at] and not after[at]}
            if fallen:
                row = judge(claim, results)
                assert row.verdict == (Verdict.OPEN if claim.question else Verdict.REFUTED)
                assert row.finding == ""
                standing -= fallen
            if not standing:
                return
        assert standing == {at for at, holds in enumerate(before) if not holds}

    @pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
    def test_a_number_that_changes_changes_what_is_said(self, claim, rows):
        said = next(row for row in rows if row.key == claim.key)
        if said.verdict in HOLDS:
            findings = (judge(claim, results).finding for results in _planted(claim))
            assert any(other not in ("", said.finding) for other in findings)

    def test_labels_are_for_people_only(self, tmp_path, rows):
        """Ten labels of each kind, changed at random: names of checks, captions, labels of rows."""
        folder = shutil.copytree(EVIDENCE, tmp_path / "evidence")
        rng = random.Random(7)
        for job in (job for job in JOBS if job.checked):
            path = folder / verdict(job).file
            record = json.loads(path.read_text())
            for check in rng.sample(record["checks"], min(10, len(record["checks"]))):
                check["name"] = "".join(rng.sample(check["name"], len(check["name"])))
            path.write_text(json.dumps(record))
        for job in JOBS:
            path = folder / figures(job).file
            if path.is_file():
                entries = json.loads(path.read_text())
                for entry in rng.sample(entries, min(10, len(entries))):
                    entry["caption"] = f"{rng.random()}"
                path.write_text(json.dumps(entries))
        for path in sorted(folder.rglob("*.csv")):
            lines = list(csv.DictReader(path.read_text().splitlines()))
            if lines and "label" in lines[0]:
                for line in rng.sample(lines, min(10, len(lines))):
                    line["label"] = f"{rng.random()}"
                with path.open("w", newline="") as stream:
                    writer = csv.DictWriter(stream, lines[0])
                    writer.writeheader()
                    writer.writerows(lines)
        after = ledger(CLAIMS, Results(folder))
        assert [row.record() for row in after] == [row.record() for row in rows]
        shown = [
            re.sub(r"^\*.*", "", render.markdown(each, []), flags=re.MULTILINE)
            for each in (rows, after)
        ]
        assert shown[0] == shown[1]

    def test_words_are_for_people_only(self, monkeypatch, rows):
        """Every label in the code is another: no verdict, number, place or figure is."""
        for member in (member for kind in Named.__subclasses__() for member in kind):
            monkeypatch.setattr(member, "label", f"{len(member.label)} reworded")
        assert [said(row) for row in ledger(CLAIMS, SAVED)] == [said(row) for row in rows]

    # those about what a trained network is and does
    @pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "14"])
    def test_an_untrained_network_confirms_nothing(self, of_another_network, key):
        row = next(row for row in of_another_network if row.key == key)
        assert row.verdict in (Verdict.REFUTED, Verdict.MISSING)


def said(row: Row) -> object:
    """What a row of the ledger says, without its words."""
    numbers = [(number.text, number.value, number.place) for number in row.numbers]
    figures = [figure.file_name for figure in row.figures]
    return row.key, row.verdict, numbers, figures, row.commands, row.missing


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
    for document in (SOURCE, COMPLEMENT):
        write_json(folder, document, record)
    return ledger(CLAIMS, Results(folder))


PROSE = ("text", "limit", "scope")


def prose_of(path: Path) -> Iterator[str]:
    """The literal text of every finding and limit in a file: arguments of `Finding`."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "Finding":
            continue
        keywords = [each.value for each in call.keywords if each.arg in PROSE]
        for argument in (*call.args[1:], *keywords):
            yield from _literals(argument)


def _literals(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not isinstance(node, ast.FormattedValue):  # what stands in braces, and its format
        for child in ast.iter_child_nodes(node):
            yield from _literals(child)


@pytest.mark.parametrize(
    "path", sorted(Path(claims.__file__).parent.glob("*.py")), ids=lambda path: path.stem
)
def test_prose_measures_nothing_by_itself(path):
    """Numbers come from the evidence; those of the construction of an experiment are whole."""
    for text in prose_of(path):
        assert re.findall(r"\d[.]\d|\d ?%", text) == []
