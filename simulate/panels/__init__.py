"""The panels of the main job, one file each, in the order of the report."""

from simulate.panels import (
    failure_against_hashes,
    failure_against_width,
    false_positive_count,
    linear_readout,
    quenched_against_annealed,
    softmax_output,
    width_against_error,
)
from simulate.panels.panel import Panel

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
    )
}
