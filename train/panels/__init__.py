"""The panels of the training study and of the survey, one file each, in the order of the report.

PANELS, WIDTH, RECIPE and VOCABULARY are the study's, by the sizes of its networks.
"""

from typing import Any

from simulate.jobs.panel import Panel
from train.panels import (
    controls,
    covered_inputs,
    formation,
    harder_hidden_layer,
    learned_codes,
    learned_density,
    mechanism_map,
    predicted_against_measured,
    recipe_off_by_two,
    trained_failure_against_width,
    uniformity,
)

PANELS: dict[str, Panel[Any, Any]] = {
    module.PANEL.name: module.PANEL
    for module in (
        learned_codes,
        mechanism_map,
        controls,
    )
}
WIDTH: dict[str, Panel[Any, Any]] = {
    trained_failure_against_width.NAME: trained_failure_against_width.PANEL
}
RECIPE: dict[str, Panel[Any, Any]] = {recipe_off_by_two.NAME: recipe_off_by_two.PANEL}
VOCABULARY: dict[str, Panel[Any, Any]] = {
    trained_failure_against_width.NAME: trained_failure_against_width.VOCABULARY_PANEL
}
SURVEY: dict[str, Panel[Any, Any]] = {
    module.PANEL.name: module.PANEL
    for module in (
        predicted_against_measured,
        covered_inputs,
        learned_density,
        formation,
        uniformity,
        harder_hidden_layer,
    )
}
