"""`python -m tests.benchmarks.training`: training against the plain loop, side by side in one run.

Time to TV <= 0.05 at n=512, d=h=64, k=3, c=2 on both cores, and one step against its matrix
products alone. Runs alternate between the two, so that a busy machine slows both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from tests.benchmarks.plain_loop import BATCH, PLAIN, STEPS, PlainLoop, matmuls_of_a_step
from train.training import fit
from train.training.loss import measure
from train.training.presets import PRESETS
from train.training.recipe import Task

TOTAL_VARIATION = 0.05
CHECK_EVERY = 250
SEEDS = (0, 1, 2)
ROUNDS, CALLS = 7, 40


class _Judge:
    """Reads logits of anything that has them; 8,192 fresh inputs are enough for .05 +- .001."""

    def __init__(self, logits: Callable) -> None:
        self.logits = logits

    def total_variation(self, seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        task = Task(PLAIN["n"], PLAIN["k"], PLAIN["c"])
        return measure(self, task, 8192, generator).total_variation  # type: ignore[arg-type]


def seconds_to_reach(advance: Callable[[int], object], judge: _Judge, steps: int) -> float | None:
    """Training seconds until a check, every 250 steps, sees TV <= 0.05; None if none does."""
    spent = 0.0
    for check in range(steps // CHECK_EVERY):
        started = time.perf_counter()
        advance(CHECK_EVERY)
        spent += time.perf_counter() - started
        if judge.total_variation(check) <= TOTAL_VARIATION:
            return spent
    return None


def milliseconds(functions: Sequence[Callable[[], object]]) -> list[float]:
    """Median over rounds of each function's mean time a call, the functions taking turns."""
    rounds: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(ROUNDS):
        for times, function in zip(rounds, functions, strict=True):
            started = time.perf_counter()
            for _ in range(CALLS):
                function()
            times.append(1e3 * (time.perf_counter() - started) / CALLS)
    return [statistics.median(times) for times in rounds]


def to_fixed_variation() -> list[str]:
    """One row per seed: seconds of the plain loop and of the `fast` preset."""
    lines = ["| seed | plain loop, s | preset fast, s | ratio |", "|---|---:|---:|---:|"]
    for seed in SEEDS:
        plain, state = PlainLoop(seed), fit.begin(replace(PRESETS["fast"], seed=seed))
        slow = seconds_to_reach(plain.advance, _Judge(plain.logits), STEPS)
        fast = seconds_to_reach(
            lambda steps, state=state: fit.advance(state, steps),
            _Judge(state.model.logits),
            state.recipe.steps,
        )
        shown = ["not reached" if took is None else f"{took:.1f}" for took in (slow, fast)]
        ratio = f"{slow / fast:.1f}" if slow and fast else ""
        lines.append(f"| {seed} | {shown[0]} | {shown[1]} | {ratio} |")
    return lines


def one_step() -> list[str]:
    """Step times at the batch of the plain loop, and their ratio to the matrix products'."""
    plain = PlainLoop(0)
    state = fit.begin(replace(PRESETS["fast"], batch=BATCH, steps=10**6))
    products, theirs, ours = milliseconds(
        [
            matmuls_of_a_step(BATCH, PLAIN["n"], PLAIN["d"]),
            lambda: plain.advance(1),
            lambda: fit.advance(state, 1),
        ]
    )
    lines = ["| step of 512 inputs | ms | x matrix products |", "|---|---:|---:|"]
    for name, took in (("matrix products", products), ("plain loop", theirs), ("ours", ours)):
        lines.append(f"| {name} | {took:.2f} | {took / products:.2f} |")
    return lines


def main() -> None:
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__.split('+')[0]}, {threads} threads, float32\n", flush=True)
    print("\n".join(one_step()), "\n", flush=True)
    print("\n".join(to_fixed_variation()), flush=True)


if __name__ == "__main__":
    main()
