"""A launch is told again by contents alone: whatever changes a result is seen, whatever does not is not done twice."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters import host
from pipeline.adapters.recording import Places
from pipeline.cli import build_parser
from pipeline.commands.again import asked_digest
from pipeline.commands.launch import Launcher
from trailcli import ROOT, Artifacts, appgear, document, git, repository, write_tree

APP = """apiVersion: v1
kind: Service
metadata: {name: a, namespace: b}
spec: {ports: [{port: 80}]}
"""
MODULE = document(("apps/a.yaml", APP), title="Módulo 42 – Um módulo")
REGO = 'package main\n\ndeny contains "x" if false\n'
WAIVER = """[[waiver]]
rule = "TOP-NET"
module = "M42"
object = "Service/a"
owner = "Ana"
"""
CONFIG = """
[waivers]
file = "excecoes.toml"
[opa]
policies = ["politicas"]
[applicationset]
values = "sets/core.yaml"
folder = "sets"
[references]
stack = "stack.yaml"
tree = "gitops"
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository where every kind of input is in use."""
    shutil.copytree(ROOT / "applicationsets", tmp_path / "sets")
    files: dict[str, str | bytes] = {
        "modulo/module-42.md": MODULE,
        "modulo/apps/b.yaml": APP.replace("name: a", "name: b"),
        "appgear.toml": CONFIG,
        "excecoes.toml": WAIVER,
        "politicas/main.rego": REGO,
        "stack.yaml": "namespaces: [b]\n",
        "gitops/x.yaml": APP,
        "arvore/x.yaml": APP,
    }
    repository(tmp_path, files)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())))
    return tmp_path


def options(*more: str, command: str = "mapa_nc") -> Namespace:
    given = build_parser().parse_args([command, "--module", "modulo", *more])
    (given.module,) = given.module
    return given


def launched(given: Namespace) -> tuple[dict[str, str], tuple[tuple[str, str, str], ...]]:
    """Inputs of the run, and what reading them noted."""
    launcher = Launcher(given)
    inputs = launcher.inputs.of_run()
    rows = launcher._notes.rows()
    assert rows is not None
    return inputs, rows


def places(day: str = "2026-11-20") -> Places:
    return Places(today=date.fromisoformat(day), search_path="/usr/local/bin:/usr/bin:/bin")


def _write(path: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text(text)


def _commit(root: Path) -> None:
    git(root, "commit", "-q", "--allow-empty", "-m", "outro")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": _write("modulo/module-42.md", MODULE + "\nMais uma linha.\n"),
    "tree_content": _write("modulo/apps/b.yaml", APP.replace("name: a", "name: c")),
    "problems": lambda root: (root / "modulo/apps/link.yaml").symlink_to("b.yaml"),
    "module": _write("modulo/module-42.md", MODULE.replace("Módulo 42", "Módulo 41")),
    "document": lambda root: shutil.move(root / "modulo/module-42.md", root / "modulo/module-42-b.md"),
    "commit": _commit,
    "branch": lambda root: git(root, "checkout", "-q", "-b", "outro"),
    "dirty": _write("modulo/apps/b.yaml", APP),
    "config": _write("appgear.toml", CONFIG + "[policy]\ncontract_version = '9.9'\n"),
    "retention_days": _write("appgear.toml", CONFIG + "[retention]\ndays = 120\n"),
    "waivers": _write("excecoes.toml", WAIVER.replace("Ana", "Bia")),
    "references": _write("gitops/x.yaml", APP.replace("name: a", "name: c")),
    "policies": _write("politicas/main.rego", REGO.replace("x", "y")),
    "applicationsets": _write("sets/clusters/ag-br-core-dev/apps-core.yaml", "a: 1\n"),
}
# Not files of these: where the source stands, the options and code tested below, facts that only their own stages have.
ELSEWHERE = {"tree", "separate_tree", "toolkit", "version", "baseline", "base", "tests", "lock", "epoch"}


@pytest.mark.parametrize("name", CHANGES)
def test_every_input_of_a_run_is_seen_to_change(name: str, platform: Path) -> None:
    given = options()
    before, rows = launched(given)
    assert places().first_change(rows) is None
    CHANGES[name](platform)
    after, _ = launched(given)
    assert before[name] != after[name]
    assert places().first_change(rows) is not None


@pytest.mark.usefixtures("platform")
def test_no_input_of_a_run_is_forgotten_here() -> None:
    """A new input of a run needs its change above."""
    assert set(launched(options())[0]) == set(CHANGES) | ELSEWHERE


def test_the_inputs_that_options_name_are_seen_to_change(platform: Path) -> None:
    assert appgear("mapa_nc", "--module", "modulo", "--artifacts", "a", cwd=platform).code == 0
    shutil.copy(Artifacts(platform / "a").folder / "mapa_nc.json", platform / "antes.json")
    given = options("--baseline", "antes.json", "--base", "HEAD~0", "--gitops", "arvore")
    before, rows = launched(given)
    (platform / "antes.json").write_bytes((platform / "antes.json").read_bytes() + b"\n")
    assert places().first_change(rows) == "antes.json"
    assert launched(given)[0]["baseline"] != before["baseline"]

    _, rows = launched(given)
    _commit(platform)
    assert launched(given)[0]["base"] != before["base"]
    assert places().first_change(rows) is not None

    _, rows = launched(given)
    (platform / "arvore/y.yaml").write_text(APP)
    assert places().first_change(rows) == "arvore"


def test_the_day_counts_only_with_waivers(platform: Path) -> None:
    _, rows = launched(options())
    day = next(digest for kind, _, digest in rows if kind == "day")
    assert places(day).first_change(rows) is None
    assert places("2031-01-01").first_change(rows) == "o dia das exceções"
    (platform / "appgear.toml").write_text("")
    assert not [row for row in launched(options())[1] if row[0] in ("day", "program", "package")]


def test_a_configuration_that_appears_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path, {"modulo/module-42.md": MODULE})
    _, rows = launched(options())
    assert places().first_change(rows) is None
    (tmp_path / "appgear.toml").write_text("")
    assert places().first_change(rows) == "appgear.toml"


@pytest.mark.usefixtures("platform")
def test_another_version_of_the_tool_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    _, rows = launched(options())
    host.toolkit_digest.cache_clear()
    monkeypatch.setattr(host, "_LIBRARIES", (*host._LIBRARIES, "pytest"))
    assert places().first_change(rows) == "a versão desta ferramenta"
    host.toolkit_digest.cache_clear()


def test_what_cannot_be_understood_is_a_change() -> None:
    assert places().first_change([("nova", "x", "y")]) == "x"
    assert places().first_change([("file", "/não/existe", "y")]) == "/não/existe"


@pytest.mark.parametrize(
    ("more", "variables"),
    [
        (("--gitops", "gitops@main"), {}),
        (("--fail-on", "ALTA"), {}),
        (("--offline",), {}),
        (("--config", "appgear.toml"), {}),
        ((), {"SOURCE_DATE_EPOCH": "1"}),
        ((), {"LITELLM_BASE_URL": "https://x"}),
        ((), {"LITELLM_API_KEY": "x"}),
        ((), {"APPGEAR_TRUST_FILE": "x"}),
        ((), {"GITLAB_CI": "true"}),
    ],
)
def test_what_is_asked_is_another_thing(more: tuple[str, ...], variables: dict[str, str]) -> None:
    asked = asked_digest(options(), {})
    assert asked is not None
    assert asked_digest(options(*more), variables) not in (asked, None)
    assert asked_digest(options("-q", "--artifacts", "b"), {"LITELLM_API_KEY": " "}) == asked
    assert asked_digest(options(command="checklist"), {}) != asked


def test_the_key_is_part_of_what_is_asked_and_cannot_be_read_from_it(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch(mode=0o600)
    key.write_text("segredo")
    with_key = asked_digest(options("--key", str(key)), {})
    assert with_key is not None
    assert with_key != asked_digest(options(), {})
    assert asked_digest(options(), {"APPGEAR_KEY_FILE": str(key)}) == with_key
    key.write_text("outro")
    assert asked_digest(options("--key", str(key)), {}) != with_key
    assert asked_digest(options("--key", "fd:3"), {}) is None
    key.chmod(0o644)
    assert asked_digest(options("--key", str(key)), {}) is None


@pytest.mark.parametrize(("command", "more"), [("mapa_nc", ("--branch", "x")), ("parecer_ia", ("--dry-run",))])
def test_what_is_done_each_time_it_is_asked(command: str, more: tuple[str, ...]) -> None:
    assert asked_digest(options(*more, command=command), {}) is None


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in (folder / "index.jsonl").read_text().splitlines()]


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return write_tree(tmp_path, {"module-42.md": MODULE})


def test_the_second_launch_is_told_and_recorded(module: Path) -> None:
    command = ("evidencias", "--module", "module-42.md", "--artifacts", "a")
    first, second = appgear(*command, cwd=module), appgear(*command, cwd=module)
    assert "SEM MUDANÇA" not in first.out
    assert second.code == first.code
    run = Artifacts(module / "a").run
    assert f"execução {run}: " in second.out
    assert "conferidos por SHA-256" in second.out
    assert f"a/reports/{run}/fluxo.md" in second.out
    assert second.err == ""
    before, after = _lines(module / "a")
    changing = {"sequence", "previous", "recorded_at", "not_before_delete", "execution"}
    assert {key: value for key, value in after.items() if key not in changing} == {
        key: value for key, value in before.items() if key not in changing
    }
    record = json.loads((module / "a" / after["execution"]["path"]).read_bytes())
    assert record["details"]["repeats"] == 1
    assert appgear("verificar", "a", cwd=module).code == 0
    assert appgear(*command, "-q", cwd=module).out == ""


def test_what_changed_is_said_and_the_way_back_is_known(module: Path) -> None:
    command = ("mapa_nc", "--module", "module-42.md", "--artifacts", "a")
    appgear(*command, cwd=module)
    first = Artifacts(module / "a").run
    (module / "module-42.md").write_text(MODULE + "\nMais.\n")
    changed = appgear(*command, cwd=module)
    assert "mudou desde a execução 1: module-42.md" in changed.err
    assert Artifacts(module / "a").run != first
    (module / "module-42.md").write_text(MODULE)
    back = appgear(*command, cwd=module)
    assert f"execução {first}" in back.out
    assert Artifacts(module / "a").run == first
    again = appgear(*command, "--no-cache", cwd=module)
    assert "SEM MUDANÇA" not in again.out
    assert "MAPA_NC" in again.out


def test_a_file_that_is_not_what_it_was_is_no_result(module: Path) -> None:
    command = ("mapa_nc", "--module", "module-42.md", "--artifacts", "a", "--fail-on", "BAIXA")
    first = appgear(*command, cwd=module)
    report = Artifacts(module / "a").folder / "mapa_nc.md"
    whole = report.read_bytes()
    report.write_bytes(whole + b"x")
    refused = appgear(*command, cwd=module)
    assert refused.code == 5
    assert "mapa_nc.md: não confere com SHA256SUMS" in refused.error
    report.unlink()
    assert appgear(*command, cwd=module).code == 5
    report.write_bytes(whole)
    assert appgear(*command, cwd=module).code == first.code == 10


def test_an_execution_that_is_not_what_the_index_says_is_no_result(module: Path) -> None:
    command = ("mapa_nc", "--module", "module-42.md", "--artifacts", "a")
    appgear(*command, "--fail-on", "BAIXA", cwd=module)
    record = Artifacts(module / "a").folder / "executions" / "1.json"
    record.write_bytes(record.read_bytes().replace(b'"exit_code": 10', b'"exit_code": 0'))
    refused = appgear(*command, "--fail-on", "BAIXA", cwd=module)
    assert refused.code == 5
    assert "executions/1.json: não confere com o índice" in refused.error


def test_a_run_that_is_gone_is_made_again(module: Path) -> None:
    command = ("mapa_nc", "--module", "module-42.md", "--artifacts", "a")
    appgear(*command, cwd=module)
    folder = Artifacts(module / "a").folder
    shutil.rmtree(folder)
    done = appgear(*command, cwd=module)
    assert (done.code, "SEM MUDANÇA" in done.out) == (0, False)
    assert folder.is_dir()


def test_a_failure_is_never_told_again(module: Path) -> None:
    (module / "vazio.md").write_text("")
    (module / "nada.md").write_text("# Módulo 1\n\nNada.\n")
    for name in ("vazio.md", "nada.md"):
        codes = {appgear("mapa_nc", "--module", name, "--artifacts", "a", cwd=module).code for _ in range(2)}
        assert codes <= {3, 4} or codes == {0}
    assert not [line for line in _lines(module / "a") if line.get("asked") and line["verdict"] == "erro"]


def test_a_decision_is_looked_at_each_time(module: Path) -> None:
    command = ("evidencias", "--module", "module-42.md", "--artifacts", "a")
    appgear(*command, cwd=module)
    said = ("--person", "ana", "--decision", "bloquear", "--justification", "x", "--unsigned", "--artifacts", "a")
    assert appgear("rapid", "recommend", *said, cwd=module).code in (10, 11)
    done = appgear(*command, cwd=module)
    assert "SEM MUDANÇA" not in done.out
    assert "SEM MUDANÇA" not in appgear(*command, cwd=module).out


def test_a_tree_at_a_revision_is_the_commit_that_it_names(module: Path) -> None:
    tree = repository(module / "repo", {"apps/a.yaml": APP})
    commit = git(tree, "rev-parse", "HEAD").strip()
    for revision in ("main", commit):
        command = ("mapa_nc", "--module", "module-42.md", "--gitops", f"repo@{revision}", "--artifacts", "a")
        assert "SEM MUDANÇA" not in appgear(*command, cwd=module).out
        assert "SEM MUDANÇA" in appgear(*command, cwd=module).out
    _commit(tree)
    moved = appgear("mapa_nc", "--module", "module-42.md", "--gitops", "repo@main", "--artifacts", "a", cwd=module)
    assert "mudou desde a execução" in moved.err
    assert "repo@main" in moved.err


def test_a_repository_that_only_git_understands_is_read_each_time(module: Path) -> None:
    tree = repository(module / "repo", {"module-42.md": MODULE})
    git(tree, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    git(tree, "symbolic-ref", "HEAD", "refs/heads/alias")
    command = ("mapa_nc", "--module", "repo/module-42.md", "--artifacts", "a")
    for _ in range(2):
        done = appgear(*command, cwd=module)
        assert (done.code, "SEM MUDANÇA" in done.out) == (0, False)
