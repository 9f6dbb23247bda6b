"""``doctor`` on this machine: it tells, it mends nothing, and it runs nothing of the audited tree."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from trailcli import appgear, document, environment, repository, write_tree

MODULE = document(("apps/a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"))
NAMES = ("git", "opa", "conftest", "nox", "uv", "kubectl", "syft", "node", "chromium")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return repository(tmp_path / "r", {"m/module-42.md": MODULE})


def test_this_machine_can_run_what_is_in_use(folder: Path) -> None:
    secret = {"LITELLM_BASE_URL": "https://gateway.example", "LITELLM_API_KEY": "sk-muito-secreta"}
    done = appgear("doctor", "--module", "m", cwd=folder, env=secret)
    assert done.code == 0, done.out
    assert done.out.startswith("DOCTOR            tudo o que está em uso pode rodar")
    assert "LITELLM_BASE_URL definida, com chave" in done.out
    assert "gateway.example" not in done.out
    assert "sk-muito-secreta" not in done.out
    answer = json.loads(appgear("doctor", "--json", cwd=folder).out)
    assert answer["ok"] is True
    assert {each["name"] for each in answer["checks"]} >= {"python", "git", "rego", "chave", "nox", "syft"}


def test_nothing_of_the_audited_tree_is_run(folder: Path) -> None:
    marks = folder / "marcas"
    marks.mkdir()
    tools = write_tree(
        folder / "m/bin", {name: f"#!/bin/sh\ntouch {marks}/{name}\necho {name} 9.9.9\n" for name in NAMES}
    )
    for name in NAMES:
        (tools / name).chmod(0o755)
    outside = folder / "fora"
    outside.mkdir()
    (outside / "kustomize").symlink_to(tools / "syft")
    path = f"{tools}:{outside}:.:bin:{environment()['PATH']}"
    done = appgear("doctor", "--module", "m", cwd=folder, env={"PATH": path})
    assert done.code == 4
    assert "dentro da árvore auditada: não foi executado" in done.out
    assert "9.9.9" not in done.out
    assert list(marks.iterdir()) == []
    beside = appgear("doctor", "--gitops", "m", cwd=folder, env={"PATH": path})
    assert beside.code == 4
    assert list(marks.iterdir()) == []


def test_a_machine_without_git_is_told_so(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "vazio"
    empty.mkdir()
    done = appgear("doctor", "--module", "m", cwd=folder, env={"PATH": str(empty)})
    assert done.code == 4
    assert "falta     git" in done.out
    assert "(2.32 ou mais novo)" in done.out
    alone = write_tree(tmp_path / "s", {"module-42.md": MODULE})
    assert appgear("doctor", "--module", "module-42.md", cwd=alone, env={"PATH": str(empty)}).code == 0


def test_policies_need_an_evaluator(folder: Path) -> None:
    (folder / "appgear.toml").write_text('[opa]\npolicies = ["p.rego"]\n')
    answer = json.loads(appgear("doctor", "--module", "m", "--json", cwd=folder).out)
    rego = next(each for each in answer["checks"] if each["name"] == "rego")
    assert "mapa_nc" in rego["needed_by"]
    (folder / "appgear.toml").write_text("[opa]\npolitica = 1\n")
    refused = appgear("doctor", "--module", "m", cwd=folder)
    assert refused.code == 2
    assert "politica" in refused.error


def test_a_library_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "sem"
    shutil.copytree(Path(sys.modules["pipeline"].__file__ or "").parent, broken / "pipeline")
    write_tree(broken, {"msgspec.py": "raise ModuleNotFoundError(\"No module named 'msgspec'\", name='msgspec')\n"})
    done = appgear("mapa_nc", cwd=tmp_path, env={"PYTHONPATH": str(broken)})
    assert done.code == 4
    assert "falta a biblioteca msgspec" in done.error
