"""The JSON files that jobs leave: their fields from the dataclasses, and their JSON Schemas."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from reports.docs.generate import Pages, cell, modules
from reports.docs.generate.markdown import plain
from simulate.jobs import folder
from simulate.jobs.checks import Check
from simulate.jobs.figure import FigureEntry

# one JSON schema
Schema = dict[str, Any]

# a dataclass with this field is what one file holds
_SCHEMA = "schema"
# files that hold lists of one dataclass
LISTS: dict[str, type] = {folder.FIGURES: FigureEntry, folder.CHECKS: Check}

_INTRODUCTION = """# JSON files and their schemas

Every job writes its numbers as JSON. Each file is one dataclass, named in the headings below, which
`msgspec.json.decode(content, type=…)` reads back; a file of another schema is refused with a
message that names what differs. A measured number always has the same form, an
[Estimate](#part-estimate): its value, its interval, the interval’s confidence, the number of
samples, and the kind of interval.

## Files
"""


def documents() -> Iterator[type]:
    """The dataclasses that are the whole of a JSON file."""
    for name in modules.documented():
        module = importlib.import_module(name)
        for each in modules.public_names(module):
            value = getattr(module, each)
            if (
                dataclasses.is_dataclass(value)
                and isinstance(value, type)
                and value.__module__ == name
                and any(part.name == _SCHEMA for part in dataclasses.fields(value))
            ):
                yield value


def _anything(kind: type) -> Schema:
    """The schema of what may be any plain data."""
    return {"description": "plain data"}


def pages() -> Pages:
    """One page of all files and their parts, and each file's JSON Schema."""
    files = [*documents(), *LISTS.values()]
    tops, parts = msgspec.json.schema_components(files, schema_hook=_anything)
    texts: Pages = {}
    sections = [_INTRODUCTION]
    named = [f"{kind.__module__}.{kind.__name__}" for kind in documents()]
    named += [f"{file}: a list of these" for file in LISTS]
    whole = [_name(top) for top in tops]
    for name, kind, title in zip(whole, files, named, strict=True):
        schema = msgspec.json.schema(kind, schema_hook=_anything)
        file = f"{kind.__module__}.{kind.__name__}.json"
        texts[f"schemas/{file}"] = json.dumps(schema, indent=2) + "\n"
        sections.append(_section(f"### {title}", name, parts[name], f"{{download}}`{file}`\n\n"))
    sections.append("## Parts\n\nThe records of which the files consist, in alphabetical order.\n")
    for name in sorted(set(parts) - set(whole), key=_short):
        sections.append(_section(f"### {_short(name)}", name, parts[name]))
    texts["schemas/index.md"] = "\n".join(sections)
    return texts


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).removeprefix("#/$defs/")


def _short(name: str) -> str:
    """A dataclass's name, of which msgspec writes the module where two have the same."""
    return name.replace("_", ".") if "_" in name else name


def _anchor(name: str) -> str:
    return "part-" + re.sub(r"[^a-z0-9]+", "-", name.lower())


def _section(heading: str, name: str, described: Schema, after: str = "") -> str:
    """A record's heading, its docstring, which explains its fields, and their types."""
    paragraphs = inspect.cleandoc(described.get("description", "")).split("\n\n")
    text = "\n\n".join(plain(" ".join(each.split())) for each in paragraphs)
    fields = described.get("properties")
    inside = f"{kind_of(described)}\n"
    if fields is not None:
        rows = [f"| `{field}` | {cell(kind_of(kind))} |" for field, kind in fields.items()]
        inside = "\n".join(["| field | type |", "| --- | --- |", *rows]) + "\n"
    return f"({_anchor(name)})=\n{heading}\n\n{text}\n\n{after}{inside}"


def kind_of(schema: Schema) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in schema:
        name = _name(schema)
        return f"[{_short(name)}](#{_anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(map(kind_of, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "prefixItems" in schema:
        return f"pair of {' and '.join(map(kind_of, schema['prefixItems']))}"
    kind = schema.get("type", "any plain data")
    if kind == "array":
        return f"list of {kind_of(schema.get('items') or {})}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"object of {kind_of(values)}" if isinstance(values, dict) else "object"
    return str(kind)
