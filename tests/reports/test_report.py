"""`python -m reports` on the results that come with the project, and its page in a real browser."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from reports.__main__ import main
from reports.documents import verdict
from reports.jobs import SCALING, SOURCE_NETWORK
from reports.ledger import Row
from tests.reports.conftest import DESKTOP, PHONE
from tests.reports.test_page import wait_until
from theory.domain import DomainError

EVIDENCE = Path("reports/evidence")
SIZES = [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desktop")]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def report(*arguments: object) -> Done:
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = main([*map(str, arguments)])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole report, in a folder that had an earlier one and a file of somebody's."""
    out = tmp_path_factory.mktemp("report")
    (out / "figures").mkdir()
    (out / "figures/earlier.svg").write_text("earlier")
    (out / "ledger.json").write_text('{"figures": ["earlier"]}')
    (out / "notes.txt").write_text("mine")
    (out / "figures/mine.svg").write_text("mine")
    done = report("--out", out)
    assert (done.returncode, done.stderr.count("missing:")) == (0, 0), done.stderr
    assert "confirmed" in done.stdout
    return out


class TestCommand:
    def test_files(self, built):
        names = {path.name for path in built.iterdir()}
        assert names == {
            "page.html",
            "claims.md",
            "ledger.json",
            "figures.md",
            "figures",
            "notes.txt",
        }
        assert not (built / "figures/earlier.svg").exists()
        assert (built / "notes.txt").read_text() == "mine"
        assert (built / "figures/mine.svg").read_text() == "mine"

    def test_every_link_of_the_pages_leads_to_a_file(self, built):
        for page in ("claims.md", "figures.md"):
            links = re.findall(r"\]\(([^)#]+)\)", (built / page).read_text("utf-8"))
            assert len(links) > 40
            assert [link for link in links if not (built / link).is_file()] == []

    def test_every_number_can_be_traced(self, built):
        ledger = json.loads((built / "ledger.json").read_text())
        numbers = [number for claim in ledger["claims"] for number in claim["numbers"]]
        assert len(numbers) > 80
        for number in numbers:
            assert (EVIDENCE / number["file"]).is_file()
            assert number["place"].startswith(number["file"])
        for claim in ledger["claims"]:
            fields = set(Row.__dataclass_fields__)
            assert set(claim) == fields
            assert claim["commands"]
            assert all(command.startswith("python -m ") for command in claim["commands"])

    def test_json_and_the_same_bytes_again(self, built, tmp_path):
        done = report("--out", tmp_path, "--json")
        assert json.loads(done.stdout) == json.loads((built / "ledger.json").read_text())
        for name in ("page.html", "claims.md", "ledger.json", "figures.md"):
            assert (tmp_path / name).read_bytes() == (built / name).read_bytes()

    def test_a_missing_job_is_named_with_its_command(self, tmp_path):
        part = shutil.copytree(EVIDENCE, tmp_path / "part")
        shutil.rmtree(part / SCALING.folder)
        shutil.rmtree(part / SOURCE_NETWORK.folder)
        done = report("--results", part, "--out", tmp_path / "out")
        assert done.returncode == 0
        command = f"python -m simulate.scaling --out {part}/scaling"
        assert f"missing: scaling; make it with: {command}" in done.stderr
        text = (tmp_path / "out/claims.md").read_text("utf-8")
        assert command in text
        assert "No result yet." in text
        # and the page does without the network
        assert 'id="trained"' not in (tmp_path / "out/page.html").read_text("utf-8")

    def test_a_failed_check_is_no_success(self, tmp_path):
        part = shutil.copytree(EVIDENCE, tmp_path / "part")
        path = part / verdict(SCALING).file
        record = json.loads(path.read_text())
        record["checks"][0]["passed"] = False
        path.write_text(json.dumps(record))
        done = report("--results", part, "--out", tmp_path / "out")
        assert done.returncode == 1
        assert f"a check had failed: scaling: {record['checks'][0]['name']}" in done.stderr

    def test_bad_input_is_one_line(self, tmp_path):
        with pytest.raises(DomainError, match=r"results must be a folder [^\n]*$"):
            report("--results", tmp_path / "nowhere", "--out", tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestPage:
    @pytest.mark.parametrize("size", SIZES)
    def test_claims_can_be_read_and_opened(self, open_page, built, size):
        page = open_page(path=built / "page.html", viewport=size)
        ledger = json.loads((built / "ledger.json").read_text())
        for claim in ledger["claims"]:
            row = page.locator(f"#claim-{claim['key']}")
            judged = ", ".join(filter(None, [claim["verdict"], claim["scope"]]))
            assert row.locator(".verdict").inner_text() == judged
            row.locator("summary").click()
            assert row.locator("tbody tr").count() == len(claim["numbers"])
            pictures = row.locator("img")
            assert pictures.count() == len(claim["figures"])
            for place in range(pictures.count()):
                wait_until(
                    page, f"!!document.querySelectorAll('#claim-{claim['key']} img')[{place}].src"
                )
                assert pictures.nth(place).evaluate("image => image.decode().then(() => true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

    def test_it_is_light_and_unpacks_a_figure_when_its_claim_is_opened(self, open_page, built):
        assert (built / "page.html").stat().st_size < 2e6
        page = open_page(path=built / "page.html")
        assert page.locator("#claims img[src]").count() == 0

    @pytest.mark.parametrize("size", SIZES)
    def test_accessibility_rules(self, open_page, built, axe, size):
        page = open_page(path=built / "page.html", viewport=size)
        page.evaluate(
            "() => document.querySelectorAll('#claims details').forEach(each => each.open = true)"
        )
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page, context="#claims").response["violations"]
            broken = [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found]
            assert broken == []

    def test_the_trained_network_runs_in_it(self, open_page, built):
        page = open_page(path=built / "page.html")
        page.locator("#net-find").click()
        assert "read" in page.locator("#net-why").inner_text()
        facts = page.locator("#network-facts").inner_text()
        assert "n = 512" in facts
