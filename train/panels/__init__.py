"""The panels of the training study, one file each, in the order of the report."""

from simulate.panels.panel import Panel
from train.panels import controls, learned_codes, mechanism_map

PANELS: dict[str, Panel] = {
    module.PANEL.name: module.PANEL for module in (learned_codes, mechanism_map, controls)
}
