"""The panels of the main job, one file each, in the order of the report."""

from simulate.jobs.panel import Panel
from simulate.panels import (
    column_weight,
    dense_softmax,
    dense_threshold,
    designed_codes,
    distance_from_best,
    failure_against_hashes,
    failure_against_width,
    false_positive_count,
    harder_task,
    language_models,
    linear_readout,
    moment_curve,
    pseudo_inverse,
    quenched_against_annealed,
    softmax_output,
    width_against_error,
    width_of_rivals,
)

PANELS: dict[str, Panel] = {
    module.PANEL.name: module.PANEL
    for module in (
        failure_against_width,
        width_against_error,
        failure_against_hashes,
        false_positive_count,
        softmax_output,
        quenched_against_annealed,
        linear_readout,
        column_weight,
        designed_codes,
        dense_softmax,
        dense_threshold,
        pseudo_inverse,
        moment_curve,
        harder_task,
        width_of_rivals,
        language_models,
        # last: the random stream of a task follows from its place in the list
        distance_from_best,
    )
}
