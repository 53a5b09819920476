"""A recipe from the sizes: rates, scales, batch, steps and optimiser follow from n, k and d."""

from __future__ import annotations

from theory.domain import check_real
from train.training.recipe import Recipe, Start

# a step knows at most this many tokens, and its inputs name each of them this often on average
TOKENS_A_STEP, VISITS_A_STEP = 512, 4
# the last steps name each token this many times more often, which lowers what the coefficients
# cost of total variation
FINAL_SHARE, FINAL_BATCHES = 0.3, 4
# steps that follow each other on the same tokens
STEPS_A_PART = 4
EMBEDDING_SCALE, EMBEDDING_RATE = 8.0, 0.25
READOUT_SCALE, READOUT_RATE, READOUT_POWER = 0.001, 0.014, 2.0
LAYER_RATE, LAYER_POWER, PARTS_POWER = 0.0147, 1.45, 0.11
# the width that the rates are given at
WIDTH = 64
MANY_TOKENS = 4


def scaled_recipe(
    n: int, k: int, d: int, seed: int = 0, start: Start = "clamp", visits: float = 9_000
) -> Recipe:
    """The recipe for these sizes; h = d. Raises DomainError as Recipe does.

    visits: how many inputs name each token in the whole training, were the last share's batches no
    larger; many more are needed above k = 4, and are added.
    """
    Recipe(n=n, k=k, d=d, start=start)  # before the rules, so that what is wrong is named
    check_real("visits", visits, 0.0)
    tokens = min(n, max(TOKENS_A_STEP, 2 * k))
    batch = max(1, VISITS_A_STEP * tokens // k)
    crowd = max(1.0, k / MANY_TOKENS)
    steps = max(1, round(visits * crowd * n / (k * batch)))
    width, parts = d / WIDTH, n / tokens
    return Recipe(
        n=n,
        d=d,
        k=k,
        steps=steps,
        batch=batch,
        tokens_a_step=tokens,
        steps_a_part=STEPS_A_PART,
        final_share=FINAL_SHARE,
        final_tokens=tokens,
        final_batch=FINAL_BATCHES * batch,
        seed=seed,
        start=start,
        embedding_scale=EMBEDDING_SCALE,
        readout_scale=READOUT_SCALE,
        learning_rate=LAYER_RATE * width**-LAYER_POWER * parts**-PARTS_POWER,
        embedding_rate=EMBEDDING_RATE,
        readout_rate=READOUT_RATE * width**-READOUT_POWER * crowd**-3,
        second_moment=0.95,
        weight_decay=0.0,
        warmup=steps // 100,
        cooling=1.3,
    )
