"""Panels' view of one trained network: the task that trains it, and its measures as points."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import DRAWN_CONFIDENCE, Point, Row
from simulate.jobs.tasks import Task
from train.sweep import seconds, train_one
from train.training.recipe import Recipe

MEASURES = {"failure rate": "failure_rate", "total variation": "total_variation"}


def training_task(panel: str, name: str, recipe: Recipe) -> Task:
    """Train by the recipe, whose seed decides everything; the row has the recipe's fields too."""
    return Task(f"{panel}/{name}", train_one, plain_fields(recipe), seconds(recipe))


def plain_fields(recipe: Recipe) -> dict[str, Any]:
    """The recipe's fields as JSON returns them."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(recipe).items()
    }


def estimate(row: Row, measure: str, confidence: float = CONFIDENCE) -> Estimate:
    """One of the MEASURES of a network, with its interval over fresh inputs."""
    from train.record import estimates

    return estimates(row, confidence)[MEASURES[measure]]


def network_point(axis: str, series: str, x: float, measure: str, row: Row) -> Point:
    """A network's measure as a point with its 95 % interval and sizes."""
    found = estimate(row, measure, DRAWN_CONFIDENCE)
    sizes = {letter: row[letter] for letter in "nkd"}
    return Point(axis, series, "trained", x, found.estimate, *found.interval, **sizes)
