"""`python -m tests.benchmarks.training`: training against the plain loop, side by side in one run.

Time to a failure rate of 0.05 by a recipe for speed and by the plain loop, and one step of the
recipe from sizes against its matrix products alone, at n = 512 and n = 4096 on one thread. The
seconds are the processor's own, so that a busy machine counts little.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from tests.benchmarks import plain_loop
from tests.benchmarks.plain_loop import PlainLoop, matmuls_of_a_step
from train.training import fit
from train.training.loss import measure
from train.training.recipe import Recipe, Task
from train.training.scaled import scaled_recipe
from train.training.threads import one_thread

FAILURE_RATE = 0.05
LOOKS, PLAIN_LOOK = 20, 250
ROUNDS, STEPS = 7, 40


def brief(n: int, k: int, d: int, steps: int, settling: float) -> Recipe:
    """A recipe for speed, from the rules': few steps, W_U tied in nearly all, the last settle bits.

    settling: the share of the last ones, which know no more tokens than the first.
    """
    ruled = scaled_recipe(n, k, d)
    return replace(
        ruled,
        steps=steps,
        warmup=steps // 100,
        tied_share=0.95,
        tie=0.6,
        final_share=settling,
        final_tokens=ruled.tokens_a_step,
        final_batch=ruled.batch,
        final_readout_factor=1.0,
    )


@dataclass(frozen=True)
class Case:
    """A recipe with about as many steps as FAILURE_RATE takes, and what is hoped for.

    Steps and the share of those that settle are the best of some six tried on seed 0, which is not
    among the seeds.
    """

    recipe: Recipe
    wanted: float
    """How many times the recipe's seconds the plain loop should need."""
    given_up: float
    """After how many times its seconds the plain loop is given up."""
    seeds: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """n, k and d."""
        return self.recipe.n, self.recipe.k, self.recipe.d


CASES = (
    Case(brief(512, 3, 64, 450, 0.5), 8, 16, (1, 2, 3)),
    Case(brief(4096, 4, 112, 4500, 0.4), 20, 25, (1,)),
)


class _Judge:
    """Reads logits of anything that has them; 8,192 fresh inputs are enough for .05 +- .002."""

    def __init__(self, task: Task, logits: Callable) -> None:
        self._task, self.logits = task, logits

    def failure_rate(self, seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        return measure(self, self._task, 8192, generator).failure_rate  # type: ignore[arg-type]


def seconds_to_reach(
    advance: Callable[[int], object], judge: _Judge, every: int, looks: int, most: float
) -> tuple[bool, float]:
    """Whether one of the looks, one every so many steps, sees FAILURE_RATE, and the seconds spent.

    most: seconds of training after which it is given up.
    """
    spent = 0.0
    for look in range(looks):
        started = time.process_time()
        advance(every)
        spent += time.process_time() - started
        if judge.failure_rate(look) <= FAILURE_RATE:
            return True, spent
        if spent > most:
            break
    return False, spent


def milliseconds(functions: Sequence[Callable[[], object]]) -> list[float]:
    """Median over rounds of each function's time, the functions taking turns."""
    rounds: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(ROUNDS):
        for times, function in zip(rounds, functions, strict=True):
            started = time.process_time()
            function()
            times.append(1e3 * (time.process_time() - started))
    return [statistics.median(times) for times in rounds]


def to_fixed_failure(case: Case) -> list[str]:
    """One row per seed: seconds of the plain loop and of the brief recipe."""
    lines = []
    for seed in case.seeds:
        recipe = replace(case.recipe, seed=seed)
        plain, state = PlainLoop(recipe.n, recipe.k, recipe.d, seed), fit.begin(recipe)
        reached, fast = seconds_to_reach(
            lambda steps, state=state: fit.advance(state, steps),
            _Judge(recipe.task(), state.model.logits),
            -(-recipe.steps // LOOKS),
            LOOKS,
            math.inf,
        )
        found, slow = seconds_to_reach(
            plain.advance,
            _Judge(recipe.task(), plain.logits),
            PLAIN_LOOK,
            plain_loop.STEPS // PLAIN_LOOK,
            case.given_up * fast,
        )
        over = "" if found else "over "
        ratio = f"{over}{slow / fast:.1f}" if reached else "not reached"
        lines.append(
            f"| {recipe.n} | {recipe.k} | {recipe.d} | {seed} | {over}{slow:.1f} | {fast:.1f} "
            f"| {ratio} | {case.wanted:g} |"
        )
    return lines


def one_step(recipe: Recipe) -> str:
    """Step times at the recipe's batch and tokens, and their ratio to the matrix products'."""
    state, tokens = fit.begin(replace(recipe, steps=10**6)), recipe.tokens_at(0)
    product = matmuls_of_a_step(recipe.batch, tokens, recipe.d)
    products, ours = milliseconds(
        [lambda: [product() for _ in range(STEPS)], lambda: fit.advance(state, STEPS)]
    )
    return (
        f"| {recipe.n} | {recipe.k} | {recipe.d} | {tokens} | {recipe.batch} "
        f"| {products / STEPS:.2f} | {ours / STEPS:.2f} | {ours / products:.2f} |"
    )


def main() -> None:
    print(f"torch {torch.__version__.split('+')[0]}, one thread, float32\n")
    print("| n | k | d | tokens a step | batch | matrix products, ms | step, ms | x products |")
    print("|---:" * 8 + "|", flush=True)
    for case in CASES:
        print(one_step(scaled_recipe(*case.sizes)), flush=True)
    print(f"\nTo a failure rate of {FAILURE_RATE}:\n")
    print("| n | k | d | seed | plain loop, s | brief recipe, s | ratio | wanted |")
    print("|---:" * 8 + "|", flush=True)
    for case in CASES:
        print("\n".join(to_fixed_failure(case)), flush=True)


if __name__ == "__main__":
    with one_thread():
        main()
