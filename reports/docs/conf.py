"""Sphinx: `make docs` builds the site, offline and without a warning, into reports/results/docs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
# the notebooks' kernels and the commands in them find the project, and the same Python
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

from reports.docs.generate import numbers  # noqa: E402

project = "relu-bloom"
author = "The relu-bloom authors"
version = release = numbers.VERSION

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "reports.docs.generate.extension",
]
exclude_patterns = ["generate/**", "generated/symbols.md", "**/.ipynb_checkpoints"]
root_doc = "index"

html_theme = "furo"
html_title = "relu-bloom"
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
templates_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_substitutions = numbers.substitutions()
myst_heading_anchors = 3
myst_links_external_new_tab = False

# every notebook is run whenever the site is built; an error in one is an error of the build
nb_execution_mode = "force"
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
copybutton_exclude = ".linenos, .gp"

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": True, "no-value": True}
add_module_names = False
toc_object_entries = False
default_role = "code"
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
