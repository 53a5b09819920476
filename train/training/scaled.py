"""A recipe from the sizes: rates, scales, batch, steps and optimiser follow from n, k and d."""

from __future__ import annotations

from train.training.recipe import Recipe, Start

# a step knows at most this many tokens, and its inputs name each of them this often on average
TOKENS_A_STEP, VISITS_A_STEP = 512, 4
EMBEDDING_SCALE, EMBEDDING_RATE = 8.0, 0.25
READOUT_SCALE, READOUT_RATE = 0.001, 0.014
LAYER_RATE, LAYER_WIDTH, LAYER_POWER = 0.014, 64, 1.45


def scaled_recipe(n: int, k: int, d: int, seed: int = 0, start: Start = "clamp") -> Recipe:
    """The recipe for these sizes; h = d. Raises DomainError as Recipe does."""
    Recipe(n=n, k=k, d=d, start=start)  # before the rules, so that what is wrong is named
    tokens = min(n, max(TOKENS_A_STEP, k + 1))
    batch = max(1, VISITS_A_STEP * tokens // k)
    visits = 9_000 if k <= 4 else 25_000
    steps = max(1, visits * n // (k * batch))
    return Recipe(
        n=n,
        d=d,
        k=k,
        steps=steps,
        batch=batch,
        tokens_a_step=tokens,
        seed=seed,
        start=start,
        embedding_scale=EMBEDDING_SCALE,
        readout_scale=READOUT_SCALE,
        learning_rate=LAYER_RATE * (LAYER_WIDTH / d) ** LAYER_POWER,
        embedding_rate=EMBEDDING_RATE,
        readout_rate=READOUT_RATE * min(1.0, 4 / k) ** 3,
        second_moment=0.95,
        weight_decay=0.0,
        warmup=steps // 100,
        cooling=1.3,
    )
