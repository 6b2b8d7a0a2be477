"""The reference of the Kling API is whole: what is cited is there, and the package's data is derived from its sheet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
SCRIPT = ROOT / "scripts" / "derive_capabilities.py"
SHEET = ROOT / "scripts" / "kling-capabilities.json"
FOLDERS = ("airflow_provider_klingvideo", "tests", "scripts", "benchmarks", "example_dags")
HEADING = re.compile(r"^##+ ((\d+(?:\.\d+)?)\.? .*)$", re.MULTILINE)
MENTION = re.compile(r"kling-api (?=section)")
CITATION = re.compile(r"kling-api (sections?) (\d+(?:\.\d+)?(?:(?:,? and |, | to )\d+(?:\.\d+)?)*)")


def sections():
    """Each section's number, with its page and the anchor of its heading."""
    for page in REFERENCE.glob("*.md"):
        for heading, number in HEADING.findall(page.read_text()):
            yield number, page.name, re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sources():
    """Each source file with its text; a comment or docstring is one line, so that no citation is cut in two."""
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            yield path.relative_to(ROOT), re.sub(r"\n[ #]*", " ", path.read_text())


def cited(text):
    for word, numbers in CITATION.findall(text):
        found = re.findall(r"\d+(?:\.\d+)?", numbers)
        # "section 6.3, 3.0 omni": after one section the next number is the name of a model.
        yield from found[:1] if word == "section" else found


def test_the_data_of_the_package_is_what_the_script_derives_from_the_sheet():
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_cited_section_is_in_the_reference():
    known = {number for number, _, _ in sections()}
    missing = [f"{path}: {number}" for path, text in sources() for number in cited(text) if number not in known]
    assert missing == []


def test_every_citation_is_understood():
    unread = [str(path) for path, text in sources() if len(MENTION.findall(text)) != len(CITATION.findall(text))]
    assert unread == []
    assert sum(len(CITATION.findall(text)) for _, text in sources()) > 100


def test_every_cited_part_of_the_sheet_is_in_it():
    known = json.loads(SHEET.read_text())
    found = [name for _, text in sources() for name in re.findall(r"kling-capabilities ([a-z_]+)", text)]
    assert found
    assert [name for name in found if name not in known] == []


def test_every_section_has_one_number_and_a_line_in_the_index():
    numbers = [number for number, _, _ in sections()]
    assert len(numbers) == len(set(numbers))
    index = (REFERENCE / "README.md").read_text()
    links = {f"[{number}]({'' if page == 'README.md' else page}#{anchor})" for number, page, anchor in sections()}
    assert {link for link in links if link not in index} == set()
