"""`python -m theory` as a user calls it: JSON, tables, exit codes, start-up time."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout

import pytest

from theory import command_line
from theory.__main__ import main
from theory.false_positives import failure_probability, false_positive_rate
from theory.softmax_output import expected_divergence


def theory(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in this process, with its output and exit code."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        command_line.run(lambda: main(arguments))
    code = ended.value.code
    return subprocess.CompletedProcess(
        arguments, code if isinstance(code, int) else 0, out.getvalue(), err.getvalue()
    )


def test_rates_json() -> None:
    run = theory(
        *["rates", "--n", "200", "--k", "4", "--d", "40", "--m", "6", "--beta", "1.5", "--json"]
    )
    assert run.returncode == 0
    assert run.stderr == ""
    found = json.loads(run.stdout)
    assert found["schema"] == 1
    assert found["false_positive_rate"] == false_positive_rate(4, 40, 6)
    assert found["failure_probability"] == failure_probability(200, 4, 40, 6)
    assert found["lower_bound"] <= found["false_positive_rate"] <= found["upper_bound"]
    assert found["expected_false_positives"] == pytest.approx(196 * false_positive_rate(4, 40, 6))
    divergence = expected_divergence(200, 4, 40, 6, 1.5)
    assert (
        found["total_variation"] == divergence.total_variation == pytest.approx(0.63571, abs=6e-6)
    )
    assert found["kl"] == divergence.kl == pytest.approx(1.03674, abs=6e-6)
    assert found["squared_error"] == divergence.squared_error == pytest.approx(0.11840, abs=6e-6)


def test_rates_below_the_smallest_double() -> None:
    """No under- or overflow: the logarithms stay finite, the JSON strict."""
    found = json.loads(
        theory(
            *["rates", "--n", "1000000000", "--k", "2", "--d", "16384", "--m", "4000", "--json"]
        ).stdout
    )
    assert found["failure_probability"] == 0.0
    assert found["log_failure_probability"] < -700
    assert math.isfinite(found["log_failure_probability"])


def test_rates_without_non_members() -> None:
    found = json.loads(
        theory(
            *["rates", "--n", "4", "--k", "4", "--d", "16", "--m", "3", "--beta", "1", "--json"]
        ).stdout
    )
    assert found["failure_probability"] == found["total_variation"] == 0.0
    assert found["log_failure_probability"] is None


def test_width_json() -> None:
    found = json.loads(
        theory(*["width", "--n", "1000", "--k", "8", "--epsilon", "1e-3", "--json"]).stdout
    )
    assert (found["width"], found["hashes"]) == (230, 18)
    assert found["failure_probability"] <= 1e-3
    assert found["law"] == pytest.approx(229.9, abs=0.05)
    assert theory(*["width", "--n", "5", "--k", "5", "--epsilon", "0.1", "--json"]).returncode == 0


def test_tables_name_every_quantity() -> None:
    shown = theory(
        *["rates", "--n", "200", "--k", "4", "--d", "40", "--m", "6", "--beta", "1.5"]
    ).stdout
    for name in ("false_positive_rate", "lower_bound", "classic", "total_variation", "kl"):
        assert name in shown


@pytest.mark.parametrize(
    ("arguments", "name", "kind"),
    [
        ("rates --n 100 --k 3 --d 100 --m 5", "failure_probability", "exact"),
        ("rates --query --k 1e6 --d 2^24 --m 9", "false_positive_rate", "middle of its proved"),
        ("rates --n 99 --k 3 --d 99 --m 5 --scheme double-hashing", "false_positive_rate", "exact"),
        ("rates --n 99 --k 3 --d 99 --m 5 --scheme double-hashing", "failure_prob", "simulated"),
        ("rates --n 99 --k 3 --d 500 --m 5 --scheme double-hashing", "false_pos", "simulated"),
        ("rates --n 1000 --k 3 --d 1024 --m 5 --scheme blocked", "false_positive_rate", "exact"),
        (
            "rates --n 1000 --k 3 --d 1024 --m 5 --scheme blocked",
            "failure_prob",
            "its proved upper",
        ),
        ("width --n 99 --k 3 --epsilon 0.1 --scheme double-hashing", "failure_prob", "simulated"),
    ],
)
def test_tables_say_what_a_number_is(arguments: str, name: str, kind: str) -> None:
    (line,) = [
        line
        for line in theory(*arguments.split()).stdout.splitlines()
        if line.startswith(name) and "end of" not in line and "(upper" not in line
    ]
    assert kind in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("rates --n 9 --k 3 --d 4 --m 9", "m must be at least 1 and at most d = 4; got 9"),
        ("rates --n 9 --k 10 --d 4 --m 2", "k must be at least 1 and at most n = 9; got 10"),
        ("rates --n 9 --k 0 --d 4 --m 2", "k must be at least 1 and at most n = 9; got 0"),
        ("rates --n 9 --k 3 --d 4 --m 2 --beta nan", "beta must be a finite number in (0, 1e+06)"),
        ("rates --n 9 --k 3 --d 4 --m 2 --beta -1", "beta must be a finite number in (0, 1e+06)"),
        ("width --n 9 --k 3 --epsilon 1", "epsilon must be a finite number in (0, 1); got 1.0"),
        ("width --n 9 --k 3 --epsilon inf", "epsilon must be a finite number in (0, 1); got inf"),
        ("derive no-such-thing", "names must be among"),
        ("rates --k 3 --d 4 --m 2", "n must be given with --n, or one query asked for"),
        ("rates --n 9 --query --k 3 --d 4 --m 2", "n must be given with --n, or one query"),
        (f"rates --n 1{'0' * 320} --k 3 --d 4 --m 2", "n must be at least 1 and at most"),
        (
            "rates --n 9 --k 3 --d 4 --m 2 --beta 1e308",
            "beta must be a finite number in (0, 1e+06)",
        ),
        (
            "rates --n 100 --k 2 --d 65536 --m 32768 --beta 1",
            "beta must be left out at these sizes",
        ),
        ("rates --n 9 --k 3 --d 4 --m 2 --density 0.1", "density must come with --scheme"),
        ("rates --n 9 --k 3 --d 1000 --scheme blocked", "d must be a multiple of block = 512"),
        ("width --query --k 3 --epsilon 0.1 --multiple-of x", "multiple_of must be an integer or"),
        (
            "rivals --n 1000 --k 4 --epsilon 1e-280",
            "epsilon must be a finite number in (1e-100, 0.5)",
        ),
    ],
)
def test_bad_input_is_one_line(arguments: str, message: str) -> None:
    run = theory(*arguments.split())
    assert run.returncode == 2
    assert run.stdout == ""
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_malformed_flags_exit_2() -> None:
    assert theory(*["rates", "--n", "9", "--k", "three", "--d", "4", "--m", "2"]).returncode == 2
    assert theory(*["rates", "--n", "9.5", "--k", "3", "--d", "4", "--m", "2"]).returncode == 2
    assert theory("no-such-command").returncode == 2


def test_help_loads_nothing_heavy() -> None:
    """`--help` and `rates` start without SymPy, scipy.stats or matplotlib."""
    code = (
        "import sys, theory.__main__ as command; "
        "heavy = {'sympy', 'scipy.stats', 'matplotlib', 'torch', 'numba'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_promised_times() -> None:
    """rates within 1 s, width within 10 s, start-up included, on an otherwise idle machine."""
    for arguments, limit in (
        ("rates --n 50257 --k 32 --d 768 --m 17", 1.0),
        ("width --n 1000000000 --k 64 --epsilon 1e-12", 10.0),
        ("--help", 1.0),
    ):
        started = time.monotonic()
        command = [sys.executable, "-m", "theory", *arguments.split()]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        assert time.monotonic() - started < limit, arguments


def test_capacity() -> None:
    found = json.loads(
        theory(*["capacity", "--n", "50257", "--d", "768", "--epsilon", "1e-6", "--json"]).stdout
    )
    rivals = ["bloom", "pseudo_inverse", "thresholded_jl", "limit", "information_limit"]
    assert all(set(found[name]) == {"k", "m", "failure_probability"} for name in rivals)
    bloom = found["bloom"]
    exact = failure_probability(50257, bloom["k"], 768, bloom["m"])
    assert bloom["failure_probability"] == exact <= 1e-6
    assert found["thresholded_jl"]["k"] < bloom["k"] < found["information_limit"]["k"]
    assert found["limit"]["k"] == 384
    table = theory("capacity", "--n", "50257", "--d", "768", "--epsilon", "1e-6").stdout
    assert table.startswith(f"bloom                     k = {bloom['k']}, ")


def test_rivals() -> None:
    sizes = ["--n", "1000", "--k", "4", "--epsilon", "0.1"]
    found = json.loads(theory("rivals", *sizes, "--json").stdout)["rivals"]
    assert found[0]["width"] == 76
    assert theory("rivals", *sizes).stdout.count("\n") == len(found) + 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("capacity --n 0 --d 8 --epsilon 0.1", "n must be at least 1; got 0"),
        ("capacity --n 9 --d 0 --epsilon 0.1", "d must be at least 1; got 0"),
        ("capacity --n 9 --d 8 --epsilon 1", "epsilon must be a finite number in (0, 1); got 1"),
        ("rivals --n 5 --k 2 --epsilon 0.1", "n must be at least 3k = 6"),
        (
            "rivals --n 9 --k 2 --epsilon 0.7",
            "epsilon must be a finite number in (1e-100, 0.5); got 0.7",
        ),
    ],
)
def test_bad_sizes_of_rivals(arguments: str, message: str) -> None:
    run = theory(*arguments.split())
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_without_arguments_everything_is_listed() -> None:
    shown = theory()
    assert shown.returncode == 0
    for name in ("rates", "width", "capacity", "rivals", "derive"):
        assert f"  {name} " in shown.stdout


def test_sizes_as_people_write_them() -> None:
    plain = theory("rates", "--n", "1000000", "--k", "1024", "--d", "16384", "--m", "11", "--json")
    short = theory("rates", "--n", "1e6", "--k", "2^10", "--d", "16_384", "--m", "11.0", "--json")
    assert json.loads(plain.stdout) == json.loads(short.stdout)
    assert theory("rates", "--n", "1.5", "--k", "1", "--d", "4", "--m", "2").returncode == 2


@pytest.mark.parametrize(
    ("scheme", "keys"),
    [
        ("fixed-weight", {"lower_bound", "upper_bound", "classic", "m"}),
        ("with-replacement", {"classic", "m"}),
        ("independent", {"density"}),
        ("partitioned", {"classic", "m"}),
        ("blocked --block 64", {"classic", "m", "block", "inside"}),
        ("double-hashing", {"classic", "m", "ideal_hashing"}),
    ],
)
def test_rates_of_every_scheme(scheme: str, keys: set[str]) -> None:
    """At the best parameter; one query is a vocabulary of k + 1; several are rarer than one."""
    sizes = f"--k 8 --d 192 --scheme {scheme} --json".split()
    one = json.loads(theory("rates", "--query", *sizes, "--fill", "64", "--queries", "3").stdout)
    assert keys <= set(one)
    assert "n" not in one
    assert "failure_probability" not in one
    assert one["joint_rate"] <= one["false_positive_rate"] <= 1.0
    assert 0.0 <= one["rate_given_fill"] <= 1.0
    given = ["--density", str(one["density"])] if "density" in one else ["--m", str(one["m"])]
    many = json.loads(theory("rates", "--n", "9", *sizes, *given).stdout)
    assert many["false_positive_rate"] == one["false_positive_rate"]
    assert many["failure_probability"] == pytest.approx(one["false_positive_rate"], rel=1e-9)


def test_widths_and_capacities_of_schemes() -> None:
    found = json.loads(
        theory(
            *[
                "width",
                "--query",
                "--k",
                "100",
                "--epsilon",
                "0.01",
                "--multiple-of",
                "64",
                "--json",
            ]
        ).stdout
    )
    assert found["width"] % 64 == 0
    assert found["false_positive_rate"] <= 0.01
    power = "width --query --k 100 --epsilon 0.01 --multiple-of power-of-two --scheme partitioned"
    assert json.loads(theory(*power.split(), "--json").stdout)["width"] == 1024
    capacity = "capacity --query --d 1024 --epsilon 0.01 --scheme with-replacement --json"
    assert json.loads(theory(*capacity.split()).stdout)["with_replacement"]["k"] > 100


def test_derive_lists_its_names_and_prints_json() -> None:
    assert "width_law" in theory("derive", "--list").stdout
    found = json.loads(theory("derive", "optimal_hashes", "--json").stdout)
    assert all(step["holds"] for step in found["steps"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("rates --query --k 2^20000 --d 100", "is no integer of at most 400 digits"),
        ("rates --query --k 0^-1 --d 100", "is no integer of at most 400 digits"),
        ("rates --query --k 2^-1 --d 100", "is no integer of at most 400 digits"),
        ("rates --query --k 10^99999999 --d 100", "is no integer of at most 400 digits"),
        ("width --query --k 3 --epsilon 0.1 --multiple-of 2^20000", "multiple_of must be an"),
        ("width --query --k 3 --epsilon 0.1 --multiple-of 1e20", "multiple_of must be at least 1"),
        ("rates --query --k 5 --d 10 --m 2 --fill 11", "fill must be at least 2 and at most 10"),
        ("rates --query --k 5 --d 10 --m 2 --fill 0", "fill must be at least 2 and at most 10"),
        ("rates --query --k 2 --d 10 --m 2 --fill 5", "fill must be at least 2 and at most 4"),
        (
            "rates --query --k 2 --d 10 --m 2 --fill 0 --scheme with-replacement",
            "fill must be at least 1 and at most 4",
        ),
        (
            "rates --query --k 2 --d 10 --density 0.2 --fill 11 --scheme independent",
            "fill must be at least 0 and at most 10",
        ),
        ("rates --query --k 5 --d 10 --m 2 --beta 3", "beta must be left out with --query"),
        ("rates --query --k 5 --d 10 --m 2 --block 64", "block must come with --scheme blocked"),
        ("rates --query --k 5 --d 10 --m 2 --inside fixed-weight", "inside must come with"),
        ("rates --query --k 5 --d 64 --block -5 --scheme blocked", "block must be at least 1"),
        ("width --k 1e10 --epsilon 1e-9 --n 1e15", "the width that they need is above"),
        (
            "width --k 1e10 --epsilon 1e-9 --n 1e15 --multiple-of power-of-two",
            "the width that they need is above",
        ),
        ("capacity --d 1e12 --epsilon .1 --n 1e15 --scheme partitioned", "d must be smaller: more"),
        (
            "rates --query --k 10 --d 2047 --m 2047 --scheme double-hashing",
            "k, d, m = 10, 2047, 2047 must be smaller for a simulated rate",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused(arguments: str, message: str) -> None:
    """At once, and by the flag that was given; a flag of another scheme is not ignored."""
    run = theory(*arguments.split())
    assert run.returncode == 2
    assert run.stdout == ""
    assert message in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "rates --query --k 10 --d 100 --queries 1e6 --scheme double-hashing",
        "rates --query --k 10 --d 1024 --queries 1e6 --scheme blocked",
        "rates --query --k 10 --d 1024 --m 400 --scheme blocked",
        "rates --query --k 10 --d 1e6 --m 7e4 --queries 1e6 --scheme partitioned",
        "rates --query --k 10 --d 100 --queries 1e6 --scheme with-replacement",
        "rates --query --k 10 --d 100 --queries 1e6",
        "rates --query --k 1000 --d 2047 --m 2047 --scheme double-hashing",
    ],
)
def test_rates_that_underflow(arguments: str) -> None:
    run = theory(*arguments.split(), "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert 0.0 <= found.get("joint_rate", 0.0) <= found["false_positive_rate"] <= 1.0


@pytest.mark.parametrize("scheme", ["partitioned", "fixed-weight", "with-replacement", "blocked"])
def test_failure_is_at_least_the_rate(scheme: str) -> None:
    """Also of filters that are all but full, where rounding is all that tells the two apart."""
    for sizes in ("--d 128 --m 128", "--d 128 --m 40", "--d 64 --m 64"):
        block = " --block 64" if scheme == "blocked" else ""
        bits = sizes.replace("128 --m 128", "128 --m 64") if block else sizes
        run = theory(*f"rates --k 100 --n 1e6 {bits} --scheme {scheme}{block} --json".split())
        found = json.loads(run.stdout)
        assert found["failure_probability"] >= found["false_positive_rate"]


def test_the_information_bound_is_no_negative_number() -> None:
    shown = theory("width", "--k", "100", "--epsilon", "1e-9", "--n", "100", "--json").stdout
    found = json.loads(shown)
    assert found["information_bound"] == 0.0
