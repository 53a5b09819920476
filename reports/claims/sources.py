"""The files that the claims read, and the two networks that most of them are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reports.documents import Document, record, table
from reports.jobs import (
    COMPLEMENT_ANALYSIS,
    FINISHED_CERTIFICATE,
    RECOGNISER,
    SCALING,
    SMOLLM2,
    SOURCE_ANALYSIS,
    SOURCE_CERTIFICATE,
    SOURCE_NETWORK,
    SURVEY,
    VOCABULARY,
    WIDTH,
)
from reports.numbers import Evidence, Number, Single
from simulate.jobs.table import Point
from simulate.panels import (
    distance_from_best,
    harder_task,
    language_models,
    pseudo_inverse,
    width_of_rivals,
)
from train import unembedding
from train.analyse import ANALYSIS
from train.analysis.prediction_figures import Compared
from train.analysis.record import Analysis
from train.certificate.report import Record
from train.certify import RECORD
from train.panels import (
    covered_inputs,
    formation,
    harder_hidden_layer,
    learned_density,
    predicted_against_measured,
    trained_failure_against_width,
)
from train.reading.names import NETWORK
from train.readout.report import Report

SOURCE = record(SOURCE_ANALYSIS, ANALYSIS, Analysis)
COMPLEMENT = record(COMPLEMENT_ANALYSIS, ANALYSIS, Analysis)
PROOF = record(SOURCE_CERTIFICATE, RECORD, Record)
FINISHED = record(FINISHED_CERTIFICATE, RECORD, Record)
SOURCE_WEIGHTS = Document(SOURCE_NETWORK, NETWORK, bytes)

RECOGNISER_READOUT = record(RECOGNISER, unembedding.RECORD, Report)
SMOLLM2_READOUT = record(SMOLLM2, unembedding.RECORD, Report)

CAPACITIES = table(SCALING, language_models.NAME, language_models.ModelPoint)
RIVALS = table(SCALING, width_of_rivals.NAME, Point)
DISTANCES = table(SCALING, distance_from_best.NAME, Point)
PSEUDO_INVERSE = table(SCALING, pseudo_inverse.NAME, Point)
HARDER_TASK = table(SCALING, harder_task.NAME, Point)
TRAINED_WIDTHS, VOCABULARY_WIDTHS = (
    table(job, trained_failure_against_width.NAME, trained_failure_against_width.ScaledPoint)
    for job in (WIDTH, VOCABULARY)
)
DENSITIES = table(SURVEY, learned_density.NAME, learned_density.PowerPoint)
LAYERS = table(SURVEY, harder_hidden_layer.NAME, harder_hidden_layer.SeedPoint)
PREDICTIONS = table(SURVEY, predicted_against_measured.NAME, Compared)
COVERED = table(SURVEY, covered_inputs.NAME, covered_inputs.WayPoint)
FORMATION = table(SURVEY, formation.NAME, formation.CoursePoint)


@dataclass(frozen=True)
class Network:
    """Numbers of one network's analysis, by the name of its preset."""

    evidence: Evidence
    document: Document[Analysis]
    preset: str

    def number(self, label: str, get: Callable[[Analysis], Single], style: str = ".3g") -> Number:
        """As `Evidence.number`."""
        return self.evidence.number(f"{label}, {self.preset}", self.document, get, style)


def source(evidence: Evidence) -> Network:
    """The network that follows the source: it clamps."""
    return Network(evidence, SOURCE, "source")


def complement(evidence: Evidence) -> Network:
    """The network of the second mechanism."""
    return Network(evidence, COMPLEMENT, "complement")
