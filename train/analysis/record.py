"""The record of an analysis, as analysis.json holds it.

`msgspec.to_builtins` makes plain data of it, `msgspec.convert(data, Analysis)` a record again. A
measured number is an `Estimate`: value, interval, confidence, samples, kind, standard_error. What
has no meaning for this network, or belongs to a section that was not asked for, is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from simulate.jobs.intervals import Estimate
from theory.domain import DomainError
from train.analysis.behaviour import BehaviourRecord, MissingBits
from train.analysis.causal import CausalRecord
from train.analysis.evidence import Evidence
from train.analysis.exceptions import Exceptions
from train.analysis.mechanism import MechanismRecord, UnitCounts, Verdict
from train.analysis.prediction import PredictionRecord
from train.analysis.rare import RareRecord
from train.analysis.uniformity import UniformityRecord

SCHEMA = 2


@dataclass(frozen=True)
class Analysis:
    """verdict: of units that are of a construction and act, see `evidence`; else none.

    bloom_filter: whether structure, mechanism and behaviour hold. reason: of the first part that
    does not hold, or of the structure. compared: whether the arrays were compared with the model
    they are said to come from. predicted_failure_rate: of the masks. The numbers that follow stand
    in the sections too, where they are explained. sections: the optional ones that were asked for.
    """

    checkpoint: str
    source: dict[str, Any]
    compared: bool
    n: int
    k: int
    d: int
    h: int
    c: float
    c_assumed: bool
    dtype: str
    seed: int
    sections: list[str]
    verdict: Verdict
    bloom_filter: bool
    reason: str
    evidence: Evidence
    units: UnitCounts
    density: float | None
    mask_agreement: float | None
    bits_per_token: float | None
    total_variation: Estimate
    kl: Estimate
    failure_rate: Estimate
    false_positive_rate_per_input: Estimate
    mechanistic_failure_rate: Estimate | None
    missing_bit_levels: list[MissingBits]
    exceptions: Exceptions
    mechanism: MechanismRecord
    behaviour: BehaviourRecord
    prediction: PredictionRecord | None
    causal: CausalRecord | None
    uniformity: UniformityRecord | None
    rare: RareRecord | None = None
    schema: int = SCHEMA


def read(path: Path) -> Analysis:
    """The record in a file. Raises DomainError, naming it, for what is none of this schema."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Analysis)
    except msgspec.MsgspecError as error:
        raise DomainError(
            f"{path} must hold an analysis of schema {SCHEMA}: {error}; train.analyse makes one"
        ) from None
