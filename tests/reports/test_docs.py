"""The documentation's sources: everything has its page, links resolve, notebooks parse."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from itertools import pairwise
from pathlib import Path

import pytest

import simulate.panels
from reports.docs import links
from reports.docs.generate import (
    DOCS,
    GENERATED,
    Pages,
    api,
    claims,
    commands,
    formulas,
    gallery,
    modules,
    numbers,
    schemas,
)
from reports.docs.generate.markdown import plain
from theory.derivations import DERIVATIONS
from theory.formulas import CATALOGUE
from train.panels import PANELS, RECIPE, SURVEY, VOCABULARY, WIDTH

# the checker is a program of its own, and each organism carries its description with it
OF_THEMSELVES = ("train.certificate.checker", "train.organism.family")
WRITTEN = sorted([*DOCS.glob("*.md"), *DOCS.glob("tutorials/*.md")])
TUTORIALS = sorted(DOCS.glob("tutorials/*.md"))
MOST_WORDS = 60
README = Path("README.md")
STUDIES = (PANELS, WIDTH, RECIPE, VOCABULARY, SURVEY)


def too_early(text: str) -> list[str]:
    """Lines of what a command says of its flags to which the next one's first word would fit."""
    before_subcommands, *_ = text.partition("\n subcommands")
    flags = [line for line in before_subcommands.splitlines() if line.startswith("  ")]
    width = max(map(len, flags), default=0)
    found = []
    for line, following in pairwise(flags):
        column = len(following) - len(following.lstrip())
        beside = column > 4 and line[column - 2 : column] == "  " and line[column : column + 1]
        if beside and len(line) + 1 + len(following.split()[0]) <= width:
            found.append(line)
    return found


def captions_on(page: str) -> list[str]:
    """The captions of a page, which stand in italics below their figures; links without targets."""
    found = re.findall(r"^!\[[^\]]*\]\(\S+\)\n\n\*(.+?)\*$", page, re.DOTALL | re.MULTILINE)
    return [re.sub(r"\]\([^)]*\)", "]", caption) for caption in found]


def too_long(captions: dict[str, str]) -> list[str]:
    """The names of captions of more words than can be read at a glance."""
    return [name for name, text in captions.items() if len(text.split()) > MOST_WORDS]


@pytest.fixture(scope="module")
def generated() -> Pages:
    """Every generated page."""
    parts = (api, claims, commands, formulas, gallery, schemas)
    return {name: text for part in parts for name, text in part.pages().items()}


class TestCommands:
    def test_each_has_a_page_with_its_help(self, generated):
        found = list(commands.every_command())
        assert len(found) >= 20
        for command in found:
            page = generated[f"commands/{command.page}.md"]
            usage = command.module.rsplit(".", 1)[-1]
            assert re.search(rf"usage: (python -m )?\S*{usage}", page), command.line
            assert commands.summary(command)

    def test_help_fills_its_lines(self, generated):
        pages = {name: text for name, text in generated.items() if name.startswith("commands/")}
        assert {name: too_early(text) for name, text in pages.items() if too_early(text)} == {}
        assert sum(text.count("\n  --") for text in pages.values()) > 150

    def test_a_line_that_ends_early_is_seen(self):
        filled = (
            "  --width INT  Narrowest width at which it holds, which is\n"
            "               found by bisection. (default: None)"
        )
        assert too_early(filled) == []
        broken = filled.replace(" which is", "").replace("found", "which is found")
        assert too_early(broken) == [broken.splitlines()[0]]

    @pytest.mark.parametrize("package", ["theory", "simulate", "train"])
    def test_what_a_package_lists_has_a_page(self, generated, capsys, package):
        importlib.import_module(f"{package}.__main__").main([])
        listed = re.findall(rf"python -m ({package}\.\w+)", capsys.readouterr().out)
        for module in listed:
            assert f"commands/{module.replace('.', '_')}.md" in generated


class TestReference:
    def test_each_public_name_has_a_docstring_on_a_page(self, generated):
        missing = []
        for name in modules.documented():
            assert f"api/{name}.md" in generated
            module = importlib.import_module(name)
            assert modules.summary(module), name
            for each in modules.public_names(module):
                of_itself = name.startswith(OF_THEMSELVES)
                if not (of_itself or inspect.getdoc(getattr(module, each))):
                    missing.append(f"{name}.{each}")
        assert missing == []

    def test_each_formula_has_a_section_with_what_it_holds_for(self, generated):
        for part in formulas.PARTS:
            page = generated[f"formulas/{part.__name__.rsplit('.', 1)[-1]}.md"]
            for formula in formulas.formulas_of(part):
                section = page.split(f"({formulas.anchor(formula)})=")[1].split("\n(")[0]
                assert f"**kind**: {formula.kind}" in section
                assert plain(formula.domain) in section
                assert plain(formula.source) in section
        names = [formulas.anchor(each) for part in formulas.PARTS for each in part.FORMULAS]
        assert len(names) == len(set(names)) == len(CATALOGUE)

    def test_each_derivation_has_a_page_with_all_its_steps(self, generated):
        for derivation in DERIVATIONS:
            page = generated[f"formulas/derivations/{derivation.name}.md"]
            assert page.count("**Step ") == len(derivation.steps)
        spoken_of = {name for names in formulas.derived_in().values() for name in names}
        assert spoken_of <= {derivation.name for derivation in DERIVATIONS}
        assert "width_law" in spoken_of

    def test_each_json_file_has_a_schema(self, generated):
        page = generated["schemas/index.md"]
        kinds = list(schemas.documents())
        assert len(kinds) >= 7
        for kind in kinds:
            assert f"### {kind.__module__}.{kind.__name__}" in page


class TestText:
    def test_captions_can_be_read(self):
        """Of saved figures, of every panel's, and those that stand on the pages."""
        pages = {path.stem: captions_on(path.read_text("utf-8")) for path in (*WRITTEN, README)}
        assert sum(map(len, pages.values())) >= 6
        found = gallery.captions()
        for part, panels in enumerate((*STUDIES, simulate.panels.PANELS)):
            found |= {f"{name}, {part}": panel.caption for name, panel in panels.items()}
        found |= {f"{name}, {i}": text for name, of in pages.items() for i, text in enumerate(of)}
        assert too_long(found) == []

    def test_a_caption_that_is_too_long_is_seen(self):
        page = "![what](picture.svg)\n\n*The finding, {}and [a link](../some.csv).*\n\nText.\n"
        for words, long in ((54, False), (55, False), (56, True), (120, True)):
            (caption,) = captions_on(page.format("word " * words))
            assert too_long({"planted": caption}) == (["planted"] if long else [])

    def test_links_lead_to_files_or_generated_pages(self, generated):
        pages = {path: path.read_text("utf-8") for path in WRITTEN}
        pages |= {GENERATED / name: text for name, text in generated.items() if name.endswith("md")}
        checked = 0
        for path, text in pages.items():
            for target in re.findall(r"(?<!\\)\]\(([^)\s#]+)(?:#[^)\s]*)?\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                to = (path.parent / target).resolve()
                inside = GENERATED in to.parents
                name = to.relative_to(GENERATED).as_posix() if inside else ""
                assert name in generated if inside else to.exists(), f"{path}: {target}"
                checked += 1
        assert checked > 500

    def test_tables_of_contents_name_pages(self, generated):
        for path in WRITTEN:
            for block in re.findall(r"```\{toctree\}(.*?)```", path.read_text("utf-8"), re.DOTALL):
                for name in filter(None, (line.strip() for line in block.splitlines())):
                    if name.startswith(":"):
                        continue
                    there = f"{name.removeprefix('generated/')}.md" in generated
                    assert there or (path.parent / f"{name}.md").exists(), name

    def test_each_page_is_in_the_contents(self):
        contents = (DOCS / "index.md").read_text("utf-8").split()
        for path in WRITTEN:
            if path.stem != "index":
                assert path.relative_to(DOCS).with_suffix("").as_posix() in contents

    def test_each_number_is_defined_and_used(self):
        used = {
            name
            for path in WRITTEN
            for name in re.findall(r"\{\{ (\w+) \}\}", path.read_text("utf-8"))
        }
        defined = numbers.substitutions()
        assert used <= set(defined)
        assert all(defined.values())

    def test_powers_of_ten(self):
        assert numbers.power_of_ten(1e-7) == "10⁻⁷"
        assert numbers.power_of_ten(5.2e-4) == "5.2 × 10⁻⁴"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
class TestTutorials:
    def test_code_parses_and_text_is_checked(self, path):
        text = path.read_text("utf-8")
        cells = re.findall(r"```\{code-cell\} python3\n(.*?)```", text, re.DOTALL)
        assert len(cells) >= 5
        for cell in cells:
            code = re.sub(r"^:tags:.*\n", "", cell)
            ast.parse("\n".join(line for line in code.splitlines() if not line.startswith("!")))
        assert any("assert " in cell for cell in cells)

    def test_what_is_put_into_the_text_is_computed(self, path):
        text = path.read_text("utf-8")
        glued = set(re.findall(r"glue\(\"(\w+)\"", text))
        assert set(re.findall(r"\{glue:text\}`(\w+)`", text)) == glued


class TestLinkCheck:
    def site(self, folder: Path, link: str) -> Path:
        (folder / "part").mkdir()
        (folder / "index.html").write_text(f'<h1 id="top">a</h1><a href="{link}">b</a>')
        (folder / "part/page.html").write_text('<p id="here"><img src="../picture.svg"></p>')
        (folder / "picture.svg").write_text("<svg/>")
        return folder

    @pytest.mark.parametrize(
        "link", ["#top", "part/page.html", "part/page.html#here", "https://example.org/x"]
    )
    def test_good(self, tmp_path, link):
        assert list(links.broken(self.site(tmp_path, link))) == []
        assert links.main([str(tmp_path)]) == 0

    @pytest.mark.parametrize("link", ["#nowhere", "part/other.html", "part/page.html#there"])
    def test_broken(self, tmp_path, link, capsys):
        site = self.site(tmp_path, link)
        assert [target for _, target in links.broken(site)] == [link]
        assert links.main([str(site)]) == 1
        assert link in capsys.readouterr().err
