"""A training run between two steps as one safetensors file: no pickle, written whole or not at all.

Resumed from it, the run ends in bitwise the weights of an undisturbed one, on the same machine.
The metadata hold a SHA-256 digest of everything else, so that a damaged file is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from simulate.jobs.output import write_whole
from theory.domain import DomainError
from train.reading.weights import safetensors_bytes
from train.training.fit import State, begin
from train.training.recipe import Execution, Recipe

SCHEMA = 1
_ANEW = ": leave out --resume to start anew"


def as_bytes(state: State, execution: Execution) -> bytes:
    """The checkpoint: weights, AdamW's moments, the generator's state, and how they came about."""
    arrays = {f"model.{name}": weight for name, weight in state.model.state_dict().items()}
    for place, moments in state.optimiser.state_dict()["state"].items():
        arrays |= {f"optimiser.{place}.{name}": moment for name, moment in moments.items()}
    arrays["generator"] = state.generator.get_state()
    kept = {name: array.detach().cpu().numpy() for name, array in arrays.items()}
    metadata = {
        "schema": str(SCHEMA),
        "recipe": json.dumps(asdict(state.recipe)),
        "execution": json.dumps(asdict(execution)),
        "step": str(state.step),
    }
    return safetensors_bytes(kept, metadata | {"sha256": _digest(kept, metadata)})


def save(path: Path, state: State, execution: Execution) -> None:
    """Write the checkpoint; whenever the process ends, the file is the earlier or the new one."""
    write_whole(path, as_bytes(state, execution))


def load(path: Path, recipe: Recipe, execution: Execution) -> State:
    """The state in the file, on the execution's device.

    Raises DomainError for a file that is damaged or no checkpoint, and for one of another recipe or
    execution, naming the fields that differ.
    """
    arrays, metadata = _read(path)
    earlier = json.loads(metadata["recipe"]) | json.loads(metadata["execution"])
    wanted = json.loads(json.dumps(asdict(recipe) | asdict(execution)))
    differing = sorted(
        name for name in {*earlier, *wanted} if earlier.get(name) != wanted.get(name)
    )
    if differing:
        raise DomainError(
            f"resume needs the recipe of the earlier run; {path} differs in "
            f"{', '.join(differing)}: give the earlier ones, or leave out --resume to start anew"
        )
    state = begin(recipe, execution.device)
    state.generator.set_state(torch.tensor(arrays.pop("generator")))
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        part, _, rest = name.rpartition(".")
        parts.setdefault(part, {})[rest] = torch.tensor(array)
    state.model.load_state_dict(parts.pop("model"))
    moments = {int(part.removeprefix("optimiser.")): parts[part] for part in parts}
    groups = state.optimiser.state_dict()["param_groups"]
    state.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    state.step = int(metadata["step"])
    state.model.tied_by = recipe.tied_by(max(state.step - 1, 0))
    return state


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a checkpoint whose digest is right."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DomainError(f"{path} must be a whole checkpoint; {error}{_ANEW}") from None
    digest = metadata.pop("sha256", None)
    if digest is None or metadata.get("schema") != str(SCHEMA):
        raise DomainError(f"{path} must be a checkpoint of train.run, schema {SCHEMA}{_ANEW}")
    if digest != _digest(arrays, metadata):
        raise DomainError(f"{path} must have the digest that it names, and is damaged{_ANEW}")
    return arrays, metadata


def _digest(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the names, dtypes, shapes and bytes of all tensors, and of the metadata."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, str(array.dtype), list(array.shape)]).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
