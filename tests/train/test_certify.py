"""`python -m train.certify`: files, exit codes, bad input, and what it proves of whom."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.numpy import load_file, save_file

from simulate.constructions import clamp
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from tests.train.certified_networks import noisy
from theory.domain import DomainError
from train.certificate import checker
from train.certificate.proof import weights_of
from train.certify import main, write_all
from train.reading.weights import safetensors_bytes

SMALL = "construction:n=40,k=2,d=24,m=6,beta=12"
FILES = {
    "weights.safetensors",
    "certificate.json",
    "certify.json",
    "run.json",
    "figures.json",
    "figures.md",
    "certificate.png",
    "certificate.svg",
    "certificate.csv",
}


def certified(out: Path, checkpoint: object, *options: str) -> dict[str, Any]:
    """The record; the command must succeed."""
    assert main([str(checkpoint), "--jobs", "1", "--out", str(out), *options]) == 0
    return json.loads((out / "certify.json").read_text())


def store(path: Path, network: ReluNetwork, k: int = 2) -> Path:
    path.write_bytes(safetensors_bytes(weights_of(network), {"k": k, "c": 2.0}))
    return path


def near(size: float) -> tuple[ReluNetwork, np.ndarray]:
    """A clamp with noise in its weights, and its hashes."""
    rng = np.random.default_rng(0)
    hashes = random_hashes(rng, 40, 24, 6)
    return noisy(clamp(hashes, 3.0, dtype=np.float32), rng, size), hashes


def check_apart(folder: Path) -> subprocess.CompletedProcess[str]:
    """The checker as a process of its own, from the two files alone."""
    files = [str(folder / name) for name in ("weights.safetensors", "certificate.json")]
    program = Path(checker.__file__).parent
    command = [sys.executable, "-E", "-s", "-m", program.name, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=program.parent)


@pytest.mark.parametrize("kind", ["clamp", "complement"])
def test_constructions_are_proved_without_slack(kind: str, tmp_path, capsys) -> None:
    """The clamp's gates sit on the boundary at alpha = 1, and margins are whole multiples."""
    found = certified(tmp_path, f"{SMALL},kind={kind}", "--json", "--most-inputs", "0")
    assert json.loads(capsys.readouterr().out) == found
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert found["smallest_level"] == 1
    assert found["structural"]
    assert found["in_certificate"]
    assert found["sharp"]
    assert found["arithmetic"] == "real"
    assert found["gates"]["proved"] == found["gates"]["units"] == 24
    for row in found["margins"]:
        assert row["proved"] == row["unit_by_unit"] == 12.0 * row["missing_bits"]
        assert row["seen"] in (None, row["proved"])
    assert found["member_spread"] == found["covered_gap"] == 0.0
    assert found["certified_share"] == 1.0
    assert found["failure"] == pytest.approx(found["covered"]["share"], rel=1e-9)
    assert "seconds" not in json.dumps(found)
    assert check_apart(tmp_path).returncode == 0


def test_any_beta_gets_the_full_theorem(tmp_path, capsys) -> None:
    """Without beta, which is then no dyadic number, and without enumeration."""
    found = certified(tmp_path, "construction:n=40,k=2,d=24,m=6", "--most-inputs", "0")
    assert found["structural"]
    assert found["sharp"]
    assert found["gates"]["proved"] == 24
    text = capsys.readouterr().out
    assert "real: the weights in exact arithmetic" in text
    assert "proved: every member outranks every token that misses a bit" in text
    apart = check_apart(tmp_path)
    assert apart.returncode == 0
    assert "24 of 24 units are off" in apart.stdout


def test_what_proves_nothing_says_so(tmp_path, capsys) -> None:
    """In both places: certify's summary is of what its checker accepted."""
    network, _ = near(0.3)
    path = store(tmp_path / "far.safetensors", network)
    found = certified(tmp_path / "out", path, "--most-inputs", "0", "--samples", "20")
    assert not found["in_certificate"]
    assert found["smallest_level"] is None
    assert "proves nothing about ranking" in capsys.readouterr().out
    apart = check_apart(tmp_path / "out")
    assert apart.returncode == 1
    assert "it proves nothing about ranking" in apart.stdout


def test_float32_is_certified_as_such(tmp_path, capsys) -> None:
    path = store(tmp_path / "near.safetensors", near(0.0)[0])
    real = certified(tmp_path / "real", path, "--most-inputs", "0")
    single = certified(tmp_path / "single", path, "--most-inputs", "0", "--arithmetic", "float32")
    assert "every forward pass in float32 or wider" in capsys.readouterr().out
    assert 0.0 < single["margins"][0]["proved"] < real["margins"][0]["proved"]
    assert check_apart(tmp_path / "single").returncode == 0


def test_the_checkers_bad_input_is_one_line(tmp_path) -> None:
    done = check_apart(tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"error: [^\n]*\n", done.stderr)


def test_the_checker_rejects_what_was_tampered_with(tmp_path) -> None:
    """A weight, or a claim, is changed in the files that the command left."""
    network, _ = near(0.01)
    found = certified(tmp_path, store(tmp_path / "near.safetensors", network))
    assert found["searched"]["how"] == "all inputs"
    assert found["smallest_level"] == 1
    assert check_apart(tmp_path).returncode == 0

    path = tmp_path / "certificate.json"
    text = path.read_text()
    cert = json.loads(text)
    for statement in cert["statements"]:
        if statement["kind"] == "outranks" and statement["by"] == "prefixes":
            statement["margin"] += 0.01
    path.write_text(json.dumps(cert))
    assert check_apart(tmp_path).returncode == 1
    path.write_text(text)

    weights = load_file(tmp_path / "weights.safetensors")
    weights["W_U"][3, 5] = np.nextafter(weights["W_U"][3, 5], np.float32(9.0))
    save_file(weights, tmp_path / "weights.safetensors")
    refused = check_apart(tmp_path)
    assert refused.returncode == 1
    assert "REJECTED the certificate is of these weights" in refused.stdout


def test_results_are_the_same_bytes_on_any_threads(tmp_path) -> None:
    file = store(tmp_path / "near.safetensors", near(0.05)[0])
    for jobs in ("1", "3"):
        certified(tmp_path / jobs, file, "--jobs", jobs, "--precision", "0.1")
        few = "--most-inputs", "0", "--samples", "300"
        certified(tmp_path / jobs / "sampled", file, "--jobs", jobs, *few)
    for name in FILES - {"run.json"}:
        for folder in (Path(), Path("sampled")):
            once, again = (tmp_path / jobs / folder / name for jobs in ("1", "3"))
            assert once.read_bytes() == again.read_bytes()


def test_bounds_hold_beside_each_other(tmp_path) -> None:
    """Structure, enumeration and what was seen are in order; a sample proves nothing more."""
    file = store(tmp_path / "near.safetensors", near(0.04)[0])
    every = certified(tmp_path / "all", file, "--precision", "0.02")
    for row in every["margins"]:
        assert row["structure"] <= row["proved"]
        if row["seen"] is not None:
            assert row["proved"] <= row["seen"]
    first = every["margins"][every["smallest_level"] - 1]
    assert first["seen"] - first["proved"] <= 1e-2
    assert every["sampled"] is None
    sample = certified(tmp_path / "few", file, "--most-inputs", "0", "--samples", "300")
    assert sample["sampled"]["inputs"] == sample["searched"]["inputs"] == 300
    for name in ("failure", "total_variation"):
        low, high = every[name]
        assert 0.0 <= low <= high <= 1.0
        assert sample[name] == [0.0, 1.0] or sample[name][1] <= 1.0
        # both hold the truth, the sample's with confidence
        assert max(low, sample["sampled"][name][0]) <= min(high, sample["sampled"][name][1])


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path) -> None:
    """The parts that were finished are kept; the rest, and all files, are as they would be."""
    file = store(tmp_path / "near.safetensors", near(0.05)[0])
    options = "--precision", "0.1"
    certified(tmp_path / "whole", file, *options)
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "train.certify", str(file), "--jobs", "1", *options]
    process = subprocess.Popen(
        [*command, "--out", str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    journal = killed / "enumeration.enumeration.jsonl"
    deadline = time.monotonic() + 600.0
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") > 3:
            process.kill()
        time.sleep(0.01)
    process.wait()
    certified(killed, file, *options, "--resume")
    assert not journal.exists()
    for name in FILES - {"run.json"}:
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_files_are_written_all_or_none(tmp_path) -> None:
    """A name that cannot be written leaves the folder as it was."""
    (tmp_path / "a").write_text("old")
    with pytest.raises(OSError, match="too long"):
        write_all(tmp_path, {"a": "new", "x" * 300: "too long a name"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"
    write_all(tmp_path, {"a": "new", "b": b"more"})
    assert (tmp_path / "a").read_text() == "new"


def test_the_same_intake_as_analyse(tmp_path) -> None:
    """Tensors of other names, one that is left out, and several instances in one file."""
    tensors = weights_of(near(0.0)[0])
    others = {"mlp.0.weight": tensors["W_in"].T.copy(), "mlp.2.weight": tensors["W_out"].T.copy()}
    kept = {name: x for name, x in tensors.items() if name not in ("W_in", "W_out")}
    stray = {"step": np.zeros(3, np.float32)}
    save_file({**kept, **others, **stray}, tmp_path / "one.safetensors")
    options = "--k", "2", "--c", "2", "--most-inputs", "0", "--formats", "svg"
    with pytest.raises(DomainError, match="step"):
        main([str(tmp_path / "one.safetensors"), "--out", str(tmp_path / "none"), *options])
    file = tmp_path / "one.safetensors"
    found = certified(tmp_path / "out", file, "--ignore", "step", "--residual", "True", *options)
    assert found["structural"]
    assert found["gates"]["proved"] == 24

    twice = {name: np.stack([x, x]) for name, x in tensors.items()}
    save_file(twice, tmp_path / "two.safetensors")
    assert main([str(tmp_path / "two.safetensors"), "--out", str(tmp_path / "two"), *options]) == 0
    for place in range(2):
        assert check_apart(tmp_path / "two" / f"instance_{place}").returncode == 0


def test_a_planted_fault_is_named(tmp_path) -> None:
    """A token that is read out half as strongly loses to others, and a replayed input says so."""
    network, hashes = near(0.0)
    weak = network.W_U.copy()
    weak[:, 7] /= 2
    file = store(tmp_path / "weak.safetensors", replace(network, W_U=weak))
    found = certified(tmp_path, file)
    assert found["smallest_level"] != 1
    row = found["margins"][0]
    assert row["proved"] <= row["seen"] < 0.0
    at = row["at"]
    assert at["member"] == 7
    logits = replace(network, W_U=weak).logits(np.array([at["tokens"]]), np.array([at["alpha"]]))
    assert logits[0, 7] - logits[0, at["other"]] == pytest.approx(row["seen"], abs=1e-4)
    assert not (hashes[at["other"]] <= hashes[at["tokens"]].any(axis=0)).all()


def test_a_unit_that_misses_a_weak_hit_is_named(tmp_path) -> None:
    """A coefficient of 1 does not reach its threshold."""
    network, hashes = near(0.0)
    bias = network.b_in.copy()
    bias[5] = -1.25
    found = certified(tmp_path, store(tmp_path / "deaf.safetensors", replace(network, b_in=bias)))
    assert found["gates"]["hit"]["refuted"] == 1
    cert = json.loads((tmp_path / "certificate.json").read_text())
    owners = np.unpackbits(np.frombuffer(base64.b64decode(cert["owners"]), np.uint8), count=960)
    assert (owners.reshape(40, 24) == hashes).all()
    of = {x["kind"]: x for x in cert["statements"]}
    assert 5 not in of["hit"]["units"]
    assert len(of["hit"]["units"]) == 23
    assert len(of["missed"]["units"]) == 24
    assert of["gate_errs"]["unit"] == 5
    assert hashes[of["gate_errs"]["tokens"], 5].sum() == 1


@pytest.mark.parametrize("goal", ["least", "sharp"])
def test_finishing_makes_a_network_with_the_theorem(goal: str, tmp_path, capsys) -> None:
    file = store(tmp_path / "near.safetensors", near(0.04)[0])
    before = certified(tmp_path / "before", file, "--most-inputs", "0")
    assert not before["structural"]
    found = certified(tmp_path / "after", file, "--most-inputs", "0", "--finish", goal)
    assert found["structural"]
    assert found["smallest_level"] == 1
    finished = found["finished"]
    assert finished["goal"] == goal
    after, trained = finished["total_variation"], finished["trained_total_variation"]
    assert after["value"] <= 1.1 * trained["value"]
    assert found["sharp"] or goal == "least"
    if goal == "sharp":
        assert found["failure"] == pytest.approx(found["covered"]["share"], rel=1e-9)
    assert "proved: every member outranks" in capsys.readouterr().out
    # the weights certified are those in the folder
    weights = load_file(tmp_path / "after" / "weights.safetensors")
    cert = json.loads((tmp_path / "after" / "certificate.json").read_text())
    assert checker.fingerprint(weights, 2, 2.0, "real") == cert["weights"]
    assert check_apart(tmp_path / "after").returncode == 0


BAD = [
    (["missing.safetensors"], "missing.safetensors"),
    ([SMALL, "--samples", "1"], "samples must be"),
    ([SMALL, "--most-inputs", "-1"], "most_inputs must be"),
    ([SMALL, "--precision", "2"], "precision must be"),
    (["construction:n=40,k=2,d=24,m=6,beta=1.7", "--arithmetic", "float32"], "arithmetic must be"),
    ([SMALL, "--jobs", "-1"], "jobs must be"),
    ([SMALL, "--seed", "-1"], "seed must be"),
    ([SMALL, "--c", "0.5"], "c must be"),
    ([SMALL, "--k", "40"], "k must be"),
    (["construction:n=40,k=2,d=24,m=25"], "m must be"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input(arguments, message, tmp_path) -> None:
    out = tmp_path / "out"
    with pytest.raises((DomainError, OSError), match=message):
        main([*arguments, "--out", str(out)])
    assert not out.exists()


def test_a_network_that_no_finishing_saves_leaves_no_files(tmp_path) -> None:
    rng = np.random.default_rng(0)
    network = ReluNetwork(
        *(rng.standard_normal(s).astype(np.float32) for s in ((30, 8), (8, 8), 8, (8, 8), (8, 30)))
    )
    out = tmp_path / "out"
    with pytest.raises(DomainError, match="finish must not be least"):
        main([str(store(tmp_path / "x", network)), "--finish", "least", "--out", str(out)])
    assert not list(out.glob("*"))


def test_exit_codes_of_the_process(tmp_path) -> None:
    """Bad input is one line and 2, and so are malformed flags."""
    flags = ["--c", "0.5", "--out", str(tmp_path / "o")]
    command = [sys.executable, "-m", "train.certify", SMALL, *flags]
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert bad.stdout == ""
    assert bad.stderr.startswith("error: c must be")
    assert bad.stderr.count("\n") == 1
    with pytest.raises(DomainError, match="--goal"):
        main([SMALL, "--goal"])
