"""Where training starts from."""

from __future__ import annotations

import math

import numpy as np
import torch

from simulate.constructions import clamp
from simulate.sampling import random_hashes
from theory.width import optimal_hashes_for_failure
from train.training.model import ToyNetwork
from train.training.recipe import Recipe

_START_STREAM = 0


def initial_model(recipe: Recipe) -> ToyNetwork:
    """The untrained network of the recipe, on the CPU; frozen parameters require no gradient."""
    rng = np.random.default_rng(np.random.SeedSequence(recipe.seed, spawn_key=(_START_STREAM,)))
    n, d, h, scale = recipe.n, recipe.d, recipe.hidden, recipe.embedding_scale

    def gaussian(rows: int, columns: int, deviation: float) -> torch.Tensor:
        return torch.from_numpy(rng.normal(0.0, deviation, (rows, columns))).float()

    tied_by = recipe.tied_by(0) if recipe.tied else None
    model = ToyNetwork(n, d, h, recipe.target_scale > 0, tied_by, recipe.final_scale_rate > 0)
    with torch.no_grad():
        if recipe.start == "exact":
            m = recipe.m or optimal_hashes_for_failure(n, recipe.k, d)
            exact = clamp(random_hashes(rng, n, d, m), beta=2.0)
            model.W_E.copy_(torch.from_numpy(exact.W_E * scale))
            model.b_in.copy_(torch.from_numpy(exact.b_in * scale))
            if model.W_U is not None:
                model.W_U.copy_(torch.from_numpy(exact.W_U / scale))
        else:
            model.W_E.copy_(gaussian(n, d, scale))
            model.b_in.fill_(recipe.bias * scale)
            if model.W_U is not None:
                model.W_U.copy_(gaussian(d, n, recipe.readout_scale / math.sqrt(d)))
        if recipe.start == "gaussian":
            model.W_in.copy_(gaussian(d, h, 1 / math.sqrt(d)))
            model.W_out.copy_(gaussian(h, d, 1 / math.sqrt(h)))
        else:
            model.W_in.copy_(torch.eye(d))
            model.W_out.copy_(-torch.eye(d))
        if model.V is not None:
            model.V.copy_(gaussian(n, d, scale))
        if not recipe.layer:
            for weight in (model.W_in, model.b_in, model.W_out):
                weight.zero_()
    model.tied_by = recipe.tied_by(0)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in recipe.trained)
    return model
