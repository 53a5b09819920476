"""The modules of the suite, those that are commands, and their public names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

from reports.docs.generate import PACKAGES

# tells a module that is a command
_RUNS = '__name__ == "__main__"'


@cache
def names() -> tuple[str, ...]:
    """Every module, packages before what is in them; the documentation's own are left out."""
    found = []
    for package in PACKAGES:
        found.append(package)
        path = importlib.import_module(package).__path__
        found += [module.name for module in walk_packages(path, f"{package}.")]
    return tuple(name for name in found if not name.startswith("reports.docs"))


def documented() -> tuple[str, ...]:
    """Those with a page in the API reference: not the `__main__` modules, which are commands."""
    return tuple(name for name in names() if not name.endswith("__main__"))


def commands() -> tuple[str, ...]:
    """Modules that `python -m` runs; a package for its `__main__`."""
    runnable = [name for name in names() if _RUNS in _source(name)]
    return tuple(name.removesuffix(".__main__") for name in runnable)


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).read_text("utf-8") if spec and spec.origin else ""


def summary(described: object) -> str:
    """The first sentence of a docstring, on one line."""
    first = (inspect.getdoc(described) or "").split("\n\n")[0]
    return " ".join(first.split())


def public_names(module: ModuleType) -> Iterator[str]:
    """Functions and classes that the module defines, or that its `__all__` offers."""
    offered = getattr(module, "__all__", None)
    for name, value in vars(module).items():
        if offered is not None:
            own = name in offered and not inspect.ismodule(value)
        else:
            own = not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        if own and (inspect.isfunction(value) or inspect.isclass(value)):
            yield name
