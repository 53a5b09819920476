"""Every number on a written page follows from the saved results, from the code or from theory."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.docs import regions
from reports.docs.generate import DOCS, benchmark, coverage, jobs
from reports.docs.generate.gallery import saved
from simulate.jobs.table import Kind
from tests.reports.stated import STATED, unexplained
from theory import union_size_law
from theory.domain import DomainError
from train.benchmarks.methods import Name
from train.benchmarks.panel import Axis, Measure, ScorePoint
from train.benchmarks.suite import SIZES
from train.organism.names import Grade

README = Path("README.md")
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("tutorials/*.md"), README])
# numbers of other people's works, each with its source beside it
OF_OTHERS = ("related",)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
class TestPages:
    def test_it_states_what_follows(self, path):
        text = " ".join(path.read_text("utf-8").split())
        stated = STATED.get(path.stem, list)()
        assert [phrase for phrase in stated if phrase.strip() not in text] == []

    def test_it_states_nothing_else(self, path):
        if path.stem not in OF_OTHERS:
            assert unexplained(path.read_text("utf-8"), STATED.get(path.stem, list)()) == []

    def test_what_is_written_by_a_command_is_as_it_writes_it(self, path):
        text = path.read_text("utf-8")
        assert regions.filled(text) == text


class TestUnexplained:
    """A number that nothing explains is found."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("It fails on 1.66 % of inputs.", ["1.66"]),
            ("It fails on 2 % of inputs.", ["2"]),
            ("Rates fall to 10⁻¹².", ["10⁻¹²"]),
            ("With 45 billion inputs, 1,024 members.", ["45", "1,024"]),
            ("It takes two minutes and 0.7 GB.", ["two minutes", "0.7"]),
            ("It takes half a minute.", ["half a minute"]),
            ("a quarter of an\nhour on two cores", ["a quarter of an hour"]),
            ("It took 90 seconds.", ["90"]),
            ("<!-- other -->\n\n12\n\n<!-- /another -->", ["12"]),
        ],
    )
    def test_planted(self, text, found):
        assert unexplained(text, []) == found
        assert unexplained(f"At n = 512, d = 64 and k = 3: {text}", ["It fails"]) == found

    @pytest.mark.parametrize(
        "text",
        [
            "For n = 512 and 1,024, k = 3 the states are 0, 1 and 2, or 1/(k + 1).",
            "Take $n = 60$ and `--n 4096`.\n\n```python\nn = 50_257\n```\n\nThe 50,257 tokens",
            "It took {{ time }}; see [the table](table_12.csv) and GPT-2.",
            "<!-- verdicts -->\n\n1.66 %\n\n<!-- /verdicts -->",
            "Failures are rarer than 1 in 27,000 inputs.",
        ],
    )
    def test_explained(self, text):
        assert unexplained(text, ["rarer than 1 in 27,000 inputs"]) == []


class TestBenchmark:
    """The sentences between its tables, whose numbers are read but whose sense is fixed."""

    points = saved().read(benchmark.POINTS)

    def score(self, method: Name, axis: Axis, x: float) -> float:
        return benchmark.score(self.points, method, axis, x).y

    def test_who_finds_every_bit(self):
        for grade in set(Grade) - {Grade.NOISE}:
            for method in (Name.ANALYSIS, Name.HIDDEN_UNITS):
                assert self.score(method, Axis.GRADE, grade) > 0.985

    def test_who_finds_many_in_another_basis(self):
        found = {each for each in Name if self.score(each, Axis.GRADE, Grade.BASIS) > 0.5}
        assert found == {Name.ANALYSIS, Name.HIDDEN_UNITS, Name.ICA, Name.NMF}

    def test_ica_finds_the_bits_of_trained_networks(self):
        ica, ours = (
            benchmark.score(self.points, method, Axis.GRADE, Grade.TRAINED)
            for method in (Name.ICA, Name.ANALYSIS)
        )
        assert ours.low <= ica.high
        assert ica.low <= ours.high

    def test_half_of_the_bits_are_on(self):
        law = union_size_law(SIZES.k, SIZES.d, SIZES.m)
        fill = sum(size * p for size, p in enumerate(law)) / SIZES.d
        assert fill == pytest.approx(0.5, abs=0.02)

    def rows(self, **scores: tuple[float, ...]) -> list[ScorePoint]:
        return [
            ScorePoint(
                Axis.NOISE,
                Name(name),
                Kind.MEAN,
                place,
                y,
                y - 0.02,
                y + 0.02,
                measure=Measure.ABOVE_CHANCE,
            )
            for name, ys in scores.items()
            for place, y in enumerate(ys)
        ]

    def test_levels_of_noise(self):
        points = self.rows(ica=(1.0, 0.4, 0.6, 0.1, 0.0), nmf=(0.9, 0.5, 0.61, 0.2, 0.1))
        assert benchmark.lost_from(points, Name.ICA) == 3
        assert benchmark.overtaken_from(points, Name.ICA, Name.NMF) == 3
        with pytest.raises(ValueError, match="empty"):
            benchmark.overtaken_from(points, Name.NMF, Name.ICA)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "a second"), (74.1, "74 seconds"), (139.9, "2 minutes"), (6000.0, "1.7 hours")],
)
def test_durations(seconds, text):
    assert jobs.duration(seconds) == text


class TestCoverage:
    report = coverage.Report(
        {
            "theory/a.py": coverage.File(coverage.Summary(6, 8, 1, 2)),
            "theory/b.py": coverage.File(coverage.Summary(2, 4, 3, 6)),
            "theory_of/c.py": coverage.File(coverage.Summary(0, 9, 0, 0)),
        }
    )

    def test_shares(self):
        assert coverage.shares(self.report, ["theory"]) == {"theory": 12 / 20}

    @pytest.mark.parametrize("package", ["simulate", "theory_of", "theory/a.py"])
    def test_what_was_not_measured(self, package):
        with pytest.raises(DomainError, match=f"packages must be among theory, .*{package}"):
            coverage.shares(self.report, [package])

    def test_what_is_kept(self, tmp_path, monkeypatch):
        """Beside what was kept before, with the report as coverage.py writes it."""
        summary = '{"covered_lines": 3, "num_statements": 4, "covered_branches": 0, '
        content = f'{{"files": {{"theory/a.py": {{"summary": {summary}"num_branches": 0}}}}}}}}'
        (tmp_path / "measured.json").write_text(content)
        monkeypatch.setattr(coverage, "SAVED", tmp_path / "saved.json")
        assert coverage.overview() == "No measurement comes with this version."
        (tmp_path / "saved.json").write_text('{"simulate": 0.5}')
        coverage.main(["theory"], tmp_path / "measured.json")
        assert coverage.saved() == {"simulate": 0.5, "theory": 0.75}
        assert "| `theory` | 75 % |\n| `simulate` | 50 % |" in coverage.overview()
