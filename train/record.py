"""What is recorded of a trained network: its file, its measures, the numbers of its mechanism."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate.harder_task import TargetNetwork
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure
from train.reading import weights
from train.training.fit import DivergedError, State, fresh_inputs
from train.training.loss import outcomes
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from simulate.jobs.intervals import Estimate

INPUTS = 100_000


def save_network(path: Path, state: State, preset: str) -> None:
    """Write the weights as they are, with k, c, seed, step, preset and recipe as metadata."""
    recipe = state.recipe
    metadata = {
        "k": recipe.k,
        "c": recipe.c,
        "seed": recipe.seed,
        "step": state.step,
        "preset": preset,
        "recipe": json.dumps(asdict(recipe)),
    }
    weights.save(path, state.model.to_network(), metadata)


def measured(state: State) -> dict[str, Any]:
    """Counts and moments on 100,000 fresh inputs, from which `estimates` makes intervals.

    inputs, failures; total_variation and kl (nats), each {"estimate", "standard_error"}. Raises
    DivergedError where they are not finite.
    """
    found = outcomes(state.model, state.recipe.task(), INPUTS, fresh_inputs(state))
    record: dict[str, Any] = {"inputs": INPUTS, "failures": int(found.failed.sum())}
    for name, values in (("total_variation", found.total_variation), ("kl", found.kl)):
        array = values.double().cpu().numpy()
        mean, error = float(array.mean()), float(array.std(ddof=1) / math.sqrt(INPUTS))
        if not math.isfinite(mean + error):
            raise DivergedError(f"{name} is {mean} at step {state.step}")
        record[name] = {"estimate": mean, "standard_error": error}
    return record


def estimates(record: Mapping[str, Any], confidence: float) -> dict[str, Estimate]:
    """total_variation, kl (Student t) and failure_rate (Clopper-Pearson) of a `measured` record."""
    from simulate.jobs import intervals

    inputs = record["inputs"]

    def mean(estimate: float, standard_error: float) -> Estimate:
        return intervals.from_standard_error(estimate, standard_error, inputs - 1, confidence)

    return {
        "total_variation": mean(**record["total_variation"]),
        "kl": mean(**record["kl"]),
        "failure_rate": intervals.proportion(record["failures"], inputs, confidence),
    }


def mechanism(state: State) -> dict[str, Any]:
    """The numbers of the mechanism, read off the weights.

    verdict and units: by orientation, see `analysis.mechanism`. mask_agreement: of what live units
    read and write. score: share of the entries that follow one construction. density: of the
    masks of the clamp and complement units; bits_per_token, tokens_per_unit: of the live ones.
    embedding_rms: of W_E. layer_eigenvalue: mean real part of those of W_in W_out on the clamp
    units, -1 in the construction. None where there is nothing to average.
    """
    from train.analysis.mechanism import agreement, judged, layer_eigenvalues, score, units
    from train.reading.masks import CLAMP, extract

    network = state.model.to_network()
    network = network.network if isinstance(network, TargetNetwork) else network
    masks = extract(network, state.recipe.k, state.recipe.c)
    code, oriented = masks.read[:, masks.live], masks.read[:, masks.orientation != 0]
    eigenvalues = layer_eigenvalues(network, masks.orientation == CLAMP)
    return {
        "verdict": judged(masks)["verdict"],
        "units": units(masks),
        "mask_agreement": agreement(masks)["value"],
        "score": score(masks)["value"],
        "density": float(oriented.mean()) if oriented.size else None,
        "bits_per_token": {"mean": float(code.sum(1).mean()), "sd": float(code.sum(1).std())},
        "tokens_per_unit": {
            "mean": float(code.sum(0).mean()) if code.size else None,
            "sd": float(code.sum(0).std()) if code.size else None,
        },
        "embedding_rms": float(np.sqrt((network.W_E.astype(np.float64) ** 2).mean())),
        "layer_eigenvalue": float(eigenvalues.real.mean()) if eigenvalues.size else None,
    }


def best_random_filter(recipe: Recipe) -> dict[str, Any] | None:
    """The m at which random hashes of d bits fail least, and their failure probability, exact.

    None in the harder task, whose d coordinates carry more than the hashes, and where k = n.
    """
    if recipe.target_scale > 0 or recipe.k == recipe.n:
        return None
    m = optimal_hashes_for_failure(recipe.n, recipe.k, recipe.d)
    return {"m": m, "failure_probability": failure_probability(recipe.n, recipe.k, recipe.d, m)}
