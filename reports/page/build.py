"""The page as one HTML text: template, style, scripts, golden numbers and a network's weights."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.page.golden import golden_numbers
from simulate.jobs.output import as_plain
from theory.domain import DomainError, check_integer, check_real, check_task

if TYPE_CHECKING:
    from simulate.network import ReluNetwork
    from train.reading.weights import Weights

_FOLDER = Path(__file__).parent
# in the order in which they build on each other
_SCRIPTS = (
    "text",
    "arithmetic",
    "random",
    "network",
    "picture",
    "controls",
    "charts",
    "state",
    "intake",
    "weights",
    "page",
    "lab",
    "rates",
    "own_network",
    "trained",
    "figures",
    "self_check",
    "start",
)
# the largest network that the page can show, as in scripts/state.js and scripts/weights.js
MOST_TOKENS, MOST_MEMBERS, MOST_UNITS = 2048, 12, 256
_TENSORS = ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")


def build(
    weights: Weights | None = None,
    *,
    mask_failure_probability: float | None = None,
    ledger: str = "",
    source: str = "",
) -> str:
    """The page, an HTML text that needs nothing else; the same text for the same arguments.

    weights: the trained network to run in the page, in float32, with k and perhaps c in its
    metadata; None leaves its part out. mask_failure_probability: the exact share of inputs on
    which its masks have a false positive, for show, where it is known. ledger: HTML of the claims'
    section, trusted as it is. source: a plain sentence for the foot of the page. Raises
    DomainError for weights whose metadata have no proper k and c, or that are too large to show.
    """
    from reports.templating import render

    network = None if weights is None else _network_data(weights, mask_failure_probability)
    return render(
        _FOLDER / "page.html.j2",
        html=True,
        style=(_FOLDER / "page.css").read_text("utf-8"),
        script="\n".join(
            (_FOLDER / "scripts" / f"{name}.js").read_text("utf-8") for name in _SCRIPTS
        ),
        data=_as_script_data(
            {"network": network, "intake": _intake(), "golden": golden_numbers(weights)}
        ),
        network=network is not None,
        ledger=ledger,
        source=source,
    )


def _network_data(weights: Weights, mask_failure_probability: float | None) -> dict[str, Any]:
    """Sizes, tensors as little-endian float32, masks as little-endian bits, all in base64."""
    from theory import quenched
    from train.reading import masks

    network = weights.relu_network
    k, c = task_of(weights.metadata, network)
    for name, value, most in (
        ("n", network.n, MOST_TOKENS),
        ("k", k, MOST_MEMBERS),
        ("d", network.d, MOST_UNITS),
        ("h", network.h, MOST_UNITS),
    ):
        check_integer(f"{name} of the page's network", value, 1, most)
    found = masks.extract(network, k, c)
    tensors = {
        name: _base64(np.asarray(tensor, dtype="<f4"))
        for name in _TENSORS
        if (tensor := getattr(network, name)) is not None
    }
    sizes = {"n": network.n, "d": network.d, "h": network.h, "k": k, "c": c}
    return {
        **sizes,
        "tensors": tensors,
        "read": _base64(np.packbits(found.read, bitorder="little")),
        "write": _base64(np.packbits(found.write, bitorder="little")),
        "clampUnits": int((found.orientation == masks.CLAMP).sum()),
        "expectedFalsePositives": float(quenched.expected_false_positives(found.read, k)),
        "failureProbability": mask_failure_probability,
    }


def _intake() -> dict[str, Any]:
    """The names by which tensors are known, as the analysis has them."""
    from train.reading import layout

    return {
        "matrices": layout.MATRICES,
        "aliases": {name: text.split() for name, text in layout.ALIASES.items()},
        "biasAliases": {name: text.split() for name, text in layout.BIAS_ALIASES.items()},
        "biasOf": layout.BIAS_OF,
        "outside": layout.OUTSIDE,
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def task_of(metadata: Mapping[str, str], network: ReluNetwork) -> tuple[int, float]:
    """k and c (2 where it is not given) from a weight file's metadata."""
    try:
        k, c = int(metadata["k"]), float(metadata.get("c", 2.0))
    except (KeyError, ValueError):
        raise DomainError(
            f"network must have an integer k and a number c as metadata; got {dict(metadata)}"
        ) from None
    return check_task(network.n, k)[1], check_real("c", c, 1.0, closed=True)


def _as_script_data(record: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(as_plain(record), allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
