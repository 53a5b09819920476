"""A page for each command, from the command's own help."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

from reports.docs.generate import Pages, modules, table, toctree
from theory.__main__ import OFFERED

_COLUMNS = 92


@dataclass(frozen=True)
class Command:
    """A command line, and the module that it runs."""

    module: str
    subcommand: str = ""

    @property
    def line(self) -> str:
        """What is typed."""
        return f"python -m {self.module} {self.subcommand}".rstrip()

    @property
    def page(self) -> str:
        """The name of its page."""
        return "_".join(filter(None, [self.module.replace(".", "_"), self.subcommand]))

    def help(self) -> str:
        """What `--help` prints."""
        runnable = self.module
        if hasattr(importlib.import_module(runnable), "__path__"):
            runnable += ".__main__"
        main = importlib.import_module(runnable).main
        out = io.StringIO()
        arguments = [runnable, *filter(None, [self.subcommand]), "--help"]
        with (
            patch.object(sys, "argv", arguments),
            patch.dict(os.environ, COLUMNS=str(_COLUMNS)),
            contextlib.redirect_stdout(out),
            contextlib.suppress(SystemExit),
        ):
            main()
        # what is said before the flags comes in one line a paragraph
        filler = textwrap.TextWrapper(_COLUMNS, break_on_hyphens=False)
        return "\n".join(filler.fill(line) for line in out.getvalue().strip().splitlines())


def every_command() -> Iterator[Command]:
    """Every command; those of theory one by one."""
    for module in modules.commands():
        yield Command(module)
        if module == "theory":
            yield from (Command(module, name) for name in OFFERED)


def summary(command: Command) -> str:
    """What the command is for, in a sentence."""
    if command.subcommand:
        return modules.summary(OFFERED[command.subcommand])
    name = command.module
    text = (
        modules.summary(importlib.import_module(f"{name}.__main__"))
        if name in ("theory", "simulate", "train", "reports")
        else modules.summary(importlib.import_module(name))
    )
    # a module's docstring begins with the command line
    _, colon, after = text.partition("`: ")
    said = after if colon else text
    return said[:1].upper() + said[1:]


def pages() -> Pages:
    """The index and one page a command."""
    found = list(every_command())
    rows = [[f"[`{each.line}`]({each.page}.md)", summary(each)] for each in found]
    index = (
        "# All commands\n\nThese pages are the commands’ own help.\n\n"
        + table(["command", "what it does"], rows)
        + "\n"
        + toctree([each.page for each in found], hidden=True)
    )
    texts = {
        f"commands/{each.page}.md": (
            f"# `{each.line}`\n\n{summary(each)}\n\n```text\n{each.help()}\n```\n"
        )
        for each in found
    }
    return {"commands/index.md": index, **texts}
