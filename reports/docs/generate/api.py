"""The API reference: a page for each module, on which Sphinx puts the docstrings."""

from __future__ import annotations

import importlib
from types import ModuleType

from reports.docs.generate import PACKAGES, Pages, modules, table, toctree
from reports.docs.generate.markdown import plain


def pages() -> Pages:
    """The index, a page for each of the four packages, and one for each module."""
    documented = modules.documented()
    texts: Pages = {}
    for package in PACKAGES:
        texts[f"api/{package}.md"] = _package_page(importlib.import_module(package))
    for name in documented:
        if name not in PACKAGES:
            texts[f"api/{name}.md"] = _module_page(importlib.import_module(name))
    rows = [
        [f"[`{name}`]({name}.md)", plain(modules.summary(importlib.import_module(name)))]
        for name in PACKAGES
    ]
    texts["api/index.md"] = (
        "# Python API\n\nFour packages; imports go down only, `theory` ← `simulate` ← `train` ← "
        "`reports`. Functions take arrays and an `rng` and return typed values.\n\n"
        + table(["package", "what is in it"], rows)
        + "\n"
        + toctree(list(PACKAGES), hidden=True)
    )
    return texts


def _package_page(package: ModuleType) -> str:
    name = package.__name__
    inside = [each for each in modules.documented() if each.startswith(f"{name}.")]
    rows = [
        [f"[`{each}`]({each}.md)", plain(modules.summary(importlib.import_module(each)))]
        for each in inside
    ]
    offered = [
        [_link(package, each), _said(package, each)] for each in modules.public_names(package)
    ]
    shortcut = f"\nOffered by `{name}` itself:\n\n{table(['name', 'what it is'], offered)}"
    return (
        f"# {name}\n\n{plain(package.__doc__ or '')}\n{shortcut if offered else ''}\n"
        f"## Modules\n\n{table(['module', 'what is in it'], rows)}"
    )


def _link(package: ModuleType, name: str) -> str:
    value = getattr(package, name)
    home = f"{value.__module__}.{name}" if value.__module__ != package.__name__ else name
    if value.__module__ == package.__name__:
        return f"`{name}`"
    return f"{{py:obj}}`{name} <{home}>`"


def _said(package: ModuleType, name: str) -> str:
    return plain(modules.summary(getattr(package, name)))


def _module_page(module: ModuleType) -> str:
    name = module.__name__
    # not in the tree of contents, which every page would repeat
    directive = f"```{{eval-rst}}\n.. automodule:: {name}\n   :ignore-module-all:\n```\n"
    return f"---\norphan: true\n---\n\n# {name}\n\n{directive}"
