"""``--base``: what the module changes since an earlier revision is packed, masked, counted and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_GIT = {
    "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.com", "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip
_SECRET = "s3nh4-Forte-9kq"  # noqa: S105  # planted, to be looked for
_SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\nspec: {type: NodePort, ports: [{port: 80}]}\n"
)
_DOCUMENT = "# Módulo 00 – A\n\n## Serviço\n\n`apps/a/s.yaml`:\n\n```yaml\n%s```\n"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | _GIT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str], message: str) -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")


def opine(place: Path, *more: str, module: str = "repo/m") -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM_")}
    arguments = [sys.executable, "-m", "pipeline", "parecer_ia", "--artifacts", str(place / "a")]
    arguments += ["--module", str(place / module), "--config", str(place / "c.toml"), *more]
    return subprocess.run(arguments, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False)


def made(place: Path) -> tuple[dict[str, Any], dict[str, str]]:
    folder = place / "a" / "ai_reports" / (place / "a" / "LATEST").read_text().strip()
    files = {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir()}
    return json.loads(files["parecer.json"]), files


def examined(opinion: dict[str, Any]) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {each["part"]: each for each in opinion["examined"]}
    return rows["diferença para uma revisão anterior"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "c.toml").write_text("")
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    old = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: b}}\ndata: {{DB_PASSWORD: {_SECRET}}}\n"
    commit(repo, {"m/c.yaml": old, "m/gone.yaml": _SERVICE, "outside.txt": "x\n"}, "base")
    git(repo, "tag", "base")
    (repo / "m/gone.yaml").unlink()
    new = old.replace(f"DB_PASSWORD: {_SECRET}", "LOG_LEVEL: info")
    commit(repo, {"m/c.yaml": new, "m/s.yaml": _SERVICE, "outside.txt": "y\n"}, "change")
    return tmp_path


def test_the_change_is_examined_masked_and_kept(place: Path) -> None:
    opine(place, "--base", "base")
    opinion, files = made(place)
    found = examined(opinion)
    base = git(place / "repo", "rev-parse", "base")
    assert (found["examined"], found["detail"]) == (True, f"desde {base[:12]}: 3 arquivos, 10 linhas")
    change = files["mudanca.diff"]
    assert "+++ b/s.yaml" in change
    assert "--- a/gone.yaml" in change
    assert "outside" not in change
    assert all(_SECRET not in text for text in files.values()), "a removed secret left the machine"
    size = next(each for each in opinion["factors"] if each["id"] == "TAMANHO")
    assert any(each["path"].endswith("mudanca.diff") for each in size["evidence"])
    assert any(each["id"] == "MUDANCA" for each in opinion["factors"]), "a NodePort came with the change"
    question = json.loads(json.loads(files["parecer.pedido.json"])["messages"][1]["content"])
    assert {"base", "base_diff"} <= {each["kind"] for each in question["envelopes"]}


def test_the_base_is_an_input_of_the_run(place: Path) -> None:
    runs = []
    for more in ((), ("--base", ""), ("--base", "base"), ("--base", "HEAD"), ("--base", "main")):
        opine(place, *more)
        runs.append((place / "a" / "LATEST").read_text())
    assert runs[0] == runs[1] != runs[2] != runs[3] == runs[4]
    opinion, files = made(place)
    assert examined(opinion)["detail"].endswith("0 arquivos, 0 linhas")
    assert files["mudanca.diff"] == ""


def test_without_a_base_nothing_is_claimed(place: Path) -> None:
    opine(place)
    opinion, files = made(place)
    assert examined(opinion)["examined"] is False
    assert "mudanca.diff" not in files


def test_a_module_that_is_new_changes_all_of_it(place: Path) -> None:
    commit(place / "repo", {"novo/s.yaml": _SERVICE}, "new")
    opine(place, "--base", "base", module="repo/novo")
    assert examined(made(place)[0])["detail"].endswith("1 arquivo, 4 linhas")


def test_a_document_is_compared_alone_and_what_it_embeds_counts(place: Path) -> None:
    repo = place / "repo"
    commit(repo, {"docs/modulo-00.md": _DOCUMENT % _SERVICE.replace("NodePort", "ClusterIP")}, "document")
    commit(repo, {"docs/modulo-00.md": _DOCUMENT % _SERVICE, "docs/other.md": "x\n"}, "change")
    opine(place, "--base", "HEAD~1", module="repo/docs/modulo-00.md")
    opinion, files = made(place)
    assert examined(opinion)["detail"].endswith("1 arquivo, 2 linhas")
    assert "other.md" not in files["mudanca.diff"]
    assert any(each["id"] == "MUDANCA" for each in opinion["factors"])


def test_a_gitops_tree_is_compared_beside_the_document(place: Path) -> None:
    repo = place / "repo"
    commit(repo, {"docs/modulo-00.md": "# Módulo 00 – A\n"}, "document")
    opine(place, "--base", "base", "--gitops", str(repo / "m"), module="repo/docs/modulo-00.md")
    change = made(place)[1]["mudanca.diff"]
    assert "+++ b/s.yaml" in change
    assert "+++ b/modulo-00.md" in change


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("--base", "nenhuma"), 3, "revisão não encontrada"),
        (("--base", "--upload-pack=x"), 2, "falta o valor"),
        (("--base=--upload-pack=x",), 3, "revisão inválida"),
        (("--base", "base..main"), 3, "revisão inválida"),
        (("--base", "base", "--gitops", "https://git.invalid/x.git"), 2, "--base não combina"),
    ],
)
def test_what_is_no_revision_is_refused_in_one_line(place: Path, given: tuple[str, ...], code: int, told: str) -> None:
    done = opine(place, *given)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_shallow_clone_says_that_it_lacks_the_base(place: Path) -> None:
    git(place, "clone", "-q", "--depth", "1", (place / "repo").as_uri(), "raso")
    base = git(place / "repo", "rev-parse", "base")
    done = opine(place, "--base", base, module="raso/m")
    assert done.returncode == 3
    assert "git fetch" in done.stderr


def test_a_module_outside_any_repository_has_no_base(place: Path) -> None:
    (place / "solto").mkdir()
    (place / "solto" / "s.yaml").write_text(_SERVICE)
    done = opine(place, "--base", "base", module="solto")
    assert done.returncode == 3
    assert "não está em um repositório git" in done.stderr


_WAIVER = """[[waiver]]
rule = "{rule}"
module = "M"
object = "Service/b/a"
owner = "Ana"
reason = "borda antiga"
residual_risk = "baixo"
start = 2020-01-01
end = 2999-12-31
approval = "CCB-1"
"""


def waived(place: Path, *more: str) -> tuple[set[str], list[str]]:
    """Rules of the findings that a waiver covers, and why others do not count."""
    opine(place, *more, module="repo/m")
    folder = place / "a" / "reports" / (place / "a" / "LATEST").read_text().strip()
    mapa = json.loads((folder / "mapa_nc.json").read_text(encoding="utf-8"))
    covered = {each["rule"] for each in mapa["non_conformities"] if each["waiver"]}
    return covered, [each["reason"] for each in mapa["ignored_waivers"]]


def test_82_a_change_does_not_excuse_itself(place: Path) -> None:
    repo = place / "repo"
    commit(repo, {"excecoes.toml": _WAIVER.format(rule="VAL-NSLESS") + _WAIVER.format(rule="LBL-PARTOF")}, "known")
    known = git(repo, "rev-parse", "HEAD")
    third = _WAIVER.format(rule="LBL-POLICY")
    stretched = (repo / "excecoes.toml").read_text().replace("2999-12-31", "3999-12-31", 1)
    commit(repo, {"excecoes.toml": stretched + third}, "excuses")
    (place / "c.toml").write_text('[waivers]\nfile = "repo/excecoes.toml"\n')
    covered, ignored = waived(place)
    assert (covered & {"LBL-PARTOF", "LBL-POLICY"}, ignored) == ({"LBL-PARTOF", "LBL-POLICY"}, [])
    covered, ignored = waived(place, "--base", known)
    assert covered == {"LBL-PARTOF"}
    assert ["nova ou alterada nesta mudança" in each for each in ignored] == [True, True]


def test_82_exceptions_kept_elsewhere_are_the_platforms_own(place: Path) -> None:
    (place / "excecoes.toml").write_text(_WAIVER.format(rule="LBL-PARTOF"))
    (place / "c.toml").write_text('[waivers]\nfile = "excecoes.toml"\n')
    assert waived(place, "--base", "base") == ({"LBL-PARTOF"}, [])
