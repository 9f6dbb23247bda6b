"""What the project's own documents say of options, keys, exit codes and files is what the code has."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.audit.policy import Policy
from pipeline.cli import build_parser
from pipeline.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.pt-BR.md")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md"), ROOT / "artifacts/README.md"]
)
_LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _commands() -> dict[str, argparse.ArgumentParser]:
    actions = build_parser()._actions
    return next(dict(each.choices) for each in actions if isinstance(each, argparse._SubParsersAction))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_relative_links_lead_somewhere(name: str) -> None:
    for target, anchor in _LINK.findall(_text(name)):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), f"{name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{name} links to {target}#{anchor}"


@pytest.mark.parametrize("name", READMES)
def test_readme_names_every_option_command_and_key(name: str) -> None:
    text = _text(name)
    for command, parser in _commands().items():
        if command == "registrar_testes":  # the tests session runs it, nobody else
            continue
        assert f"`{command}`" in text, command
        for action in parser._actions:
            for option in action.option_strings:
                if option.startswith("--") and option not in ("--help", "--quiet", "--verbose"):
                    assert option in text, f"{command} {option}"
    for field in fields(Policy):
        assert f"`{field.name}`" in text, field.name
    for table in ("module", "waivers", "applicationset", "opa", "retention", "policy", "parameters.images"):
        assert f"`[{table}]" in text, table


@pytest.mark.parametrize("name", READMES)
def test_readme_tells_every_exit_code(name: str) -> None:
    rows = [line for line in _text(name).splitlines() if re.match(r"\| \d", line)]
    assert {int(code) for code in ExitCode} <= {int(number) for row in rows for number in re.findall(r"\d+", row)}


def test_both_readmes_start_with_the_same_two_commands() -> None:
    blocks = [re.search(r"```bash\n(.*?)```", _text(name), re.DOTALL) for name in READMES]
    commands = [found[1].splitlines() for found in blocks if found]
    assert commands[0] == commands[1] == ["pip install nox && nox -s pipeline", "nox -s tests"]


def test_the_licence_is_apache_2_and_the_notice_names_every_schema_source() -> None:
    assert _text("LICENSE").lstrip().startswith("Apache License\n                           Version 2.0, January 2004")
    notice = _text("NOTICE")
    for path in sorted((ROOT / "pipeline/audit/schemas").glob("*.json")):
        source = json.loads(path.read_bytes())["source"]
        if "written for this project" not in source:
            project = re.sub(r" v\d.*", "", source).replace("istio.io/api", "Istio API")
            assert project in notice, source
