"""Each rule once from end to end: its bad example on disk gives the finding in ``mapa_nc.json``, the good one none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.audit.rule import Example, Rule
from pipeline.cli import main
from pipeline.rules.catalog import load_rules

RULES = pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)


def found(example: Example, folder: Path) -> set[str]:
    """Rules that a run on the example names."""
    if example.problems:
        pytest.skip("the example is made of what reading reports: tests/adversarial has it on disk")
    module = folder / "modulo"
    for path, text in example.files.items():
        place = module / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    module.mkdir(exist_ok=True)
    if example.document is not None:
        (module / "module-00-exemplo.md").write_text(example.document, encoding="utf-8")
    lines = ["[references]"]
    for name, given in (("matrix", example.matrix), ("stack", example.stack)):
        if given is not None:
            (folder / f"{name}.yaml").write_text(given, encoding="utf-8")
            lines.append(f'{name} = "{name}.yaml"')
    if example.tree is not None:
        for path, text in example.tree.items():
            place = folder / "arvore" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        lines.append('tree = "arvore"')
    config = folder / "appgear.toml"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    artifacts = folder / "artifacts"
    code = main(
        ["mapa_nc", "--module", str(module), "--config", str(config), "--artifacts", str(artifacts), "--offline", "-q"]
    )
    assert code == 0
    (written,) = artifacts.glob("reports/*/mapa_nc.json")
    return {each["rule"] for each in json.loads(written.read_text(encoding="utf-8"))["non_conformities"]}


@RULES
def test_the_bad_example_is_found_and_the_good_one_is_not(rule: Rule, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "good").mkdir()
    assert rule.id in found(rule.bad, tmp_path / "bad")
    assert rule.id not in found(rule.good, tmp_path / "good")
