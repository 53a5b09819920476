"""`python -m train.benchmark`: its organisms, methods, checks, table, files, and documentation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("sklearn")

import torch

from simulate.jobs.panel import DEFAULT, QUICK
from simulate.jobs.table import from_csv
from tests.train.panel_jobs import results_of, run_quick
from theory import command_line
from theory.domain import DomainError
from train.benchmark import main
from train.benchmarks import measured, methods, panel, suite
from train.benchmarks.measured import CaseScores, controls, scores_of
from train.benchmarks.methods import METHODS, Name, check_methods
from train.benchmarks.panel import Axis, Measure, ScorePoint
from train.benchmarks.tables import tables
from train.organism.names import Grade
from train.organism.proposal import Proposal
from train.reading.subject import Subject

PAGE = Path("reports/docs/benchmark.md").read_text("utf-8")
ORGANISMS = ("clamp_disguised", "many_tokens", "noise_0_2")
RUN = ("--methods", Name.ANALYSIS, Name.SINGULAR_VECTORS, Name.RANDOM, "--organisms", *ORGANISMS)


def nothing(subject: Subject, rng: np.random.Generator) -> Proposal:
    """A method of a user's, found as MODULE:FUNCTION."""
    return Proposal(np.zeros((subject.network.n, 0), dtype=bool), np.zeros(0))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_quick(main, tmp_path_factory.mktemp("benchmark"), *RUN)


@pytest.fixture(scope="module")
def results(finished: Path) -> list[CaseScores]:
    chosen = panel.panel(RUN[1:4], ORGANISMS, 0)
    return results_of(finished, {panel.NAME: chosen})[panel.NAME]


@pytest.fixture(scope="module")
def points(finished: Path) -> list[ScorePoint]:
    return from_csv((finished / "benchmark.csv").read_text("utf-8"), ScorePoint)


class TestOrganisms:
    def test_grades_ascend_to_the_noise(self):
        grades = [suite.case(name, 0, quick=True).organism.grade for name in ("clamp", "noise_0_8")]
        assert grades == [Grade.EXACT, Grade.NOISE]
        assert {*suite.GRADES} == {*Grade}

    @pytest.mark.parametrize("quick", [True, False])
    def test_names_are_the_organisms_own(self, quick):
        assert suite.chosen((), quick)[:2] == ["clamp", "complement"]
        assert suite.chosen(("clamp", "clamp"), quick) == ["clamp"]
        with pytest.raises(DomainError, match=r"organisms must be among clamp, .*; got clmp"):
            suite.chosen(("clmp",), quick)

    def test_a_seed_and_a_replicate_decide(self):
        one, again, other, next_one = (
            suite.case("clamp_disguised", seed, replicate, quick=True).organism
            for seed, replicate in ((3, 0), (3, 0), (4, 0), (3, 1))
        )
        assert (one.network.W_E == again.network.W_E).all()
        assert (one.truth.read == again.truth.read).all()
        assert (one.truth.read != other.truth.read).any()
        assert (one.truth.read != next_one.truth.read).any()

    def test_more_tokens_than_any_other(self):
        case = suite.case("many_tokens", 0, quick=True)
        others = [suite.SMALL.n, suite.case("noise_0_2", 0, quick=True).subject.network.n]
        assert case.subject.network.n == 8 * max(others)
        rate = case.truth.failures.behaviour
        assert 0.0 < rate.interval[0] < rate.interval[1] < 1.0

    def test_noise_grows_on_one_network(self):
        low, high = (suite.case(name, 0, quick=True) for name in ("noise_0_2", "noise_0_8"))
        assert (low.truth.read == high.truth.read).all()
        assert [case.truth.facts.noise for case in (low, high)] == [0.2, 0.8]

    @pytest.mark.slow
    def test_the_trained_one_has_a_code(self):
        case = suite.case("trained", 0)
        assert case.truth.basis == "causal"
        assert (case.truth.orientation == 1).mean() > 0.9
        assert controls(case.truth, np.random.default_rng(0)).perfect == 1.0
        assert scores_of(Name.ANALYSIS, case, np.random.default_rng(0)).score > 0.95


class TestMethods:
    @pytest.mark.parametrize("name", METHODS)
    def test_each_proposes_and_does_not_see_the_truth(self, name):
        case = suite.case("clamp", 1, quick=True)
        found = scores_of(name, case, np.random.default_rng(0))
        again = scores_of(name, case, np.random.default_rng(0))
        assert found == again
        assert 0 < found.components <= 2 * case.subject.network.h
        # where nothing hides the masks, those that can find them do
        if name in (Name.ANALYSIS, Name.HIDDEN_UNITS):
            assert found.score == 1.0
        if name in (Name.ICA, Name.NMF):
            assert found.above_chance > 0.5
        if name == Name.RANDOM:
            assert abs(found.above_chance) < 0.1

    def test_one_of_a_users_own(self):
        own = methods.method_named(f"{__name__}:nothing")
        case = suite.case("clamp", 1, quick=True)
        assert own(case.subject, np.random.default_rng(0)).read.shape == (64, 0)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("pca", "methods must be among analysis, .*, or MODULE:FUNCTION; got pca"),
            ("no_such_module:f", "no_such_module"),
            ("math:no_such_function", "no_such_function"),
            (":f", "got :f"),
        ],
    )
    def test_an_unknown_one_is_refused(self, name, message):
        with pytest.raises(DomainError, match=message):
            methods.check_methods([name])

    def test_without_scikit_learn_only_its_methods_are_refused(self, monkeypatch):
        monkeypatch.setattr(methods, "find_spec", lambda name: None)
        methods.check_methods([Name.ANALYSIS, Name.RANDOM])
        with pytest.raises(DomainError, match=r"scikit-learn must be installed for ica.*benchmark"):
            methods.check_methods([Name.ANALYSIS, Name.ICA])


class TestJob:
    def test_every_measure_of_every_method(self, points):
        assert {point.series for point in points} == {*RUN[1:4]}
        assert {point.axis for point in points} == {*Axis}
        assert {point.organism for point in points} == {None, *ORGANISMS}
        of_analysis = {p.measure for p in points if p.series == Name.ANALYSIS}
        assert of_analysis == {*Measure}
        silent = {p.measure for p in points if p.series == Name.RANDOM}
        assert of_analysis - silent == {Measure.ORIENTATION}
        assert len({point.id for point in points}) == len(points)

    def test_our_recovery_finds_what_nothing_hides(self, points):
        (found,) = (
            p
            for p in points
            if (p.axis, p.x, p.series, p.measure)
            == (Axis.GRADE, Grade.BASIS, Name.ANALYSIS, Measure.SCORE)
        )
        assert (found.y, found.low, found.high) == (1.0, 1.0, 1.0)

    def test_intervals_are_over_replicates(self, results, points):
        values = [
            each.methods[Name.RANDOM].score for each in results if each.organism == "noise_0_2"
        ]
        (found,) = (
            p
            for p in points
            if (p.axis, p.series, p.measure, p.x) == (Axis.NOISE, Name.RANDOM, Measure.SCORE, 0.2)
        )
        assert found.y == pytest.approx(np.mean(values))
        # Student's t of two values
        reach = 12.706204736 * abs(values[0] - values[1]) / 2
        assert found.high - found.y == pytest.approx(reach)

    def test_the_table_is_printed(self, finished, points, capsys):
        more = ("--resume", *RUN)
        run_quick(main, finished, *more)
        printed = capsys.readouterr().out
        assert tables(points) in printed
        assert re.search(r"\| our recovery +\| 1\.00 ± 0\.00 +\|", printed)

    def test_it_resumes(self, finished, tmp_path):
        """A run whose journal has lost its last lines ends with the same bytes."""
        journal = (finished / "results.jsonl").read_bytes().splitlines(keepends=True)
        (tmp_path / "results.jsonl").write_bytes(b"".join(journal[:3]))
        run_quick(main, tmp_path, "--resume", *RUN)
        for name in ("results.jsonl", "benchmark.csv", "benchmark.svg", "verdict.json"):
            assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
        assert json.loads((tmp_path / "run.json").read_text())["configuration"]["results_kept"] == 2

    @pytest.mark.slow
    def test_every_engine_gives_the_same_bytes(self, finished, tmp_path):
        for engine in ("processes", "dask"):
            out = tmp_path / engine
            assert main(["--quick", "--engine", engine, "--out", str(out), *RUN]) == 0
            same = (out / "results.jsonl").read_bytes() == (finished / "results.jsonl").read_bytes()
            assert same, engine

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--methods", "pca"], "methods"),
            (["--organisms", "pca"], "organisms"),
            (["--seed", "-1"], "seed"),
            (["--write-organisms", "x", "--seed", "-1"], "seed"),
            (["--write-organisms", "x", "--organisms", "pca"], "organisms"),
        ],
    )
    def test_bad_input(self, tmp_path, monkeypatch, arguments, message):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DomainError, match=message):
            main([*arguments, "--out", "new"])
        assert not list(tmp_path.iterdir())


class TestChecks:
    def test_every_kind_is_made_and_passes(self, results):
        made = panel.checks(results)
        assert {check.quantity for check in made} == {*panel.Quantity}
        assert all(check.passed for check in made)

    @pytest.mark.parametrize(
        ("quantity", "fault"),
        [
            (panel.Quantity.PERFECT, {"perfect": 0.999}),
            (panel.Quantity.RESCALED, {"rescaled": 0.999}),
            (panel.Quantity.WRONG, {"wrong": 1.0}),
        ],
    )
    def test_a_fault_of_the_scoring_is_caught(self, results, quantity, fault):
        one = replace(results[1], controls=replace(results[1].controls, **fault))
        made = panel.checks([results[0], one, *results[2:]])
        assert [check.quantity for check in made if not check.passed] == [quantity]

    def test_random_masks_that_know_something_are_caught(self, results):
        def knowing(each: CaseScores) -> CaseScores:
            own = each.methods[Name.RANDOM]
            better = replace(own, score=own.chance + 0.05)
            return replace(each, methods=each.methods | {str(Name.RANDOM): better})

        made = panel.checks([knowing(each) for each in results])
        assert [c.quantity for c in made if not c.passed] == [panel.Quantity.CHANCE]

    def test_tasks_depend_on_what_is_asked(self):
        default, quick = (panel.tasks(effort, [Name.RANDOM], [], 0) for effort in (DEFAULT, QUICK))
        assert len(default) == 5 * len(suite.chosen(()))
        assert len(quick) == 2 * len(suite.chosen((), quick=True))
        assert len({task.name for task in default}) == len(default)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files") / "held_out"
    chosen = ["--organisms", "clamp_disguised", "faulty_disguised"]
    given = ["--quick", "--seed", "11", "--write-organisms", str(folder), *chosen]
    assert main(given) == command_line.DONE
    return folder


class TestFiles:
    def test_what_is_written(self, files):
        names = {"clamp_disguised", "faulty_disguised"}
        wanted = {f"{name}.{end}" for name in names for end in ("safetensors", "truth.json")}
        assert {path.name for path in files.iterdir()} == {*wanted, "card.md", "load_organism.py"}

    def test_the_card_says_what_it_must(self, files):
        card = (files / "card.md").read_text("utf-8")
        for heading in ("What it is", "How it was made", "Files", "What a score means", "Licence"):
            assert f"## {heading}\n" in card
        assert "--seed 11 --quick`" in card
        assert "| clamp_disguised | another basis | 64 | 24 | 24 | 3 |" in card
        assert "Cohen's kappa" in card
        assert "MIT" in card

    def test_the_weights_do_not_give_the_truth_away(self, files):
        from safetensors import safe_open

        with safe_open(files / "clamp_disguised.safetensors", framework="pt") as file:
            assert file.metadata().keys() == {"format", "version", "k", "c"}
            assert {*file.keys()} == {"W_E", "W_in", "b_in", "W_out", "W_U"}

    def test_the_loader_needs_torch_and_safetensors_only(self, files):
        """Run beside the files, where this project cannot be imported."""
        program = """
import sys
import torch
from load_organism import load, load_truth
network, k, c = load("faulty_disguised.safetensors")
truth = load_truth("faulty_disguised.truth.json")
logits = network(torch.tensor([[1, 2, 3]]), torch.tensor([[1.0, 1.5, 2.0]]))
own = {name.split(".")[0] for name in sys.modules}
assert not own & {"theory", "simulate", "train", "scipy", "msgspec"}, own
print(k, c, *logits[0, :3].tolist(), int(truth.live.sum()), int(truth.read.sum()))
"""
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=files, capture_output=True, text=True, check=True
        )
        case = suite.case("faulty_disguised", 11, quick=True)
        tokens, alpha = np.array([[1, 2, 3]]), np.array([[1.0, 1.5, 2.0]])
        wanted = case.subject.network.logits(tokens, alpha)[0, :3]
        k, c, *logits, live, owned = map(float, done.stdout.split())
        assert (k, c) == (3, 2.0)
        assert logits == pytest.approx(wanted.tolist(), rel=1e-4)
        assert (live, owned) == (case.truth.live.sum(), case.truth.read.sum())

    def test_the_loader_gives_the_truth(self, files):
        from train.organism.load_organism import load_truth

        found = load_truth(files / "faulty_disguised.truth.json")
        truth = suite.case("faulty_disguised", 11, quick=True).truth
        for name in ("read", "write", "orientation", "live"):
            assert torch.equal(getattr(found, name), torch.tensor(getattr(truth, name))), name
        assert found.record["organism"] == "faulty_disguised"

    @pytest.mark.parametrize(("kind", "version"), [("other", "1"), (None, "2")])
    def test_another_version_is_refused(self, files, tmp_path, kind, version):
        from safetensors.torch import load_file, save_file

        from train.organism.load_organism import FORMAT, load, load_truth

        tensors = load_file(files / "clamp_disguised.safetensors")
        other = {"format": kind or FORMAT, "version": version}
        save_file(tensors, tmp_path / "x.safetensors", other)
        with pytest.raises(ValueError, match="version 1"):
            load(tmp_path / "x.safetensors")
        (tmp_path / "x.truth.json").write_text('{"schema": 3}')
        with pytest.raises(ValueError, match="schema 2"):
            load_truth(tmp_path / "x.truth.json")


class TestPage:
    def test_its_example_prints_what_it_says(self, capsys):
        (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        (printed,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
        assert len(program.splitlines()) <= 20
        exec(program, {"__name__": "__main__"})
        assert capsys.readouterr().out == printed

    def test_it_names_every_method_and_every_measure(self):
        for name in Name:
            assert f"`{name}`" in PAGE, name
        for measure in Measure:
            assert measure.label in PAGE, measure


class TestMethodsOfOthers:
    def test_they_can_not_change_what_others_see(self):
        found = suite.case("clamp", seed=3, quick=True)
        with pytest.raises(ValueError, match="read-only"):
            found.subject.network.W_E -= 1.0

    def test_their_stream_does_not_tell_the_seed(self, monkeypatch):
        """The truth could be made again from the seed."""
        seen = []

        def peek(subject, rng):
            seen.append(rng.bit_generator.seed_seq.entropy)
            return METHODS[Name.RANDOM](subject, rng)

        monkeypatch.setattr(measured, "method_named", lambda name: peek)
        case = suite.case("clamp", seed=4711, quick=True)
        scores_of("peek", case, np.random.default_rng(4711))
        assert seen == [0]

    @pytest.mark.parametrize("broken", [lambda *_: 1 / 0, lambda *_: None])
    def test_one_that_fails_is_named(self, monkeypatch, broken):
        monkeypatch.setattr(measured, "method_named", lambda name: broken)
        case = suite.case("clamp", seed=3, quick=True)
        with pytest.raises(RuntimeError, match="method mine:"):
            scores_of("mine", case, np.random.default_rng(0))

    @pytest.mark.parametrize("name", ["math:pi", ".x:f", "tests.train.no_such:f"])
    def test_names_that_are_no_method(self, name):
        with pytest.raises(DomainError, match="methods must be"):
            check_methods([name])
