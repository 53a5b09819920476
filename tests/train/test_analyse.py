"""`python -m train.analyse`: the record's contract, the files, honest answers and bad input."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.numpy import save_file

from simulate.constructions import clamp, complement, mixed
from simulate.jobs.style import rendered
from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from tests.simulate.running import run
from tests.train.subjects import hashes_for, plain, untrained
from theory import quenched
from theory.domain import DomainError
from train.analyse import main
from train.analysis.figure_ids import FigureId
from train.analysis.outcomes import observe
from train.analysis.page import measured_rows, page
from train.analysis.record import read
from train.analysis.report import Report, Section, analyse, summary
from train.reading.failure import failure_threshold
from train.reading.subject import Subject, open_subject

TENSORS = ("W_E", "W_in", "b_in", "W_out", "W_U")
SMALL = "construction:n=40,k=2,d=12,m=3,beta=12"
CONTRACT = {
    "bloom_filter",
    "evidence",
    "false_positive_rate_per_input",
    "verdict",
    "units",
    "mask_agreement",
    "density",
    "bits_per_token",
    "total_variation",
    "kl",
    "failure_rate",
    "mechanistic_failure_rate",
    "missing_bit_levels",
    "exceptions",
}


def save(path: Path, arrays: Mapping[str, np.ndarray], **metadata: object) -> Path:
    # safetensors writes the memory as it lies
    in_order = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(in_order, path, metadata={name: str(value) for name, value in metadata.items()})
    return path


def store(path: Path, network: ReluNetwork, **metadata: object) -> Path:
    return save(path, {name: getattr(network, name) for name in TENSORS}, **metadata)


def report_on(network: ReluNetwork, k: int = 2, inputs: int = 1000) -> Report:
    return analyse(Subject(network, k, 2.0, "network", {}), inputs)


@pytest.fixture(scope="module")
def exact() -> Report:
    return analyse(open_subject(SMALL), 4000)


def test_the_record_keeps_its_contract(exact):
    record = plain(exact.record)
    assert record.keys() >= CONTRACT
    assert record["verdict"] == "clamp"
    assert record["units"] == {
        "clamp": 12,
        "complement": 0,
        "neither": 0,
        "dead": 0,
        "always_on": 0,
    }
    assert record["mask_agreement"] == 1.0
    assert record["density"] == pytest.approx(3 / 12)
    assert record["bits_per_token"] == 3.0
    for name in ("total_variation", "kl", "failure_rate", "mechanistic_failure_rate"):
        assert record[name].keys() >= {"value", "interval", "confidence", "samples"}
        low, high = record[name]["interval"]
        assert low <= record[name]["value"] <= high
        assert record[name]["samples"] == 4000
    assert record["exceptions"]["units"] == []
    assert record["n"], record["k"] == (40, 2)


def test_a_constructions_rates_are_the_exact_ones(exact):
    record = plain(exact.record)
    hashes = open_subject(SMALL).hashes
    assert hashes is not None
    own = float(quenched.failure_probability(hashes, 2))
    assert record["prediction"]["masks"]["failure_probability"]["value"] == pytest.approx(own)
    # an exact filter at large beta fails exactly where its masks do
    assert record["failure_rate"] == record["mechanistic_failure_rate"]
    levels = {row["missing"]: row["logit"] for row in record["missing_bit_levels"]}
    for missing, logit in levels.items():
        assert logit["mean"] == pytest.approx(-12.0 * missing)
        assert logit["sd"] == pytest.approx(0.0, abs=1e-9)


def test_every_figure_has_its_id(exact):
    """An exact filter has all of them in order, but for what makes its outputs less uniform."""
    figures = exact.figures()
    expected = [each for each in FigureId if each is not FigureId.UNIFORMITY]
    assert [figure.id for figure in figures] == expected
    names = [figure.id for figure in figures]
    assert len(names) == len(set(names))
    assert all(len(figure.caption.split()) <= 60 for figure in figures)


def test_figures_are_drawn_from_their_tables_and_nothing_varies(exact):
    again = analyse(open_subject(SMALL), 4000)
    assert again.record == exact.record
    for one, other in zip(exact.figures(), again.figures(), strict=True):
        assert list(one.table) == list(other.table)
    one, other = (
        next(figure for figure in report.figures() if figure.id == "hash_dot")
        for report in (exact, again)
    )
    assert rendered(one.draw(one.table), "svg") == rendered(other.draw(other.table), "svg")


def test_another_seed_is_another_sample(exact):
    other = analyse(open_subject(SMALL), 4000, seed=1).record
    assert other.kl != exact.record.kl
    assert other.mechanism.code == exact.record.mechanism.code


@pytest.mark.parametrize(
    ("network", "verdict"),
    [
        (untrained(np.random.default_rng(1), 40, 12, 12), "none"),
        (mixed(hashes_for(40, 12, 3), clamped=6, beta=12.0), "mixed"),
        (complement(hashes_for(40, 12, 3), 12.0), "complement"),
    ],
)
def test_other_networks_get_an_honest_answer(network, verdict):
    report = report_on(network)
    assert report.record.verdict == verdict
    page = "\n".join(summary(report.record))
    assert f"verdict            {verdict}" in page
    assert ("not a Bloom filter" in page) == (verdict == "none")
    for figure in report.figures():
        figure.draw(figure.table)


def test_a_network_that_does_nothing():
    network = untrained(np.random.default_rng(1), 30, 8, 8)
    nothing = ReluNetwork(**{name: 0 * getattr(network, name) for name in TENSORS})
    report = report_on(nothing)
    assert report.record.verdict == "none"
    assert report.record.mask_agreement is None
    assert json.dumps(plain(report.record), allow_nan=False)
    assert summary(report.record)
    for figure in report.figures():
        figure.draw(figure.table)


def test_sections_are_left_out(exact):
    report = analyse(open_subject(SMALL), 1000, sections=(Section.UNIFORMITY,), effort=0.1)
    record = report.record
    assert (record.prediction, record.causal) == (None, None)
    assert record.uniformity is not None
    assert record.behaviour.more_tokens == []
    assert record.bloom_filter
    assert summary(record)
    for figure in report.figures():
        figure.draw(figure.table)


def test_numbers_as_a_table_and_the_page(exact):
    rows = {row["number"]: row for row in measured_rows(exact.record)}
    assert rows["failure_rate"]["value"] == exact.record.failure_rate.value
    assert rows["evidence.behaviour.failure_rate"]["samples"] == 4000
    made = page(exact.record, [])
    assert made.index("A Bloom filter") < made.index("structure") < made.index("Figures")


def test_a_report_shows_itself_in_a_notebook(exact):
    shown = exact._repr_html_()
    assert shown.index("A Bloom filter") < shown.index("structure") < shown.index("<figure")
    figures = exact.figures()
    assert shown.count("<img") == shown.count("<figure") == len(figures)
    assert figures[0]._repr_png_().startswith(b"\x89PNG")


def test_numbers_as_data_frames(exact):
    pytest.importorskip("pandas")
    table = exact.to_pandas().set_index("number")
    assert table.loc["failure_rate", "value"] == exact.record.failure_rate.value
    assert table.loc["failure_rate", ["low", "high"]].tolist() == [
        *exact.record.failure_rate.interval
    ]
    figure = next(each for each in exact.figures() if each.id == "hash_dot")
    assert exact.to_pandas("hash_dot")["y"].tolist() == [point.y for point in figure.table]
    with pytest.raises(DomainError, match="figure must be among read_weights"):
        exact.to_pandas("hash_dots")


class TestCommand:
    def test_files_and_json(self, tmp_path):
        (tmp_path / "mine.txt").write_text("kept")
        entry = {"id": "old", "caption": "", "files": ["old.png", "../elsewhere"]}
        (tmp_path / "figures.json").write_text(json.dumps([entry]))
        (tmp_path / "old.png").write_text("stale")
        flags = ["--out", str(tmp_path), "--inputs", "1000", "--json", "--formats", "svg"]
        command = [sys.executable, "-m", "train.analyse", SMALL, *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        assert record == json.loads((tmp_path / "analysis.json").read_text())
        assert record["schema"] == 2
        assert plain(read(tmp_path / "analysis.json")) == record
        assert (tmp_path / "mine.txt").read_text() == "kept"
        assert not (tmp_path / "old.png").exists()
        for figure in json.loads((tmp_path / "figures.json").read_text()):
            for name in figure["files"]:
                assert (tmp_path / name).stat().st_size > 0
        index = (tmp_path / "index.html").read_text()
        assert index.index("A Bloom filter that clamps") < index.index("<figure")
        assert "http" not in index.replace("http://www.w3.org", "")
        made = json.loads((tmp_path / "run.json").read_text())
        assert made["configuration"]["job"] == "train.analyse"
        assert "read_weights" in (tmp_path / "figures.md").read_text()

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("pickle", "not a safetensors file"),
            ("shape", "shapes must fit W_E [n, d], W_in [d, h], W_out [h, d], W_U [d, n]"),
            (
                "more",
                "ln_final.weight could not be placed. They look like a norm",
            ),
        ],
    )
    def test_bad_input_is_one_line(self, tmp_path, kind, message):
        path = tmp_path / "network.safetensors"
        if kind == "pickle":
            path.write_bytes(pickle.dumps({"W_E": [1.0]}))
        else:
            network = clamp(hashes_for(30, 8, 2))
            arrays = {name: getattr(network, name) for name in TENSORS}
            wrong = {
                "shape": {"b_in": np.zeros(9)},
                "more": {"ln_final.weight": np.ones(8)},
            }
            save(path, arrays | wrong[kind])
        done = run(main, str(path), "--k", "2", "--out", str(tmp_path / "out"))
        assert done.code == 2
        assert done.err.startswith("error: ")
        assert message in done.err
        assert done.err.count("\n") == 1
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--inputs", "999"], "inputs must be at least 1000; got 999"),
            (["--seed", "-1"], "seed must be at least 0; got -1"),
            (["--formats"], "formats must name at least one"),
        ],
    )
    def test_flags(self, arguments, message):
        with pytest.raises(DomainError, match=message):
            main([SMALL, *arguments])


class TestSubject:
    network = untrained(np.random.default_rng(0), 30, 8, 8)

    def test_a_file_and_a_run_folder(self, tmp_path):
        path = store(tmp_path / "network.safetensors", self.network, k=3, c=1.5, step=7)
        for given in (path, tmp_path):
            subject = open_subject(str(given))
            assert (subject.k, subject.c, subject.c_assumed) == (3, 1.5, False)
            assert subject.name == tmp_path.name
            assert (subject.network.W_E == self.network.W_E).all()
        assert open_subject(str(path), k=4, c=3.0).k == 4

    def test_a_folder_that_is_no_run(self, tmp_path):
        with pytest.raises(DomainError, match=r"is no run: it has no network\.safetensors"):
            open_subject(str(tmp_path), k=2)

    def test_flags_in_place_of_metadata(self, tmp_path):
        path = store(tmp_path / "foreign.safetensors", self.network)
        with pytest.raises(DomainError, match="k must be given"):
            open_subject(str(path))
        subject = open_subject(str(path), k=2)
        assert (subject.c, subject.c_assumed) == (2.0, True)

    def test_other_names_and_transposes(self, tmp_path):
        network = self.network
        arrays = {
            "embed.weight": network.W_E,
            "mlp.0.weight": network.W_in.T,
            "mlp.0.bias": network.b_in,
            "W_out": network.W_out,
            "W_U": network.W_U,
        }
        path = save(tmp_path / "other.safetensors", arrays)
        names = ["W_E=embed.weight", "W_in=mlp.0.weight", "b_in=mlp.0.bias"]
        subject = open_subject(str(path), k=2, names=names, transpose=["W_in"])
        for name in TENSORS:
            assert (getattr(subject.network, name) == getattr(network, name)).all()
        guessed = open_subject(str(path), k=2)
        assert (guessed.network.W_in == network.W_in).all()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"W_out": None}, "no tensor W_out"),
            ({"b_in": np.full(8, np.nan)}, "b_in must be finite"),
            ({"W_out": np.zeros((8, 8), dtype=np.int64)}, "W_out must be a floating-point"),
            (
                {"junk": np.zeros(3)},
                r"junk could not be placed\..* names=\{'W_E': …\} .* --names W_E=….*--ignore junk",
            ),
            ({"W_out": np.eye(8) * 1e200, "W_U": np.eye(8, 30) * 1e200}, "logits are finite"),
        ],
    )
    def test_bad_tensors(self, tmp_path, change, message):
        arrays = {name: getattr(self.network, name) for name in TENSORS} | change
        path = tmp_path / "bad.safetensors"
        save(path, {name: array for name, array in arrays.items() if array is not None})
        with pytest.raises(DomainError, match=message):
            open_subject(str(path), k=2)

    @pytest.mark.parametrize(
        ("metadata", "flags", "message"),
        [
            ({"k": "three"}, {}, "k in the metadata must be an integer; got 'three'"),
            ({"k": 2, "c": "wide"}, {}, "c in the metadata must be a number; got 'wide'"),
            ({"k": 2, "c": 0.5}, {}, r"c must be a finite number in \[1, inf\); got 0.5"),
            ({"k": 2, "c": "nan"}, {}, "c must be a finite number"),
            ({"k": 30}, {}, "k must be at least 1 and at most n - 1 = 29; got 30"),
            ({"k": 2}, {"k": 0}, "k must be at least 1 and at most n - 1 = 29; got 0"),
            ({"k": 2}, {"names": ["W_in"]}, "names must have the form W_in=mlp.0.weight"),
            ({"k": 2}, {"names": ["W_in=a", "W_in=b"]}, "names must name W_in once"),
            ({"k": 2}, {"names": ["Q=a"]}, "names must be among"),
            ({"k": 2}, {"transpose": ["Q"]}, "transpose must name tensors"),
        ],
    )
    def test_bad_tasks(self, tmp_path, metadata, flags, message):
        path = store(tmp_path / "network.safetensors", self.network, **metadata)
        with pytest.raises(DomainError, match=message):
            open_subject(str(path), **flags)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(DomainError, match=r"checkpoint must be a file.*nothing\.safetensors"):
            open_subject(str(tmp_path / "nothing.safetensors"), k=2)

    @pytest.mark.parametrize("kind", ["clamp", "complement", "complement_limit"])
    def test_constructions(self, kind):
        subject = open_subject(f"construction:n=30,k=2,d=8,m=2,kind={kind},seed=3,beta=4,c=3")
        assert (subject.k, subject.c) == (2, 3.0)
        assert subject.network.W_U.max() == 4.0
        assert subject.hashes is not None
        assert (subject.hashes.sum(axis=1) == 2).all()
        again = open_subject(f"construction:n=30,k=2,d=8,m=2,kind={kind},seed=3,beta=4,c=3")
        assert (again.network.W_E == subject.network.W_E).all()

    @pytest.mark.parametrize("kind", ["clamp", "complement", "complement_limit"])
    def test_a_construction_fails_by_default_where_its_masks_do_and_nowhere_else(self, kind):
        subject = open_subject(f"construction:n=60,k=2,d=16,m=3,kind={kind}")
        assert subject.hashes is not None
        rng = np.random.default_rng(0)
        tokens = random_sets(rng, 2000, 60, 2)
        alpha = random_coefficients(rng, 2000, 2, 2.0)
        mass = observe(subject.network, subject.hashes, tokens, alpha)[0].mass
        covered = PackedHashes.of(subject.hashes).count_false_positives(tokens) > 0
        assert covered.any()
        assert ((mass < failure_threshold(2)) == covered).all()
        assert mass[~covered].min() > 0.998

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "construction must have the form n=512,k=3,d=64,m=12; got ''"),
            ("n=5", "construction must have n, k, d and m; k, d, m missing"),
            ("n=30,k=2,d=8,m=9", "m must be at least 1 and at most d = 8; got 9"),
            ("n=30,k=31,d=8,m=2", "k must be at least 1 and at most n = 30; got 31"),
            ("n=30,k=30,d=8,m=2", "k must be at least 1 and at most n - 1 = 29; got 30"),
            ("n=30,k=2,d=8,m=1.5", "m must be an integer; got '1.5'"),
            ("n=30,k=2,d=8,m=2,kind=nor", "kind must be among clamp, complement, complement_limit"),
            ("n=30,k=2,d=8,m=2,eta=1", "construction must have n, k, d, m and optionally"),
            ("n=30,k=2,d=8,m=2,beta=-1", "beta must be a finite number"),
            ("n=30,k=2,d=8,m=2,beta=inf", "beta must be finite"),
            ("n=30,k=2,d=8,m=2,seed=-1", "seed must be at least 0"),
            ("n=30,k=2,d=8,m=2,kind=complement,gain=0.5", "gain must be at least 1"),
        ],
    )
    def test_bad_constructions(self, text, message):
        with pytest.raises(DomainError, match=message):
            open_subject(f"construction:{text}")
