"""Every command, given what it cannot read or an output folder that it cannot write."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest
import safetensors.numpy

from reports.docs.generate.commands import Command, every_command
from tests.simulate.running import Outcome, run
from theory import command_line

COMMANDS = {command.line: command for command in every_command()}
MODEL = "model.safetensors"
# the arguments that a command needs beside --out
CONSTRUCTION = "construction:n=64,k=2,d=16,m=4"
WRITING = {
    "python -m simulate.scaling": ["--quick"],
    "python -m train.analyse": [CONSTRUCTION],
    "python -m train.benchmark": ["--quick"],
    "python -m train.certify": [CONSTRUCTION],
    "python -m train.organisms": ["--quick"],
    "python -m train.run": ["--preset", "fast"],
    "python -m train.study": ["--quick"],
    "python -m train.survey": ["--quick"],
    "python -m train.sweep": ["--d", "8,9"],
    "python -m train.unembedding": [MODEL],
    "python -m reports": [],
}


def outcome(command: Command, *arguments: str) -> Outcome:
    """What the command leaves, run in this process."""
    module = importlib.import_module(command.module)
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{command.module}.__main__")
    return run(module.main, *filter(None, [command.subcommand]), *arguments)


@pytest.mark.parametrize("line", COMMANDS)
def test_an_option_that_it_does_not_have(line):
    found = outcome(COMMANDS[line], "--no-such-option", "7")
    assert found.code == command_line.BAD_INPUT
    assert found.out == ""
    (said,) = found.err.splitlines()
    assert said.startswith("error: ")
    assert re.search("no-such-option|Missing value|required", said)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("theory rates --n ten --k 2 --d 8", "--n: 'ten' cannot be read; expected --n"),
        ("theory rates --n 10 --k 2 --d half", "--d: 'half' is no integer; expected --d INT"),
        ("theory width --n 100", "--k INT --epsilon FLOAT"),
        ("theory rate", "Available subcommands: rates, width, capacity, rivals, derive"),
        ("train.study --sizes small", "Expected one of ('standard', 'width'"),
        ("train.study --size width", "Perhaps you meant: --sizes"),
        ("train.study --jobs", "'--jobs'. Expected one value"),
        ("train.study --jobs two", "expected --jobs INT"),
        ("train.certify", "CHECKPOINT"),
        ("train.run --start warm", "Expected one of ('gaussian', 'clamp', 'exact')"),
    ],
)
def test_what_is_expected_instead_is_named(line, named):
    module, *arguments = line.split()
    found = outcome(Command(module), *arguments)
    assert (found.code, found.out) == (command_line.BAD_INPUT, "")
    (said,) = found.err.splitlines()
    assert named in said
    assert said.endswith("--help")


@pytest.mark.parametrize("line", WRITING)
def test_an_output_folder_that_cannot_be_written_is_refused_before_any_work(line, tmp_path):
    (tmp_path / "file").write_text("")
    needed = [str(tmp_path / each) if each == MODEL else each for each in WRITING[line]]
    safetensors.numpy.save_file({"W_U": np.eye(64, 16)}, tmp_path / MODEL)
    found = outcome(COMMANDS[line], *needed, "--out", str(tmp_path / "file" / "below"))
    assert found.code == command_line.BAD_INPUT
    *before, said = found.err.splitlines()
    assert said.startswith("error: out must be a folder that can be written")
    assert len(before) <= 1  # which model it is


@pytest.mark.parametrize("command", ["train.analyse", "train.certify", "train.unembedding"])
def test_a_file_that_is_not_there(command, tmp_path):
    found = outcome(Command(command), str(tmp_path / MODEL), "--out", str(tmp_path / "out"))
    assert found.code == command_line.BAD_INPUT
    (said,) = found.err.splitlines()
    assert "there is no" in said
    assert MODEL in said
    assert not (tmp_path / "out").exists()
