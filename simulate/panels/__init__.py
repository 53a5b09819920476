"""The panels of the main job, one file each, in the order of the report."""

from collections.abc import Sequence

from simulate.panels import (
    column_weight,
    dense_softmax,
    dense_threshold,
    designed_codes,
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
from simulate.panels.panel import Panel, Row, as_csv

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
    )
}


def files(name: str, rows: Sequence[Row], formats: Sequence[str]) -> dict[str, bytes]:
    """A panel's table as CSV and its figure in each format: file names and contents."""
    from simulate import style

    panel = PANELS[name]
    table = panel.table(rows)
    drawn = panel.figure(table)
    made = {f"{name}.{file_format}": style.rendered(drawn, file_format) for file_format in formats}
    return {f"{name}.csv": as_csv(table).encode()} | made
