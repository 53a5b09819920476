"""Signs of life where standard error is no terminal."""

from __future__ import annotations

from simulate.jobs import progress as module
from simulate.jobs.progress import progress


def test_lines_in_a_pipe(capsys, monkeypatch) -> None:
    """A line for each piece at most; what an earlier run has done counts as done."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with progress(10.0, done=5.0, what="weighing") as advance:
        advance(2.5)
        advance(2.5)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" done")[0] for line in lines] == ["weighing: 75%", "weighing: 100%"]
    assert lines[-1].endswith("about 0 s left")


def test_silence_within_ten_seconds(capsys) -> None:
    with progress(10.0) as advance:
        advance(1.0)
    assert capsys.readouterr().err == ""
