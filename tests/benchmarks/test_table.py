"""`make bench` runs, and its table holds every benchmark with its ratios to the peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.table import table

HERE = Path(__file__).parent


def test_a_short_run(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    command = [sys.executable, "-m", "pytest", HERE, "-o", "python_files=bench_*.py"]
    # without the benchmarks that take longest
    chosen = ["-k", "not growth and not read and not fresh", f"--benchmark-json={report}"]
    # as started by hand: beside other tests of a parallel run pytest-benchmark does not measure
    environment = {name: at for name, at in os.environ.items() if "XDIST" not in name}
    subprocess.run(
        [*command, *chosen, "-p", "no:cacheprovider"],
        check=True,
        capture_output=True,
        env=environment,
    )
    lines = table(json.loads(report.read_text())).splitlines()
    rates = {line.split("|")[1].strip(): line.split("|")[2:5] for line in lines[4:]}
    assert len(rates) == 8
    assert float(rates["gemm"][2]) == 1.0
    assert float(rates["rbloom"][1]) == 1.0
    assert "1 thread" in lines[0]


def test_ratios() -> None:
    def entry(name: str, sets: int, seconds: float, n: int = 10) -> dict:
        info = {"n": n, "k": 2, "d": 8, "m": 3, "sets": sets, "threads": 1}
        return {"name": name, "extra_info": info, "stats": {"min": seconds}}

    report = {
        "machine_info": {"cpu": {"brand_raw": "a processor"}},
        "benchmarks": [
            entry("test_rbloom", 1, 1.0),
            entry("test_gemm", 10, 1.0),
            entry("test_ours[x]", 1000, 0.5, n=100),
        ],
    }
    assert table(report).splitlines()[-1] == "| ours[x] | 2,000 | 2e+03 | 200 | 5e+03 |"
