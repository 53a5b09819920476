"""`python -m tests.benchmarks.table BENCH.json`: the ratios of one benchmark run, in Markdown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BASES = {"rbloom": "test_rbloom", "GEMM": "test_gemm"}


def table(report: dict[str, Any]) -> str:
    """Sets per second in the fastest round of each benchmark, and their ratios to the peers'."""
    rates, nanoseconds = {}, {}
    for entry in report["benchmarks"]:
        sets, fastest = entry["extra_info"]["sets"], entry["stats"]["min"]
        rates[entry["name"]] = sets / fastest
        nanoseconds[entry["name"]] = 1e9 * fastest / sets / entry["extra_info"]["n"]
    cpu = report["machine_info"]["cpu"]
    sizes = report["benchmarks"][0]["extra_info"]
    lines = [
        f"{cpu['brand_raw']}, {sizes['threads']} thread; "
        f"n = {sizes['n']}, k = {sizes['k']}, d = {sizes['d']}, m = {sizes['m']} "
        "unless a name says otherwise; fastest round",
        "",
        "| benchmark | sets/s | " + " | ".join(f"× {base}" for base in BASES) + " | ns/set/token |",
        "|---|---:|" + "---:|" * (len(BASES) + 1),
    ]
    for name, rate in rates.items():
        ratios = " | ".join(f"{rate / rates[base]:.3g}" for base in BASES.values())
        label = name.removeprefix("test_").replace("_", " ")
        lines.append(f"| {label} | {rate:,.0f} | {ratios} | {nanoseconds[name]:.3g} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text())))
