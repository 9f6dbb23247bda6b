"""The trail from one command to files on the disk, on the module that ships, the real document, and small ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trailcli import (
    CHECK,
    MAPA,
    PLAN,
    REWRITE,
    ROOT,
    Artifacts,
    Ran,
    appgear,
    document,
    git,
    line_of,
    repository,
    snapshot,
    write_tree,
)

VERDICT_CODES = {"aprovado": 0, "bloqueado": 10, "condicional": 11}
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: loja\n"
DEPLOYMENT = """\
# o comentário fica
apiVersion: apps/v1
kind: Deployment
metadata:
  name: loja   # este também
  namespace: loja
spec:
  selector:
    matchLabels: {app: loja}
  template:
    metadata:
      labels: {app: loja}
    spec:
      containers:
        - name: loja
          image: ghcr.io/acme/loja:latest
"""

Trail = Callable[..., tuple[Ran, Artifacts]]


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    """Run the whole trail in a folder without configuration, into artifacts of its own."""

    def run(*arguments: str | Path, name: str = "artifacts") -> tuple[Ran, Artifacts]:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        ran = appgear("pipeline", *arguments, "--artifacts", tmp_path / name, cwd=work)
        return ran, Artifacts(tmp_path / name)

    return run


def _check_trail(ran: Ran, artifacts: Artifacts) -> None:
    """What holds for every module: exit status, files, sums, headings, the proof."""
    assert ran.code == VERDICT_CODES[artifacts.json("checklist.json")["verdict"]], ran.err
    assert {*MAPA, *PLAN, *REWRITE, *CHECK, "run.json"} <= artifacts.files()
    assert {path for path in artifacts.files() if not path.startswith("modulo_reescrito/")} <= {
        *MAPA, *PLAN, *REWRITE, *CHECK, "run.json", "SHA256SUMS", "applications.yaml", "modulo_reescrito.gitops.patch",
        "modulo_reescrito.mapa_nc.json", "manifest.json", "manifest.dsse.json", "attestations.intoto.jsonl",
        "evidencias.html", "evidencias.zip", "assessment-results.oscal.json", "poam.oscal.json",
    }  # fmt: skip
    artifacts.check_sums()
    checked = appgear("verificar", artifacts.root, cwd=artifacts.root.parent)
    assert (checked.code, checked.err) == (0, "")
    assert re.findall(r"^###? .*$", artifacts.text("fluxo.md"), re.MULTILINE) == [
        "### MAPA_NC", "### PLANO_CORRECAO", "### MODULO_REESCRITO", "### CHECKLIST",
    ]  # fmt: skip
    _check_consistent(artifacts)
    assert "\x1b" not in ran.out + ran.err


def _check_consistent(artifacts: Artifacts) -> None:
    """The documents of a run agree with one another."""
    mapa, plan = artifacts.json("mapa_nc.json"), artifacts.json("plano_correcao.json")
    rewrite, checklist = artifacts.json("modulo_reescrito.json"), artifacts.json("checklist.json")
    assert {each["run"] for each in (mapa, plan, rewrite, checklist)} == {artifacts.run}
    ids = [each["id"] for each in mapa["non_conformities"]]
    assert len(set(ids)) == len(ids)
    open_ids = {each["id"] for each in mapa["non_conformities"] if each["status"] != "resolvida"}
    assert mapa["summary"]["total"] == len(open_ids) == sum(mapa["summary"]["by_severity"].values())
    assert {closed for action in plan["actions"] for closed in action["closes"]} == open_ids
    assert rewrite["proof"]["idempotent"] is True
    assert rewrite["proof"]["introduced"] == []
    assert {each["path"] for each in rewrite["files"]} == set(artifacts.rewritten())
    for item in checklist["items"]:
        assert item["result"] != "OK" or item["evidence"], item["question"]
        for evidence in item["evidence"]:
            assert (artifacts.root / evidence["path"]).is_file()


def _check_patch(artifacts: Artifacts, source: dict[str, bytes], prefix: str, folder: Path) -> None:
    """``git apply`` takes the patch on the source, and the result is ``modulo_reescrito/``, byte for byte."""
    copy = repository(folder, {prefix + path: data for path, data in source.items()})
    patch = artifacts.folder / "modulo_reescrito.patch"
    rewritten = artifacts.rewritten()
    if not patch.read_bytes():
        assert {path: rewritten[path] for path in source} == source
        return
    git(copy, "apply", "--check", str(patch))
    git(copy, "apply", str(patch))
    for path in source:
        assert (copy / (prefix + path)).read_bytes() == rewritten[path], path
    git(copy, "apply", "--reverse", "--check", str(patch))


# --- the module that ships


def test_the_module_that_ships_passes_the_trail(shipped: tuple[Ran, Artifacts], tmp_path: Path) -> None:
    ran, artifacts = shipped
    _check_trail(ran, artifacts)
    assert "applications.yaml" in artifacts.files()
    module = ROOT / "modules" / "m07-portal-backstage"
    source = {path.relative_to(module).as_posix(): path.read_bytes() for path in module.rglob("*") if path.is_file()}
    _check_patch(artifacts, source, "modules/m07-portal-backstage/", tmp_path / "copy")
    mapa = artifacts.json("mapa_nc.json")
    assert mapa["module"]["document"] == "modules/m07-portal-backstage/module-07-portal-backstage.md"
    assert not [each for each in mapa["non_conformities"] if each["severity"] in {"CRITICA", "ALTA"}]


# --- the real document


def test_the_real_document_passes_the_trail(real: tuple[Ran, Artifacts], seed: Path, tmp_path: Path) -> None:
    ran, artifacts = real
    _check_trail(ran, artifacts)
    _check_patch(artifacts, {seed.name: seed.read_bytes()}, "", tmp_path / "copy")


def test_every_file_of_the_real_document_is_found_at_its_line(real: tuple[Ran, Artifacts], seed: Path) -> None:
    text = seed.read_text(encoding="utf-8")
    expected = {
        found[1]: ("heredoc", text.count("\n", 0, found.start()) + 2)
        for found in re.finditer(r"^cat > (\S+) << 'EOF'$", text, re.MULTILINE)
    }
    assert len(expected) == 12
    for label, path in {
        "`tailwind.config.js` (exemplo mínimo):": "tailwind.config.js",
        "Importar CSS (ex.: `packages/app/src/index.tsx`):": "packages/app/src/index.tsx",
        "Registrar rotas em `packages/app/src/App.tsx`:": "packages/app/src/App.tsx",
        "`templates/workspace-create/template.yaml` (exemplo):": "templates/workspace-create/template.yaml",
    }.items():
        expected[path] = ("fence", line_of(text, label) + 3)
    found = {
        each["path"]: (each["origin"]["kind"], each["origin"]["document_line"])
        for each in real[1].json("mapa_nc.json")["files"]
    }
    assert found == expected


def test_lines_of_findings_point_at_what_they_speak_of(real: tuple[Ran, Artifacts], seed: Path) -> None:
    lines = seed.read_text(encoding="utf-8").split("\n")
    images = real[1].findings("IMG-LATEST")
    assert images
    for each in images:
        assert ":latest" in lines[each["location"]["document_line"] - 1]
        assert ":latest" in each["snippet"]
    for each in real[1].findings():
        where = each["location"]
        assert where["path"] != "doc" or where["line"] == where["document_line"]
        assert 1 <= where["document_line"] <= len(lines)


def test_embedded_files_are_written_out_as_the_shell_would(real: tuple[Ran, Artifacts], seed: Path) -> None:
    """Where nothing is corrected, a file of the rewrite holds the lines of its heredoc."""
    text = seed.read_text(encoding="utf-8")
    rewritten = real[1].rewritten()
    files = real[1].json("modulo_reescrito.json")["files"]
    unchanged = {each["path"] for each in files if each["sha256"] == each["before"]}
    heredoc = re.compile(r"^cat > (\S+) << 'EOF'\n(.*?)^EOF$", re.MULTILINE | re.DOTALL)
    bodies = {found[1]: found[2] for found in heredoc.finditer(text)}
    assert rewritten.keys() >= bodies.keys()
    for path in unchanged & bodies.keys():
        assert rewritten[path].decode() == bodies[path]


def test_rewriting_the_rewrite_changes_nothing(real: tuple[Ran, Artifacts], tmp_path: Path) -> None:
    _, first = real
    module = write_tree(tmp_path / "m07", first.rewritten())
    ran = appgear("modulo_reescrito", "--module", module, "--artifacts", tmp_path / "again", cwd=tmp_path)
    assert ran.code == 0, ran.err
    second = Artifacts(tmp_path / "again")
    assert second.text("modulo_reescrito.patch") == ""
    assert second.rewritten() == first.rewritten()
    assert second.json("modulo_reescrito.json")["applied"] == []


def test_rewriting_the_rewritten_document_alone_changes_no_line(real: tuple[Ran, Artifacts], tmp_path: Path) -> None:
    _, first = real
    name = Path(first.json("mapa_nc.json")["module"]["document"]).name
    (tmp_path / name).write_bytes(first.rewritten()[name])
    appgear("modulo_reescrito", "--module", tmp_path / name, "--artifacts", tmp_path / "again", cwd=tmp_path)
    second = Artifacts(tmp_path / "again")
    assert second.rewritten()[name] == first.rewritten()[name]
    assert second.text("modulo_reescrito.patch") == ""


def test_with_every_decision_taken_only_work_for_people_stays(
    real: tuple[Ran, Artifacts], seed: Path, tmp_path: Path
) -> None:
    values = {"images": ":1.2.3", "tools": "1.2.3", "labels": "global"}
    tables: dict[str, list[str]] = {}
    for action in real[1].json("plano_correcao.json")["actions"]:
        for each in action["decisions"]:
            table, _, key = each["parameter"].partition(".")
            tables.setdefault(table, []).append(f'"{key}" = "{values.get(table, "500m")}"')
    assert tables
    config = tmp_path / "appgear.toml"
    config.write_text(
        "".join(f"[parameters.{name}]\n" + "\n".join(dict.fromkeys(rows)) + "\n" for name, rows in tables.items())
    )
    appgear("modulo_reescrito", "--module", seed, "--config", config, "--artifacts", tmp_path / "a", cwd=tmp_path)
    made = Artifacts(tmp_path / "a")
    left = made.json("modulo_reescrito.mapa_nc.json")["non_conformities"]
    assert {each["correction"]["mode"] for each in left if each["status"] != "resolvida"} == {"manual"}
    assert made.json("modulo_reescrito.json")["proof"]["idempotent"] is True


def test_a_second_execution_changes_no_byte_of_the_run(seed: Path, tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    codes = []
    seen = []
    for _ in range(2):
        ran = appgear("pipeline", "--module", seed, "--artifacts", artifacts.root, cwd=tmp_path)
        codes.append(ran.code)
        seen.append(snapshot(artifacts.folder, without=artifacts.folder / "executions"))
    assert codes[0] == codes[1]
    assert seen[0] == seen[1]
    index = [json.loads(line) for line in (artifacts.root / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["sequence"] for each in index] == [1, 2]
    assert {each["run"] for each in index} == {artifacts.run}
    assert sorted(path.name for path in (artifacts.folder / "executions").iterdir()) == ["1.json", "2.json"]


def test_stages_one_by_one_give_the_same_bytes(real: tuple[Ran, Artifacts], seed: Path, tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    for command, made in (("mapa_nc", MAPA), ("plano_correcao", PLAN), ("modulo_reescrito", REWRITE)):
        ran = appgear(command, "--module", seed, "--artifacts", artifacts.root, cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert set(made) <= artifacts.files()
    appgear("evidencias", "--module", seed, "--artifacts", artifacts.root, cwd=tmp_path)
    assert artifacts.run == real[1].run
    for path in real[1].files() - {"SHA256SUMS", "applications.yaml"}:
        assert (artifacts.folder / path).read_bytes() == (real[1].folder / path).read_bytes(), path


def test_a_later_stage_alone_runs_what_it_needs(seed: Path, tmp_path: Path) -> None:
    ran = appgear("plano_correcao", "--module", seed, "--artifacts", tmp_path / "artifacts", cwd=tmp_path)
    assert ran.code == 0
    assert {*MAPA, *PLAN} <= Artifacts(tmp_path / "artifacts").files()


# --- small modules


def test_a_bare_tree_is_rewritten_and_its_patch_applies(trail: Trail, tmp_path: Path) -> None:
    files = {"base/ns.yaml": NAMESPACE, "base/app.yaml": DEPLOYMENT, "LEIA-ME.txt": "nada\n"}
    tree = write_tree(tmp_path / "loja", files)
    before = snapshot(tree)
    ran, artifacts = trail("--module", tree)
    _check_trail(ran, artifacts)
    assert snapshot(tree) == before
    mapa = artifacts.json("mapa_nc.json")
    assert mapa["module"]["document"] is None
    assert {each["origin"]["kind"] for each in mapa["files"]} == {"tree"}
    _check_patch(artifacts, {path: text.encode() for path, text in files.items()}, "", tmp_path / "copy")
    rewritten = artifacts.rewritten()["base/app.yaml"].decode()
    assert rewritten.startswith("# o comentário fica\n")
    assert "name: loja   # este também\n" in rewritten


def test_a_document_alone_outside_git(trail: Trail, tmp_path: Path) -> None:
    text = document(("apps/ns.yaml", NAMESPACE), ("apps/app.yaml", DEPLOYMENT))
    module = tmp_path / "module-42.md"
    module.write_text(text, encoding="utf-8")
    ran, artifacts = trail("--module", module)
    _check_trail(ran, artifacts)
    assert artifacts.json("mapa_nc.json")["source"] == {"branch": None, "commit": None, "dirty": False}
    assert artifacts.run.startswith("m42-")
    _check_patch(artifacts, {module.name: text.encode()}, "", tmp_path / "copy")


def test_several_yaml_documents_in_one_file_keep_their_lines(trail: Trail, tmp_path: Path) -> None:
    body = f"{NAMESPACE}---\n{DEPLOYMENT}---\n# vazio\n---\n{DEPLOYMENT.replace('loja', 'outra')}"
    module = tmp_path / "module-42.md"
    module.write_text(document(("apps/tudo.yaml", body)), encoding="utf-8")
    ran, artifacts = trail("--module", module)
    _check_trail(ran, artifacts)
    lines = module.read_text(encoding="utf-8").split("\n")
    found = artifacts.findings("IMG-LATEST")
    assert [each["object"]["name"] for each in found] == ["loja", "outra"]
    for each in found:
        name = each["object"]["name"]
        assert lines[each["location"]["document_line"] - 1].strip() == f"image: ghcr.io/acme/{name}:latest"
        assert body.split("\n")[each["location"]["line"] - 1].strip() == f"image: ghcr.io/acme/{name}:latest"
    _check_patch(artifacts, {module.name: module.read_bytes()}, "", tmp_path / "copy")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_of_a_document_are_kept(line_end: str, trail: Trail, tmp_path: Path) -> None:
    text = document(("apps/app.yaml", DEPLOYMENT)).replace("\n", line_end)
    module = tmp_path / "module-42.md"
    module.write_bytes(text.encode())
    ran, artifacts = trail("--module", module)
    _check_trail(ran, artifacts)
    rewritten = artifacts.rewritten()[module.name]
    assert rewritten != text.encode()
    assert rewritten.count(b"\r\n") == (rewritten.count(b"\n") if line_end == "\r\n" else 0)
    _check_patch(artifacts, {module.name: text.encode()}, "", tmp_path / "copy")


def test_a_document_with_a_gitops_repository_at_a_revision(trail: Trail, tmp_path: Path) -> None:
    module = tmp_path / "module-42.md"
    module.write_text(document(("apps/app.yaml", DEPLOYMENT)), encoding="utf-8")
    gitops = repository(tmp_path / "gitops", {"extra/ns.yaml": NAMESPACE, "apps/app.yaml": DEPLOYMENT})
    git(gitops, "tag", "v1")
    write_tree(gitops, {"extra/ns.yaml": "isto não é lido: {\n", "novo.yaml": NAMESPACE})
    git(gitops, "commit", "-q", "-a", "-m", "quebrado")
    before = snapshot(gitops)
    ran, artifacts = trail("--module", module, "--gitops", f"{gitops}@v1")
    _check_trail(ran, artifacts)
    assert snapshot(gitops) == before
    paths = {each["path"]: each["origin"]["kind"] for each in artifacts.json("mapa_nc.json")["files"]}
    assert paths == {"apps/app.yaml": "heredoc", "extra/ns.yaml": "tree"}
    git(gitops, "checkout", "-q", "-f", "v1")
    git(gitops, "clean", "-q", "-f")
    patch = artifacts.folder / "modulo_reescrito.gitops.patch"
    git(gitops, "apply", "--check", str(patch))
    git(gitops, "apply", str(patch))
    rewritten = artifacts.rewritten()
    for path in ("apps/app.yaml", "extra/ns.yaml"):
        assert (gitops / path).read_bytes() == rewritten[path]
    _check_patch(artifacts, {module.name: module.read_bytes()}, "", tmp_path / "copy")


def test_a_gitops_repository_alone(trail: Trail, tmp_path: Path) -> None:
    gitops = repository(tmp_path / "gitops", {"apps/app.yaml": DEPLOYMENT})
    ran, artifacts = trail("--gitops", f"{gitops}@main")
    _check_trail(ran, artifacts)
    source = artifacts.json("mapa_nc.json")["source"]
    assert source == {"commit": git(gitops, "rev-parse", "HEAD").strip(), "branch": "main", "dirty": False}
    _check_patch(artifacts, {"apps/app.yaml": DEPLOYMENT.encode()}, "", tmp_path / "copy")


def test_a_module_inside_a_repository_is_patched_from_its_root(trail: Trail, tmp_path: Path) -> None:
    text = document(("apps/app.yaml", DEPLOYMENT))
    module = {"module-42.md": text, "apps/app.yaml": DEPLOYMENT, "ns.yaml": NAMESPACE}
    repo = repository(tmp_path / "repo", {f"m/m42/{path}": text for path, text in module.items()} | {"x": "fora\n"})
    ran, artifacts = trail("--module", repo / "m" / "m42")
    _check_trail(ran, artifacts)
    assert artifacts.json("mapa_nc.json")["module"]["document"] == "m/m42/module-42.md"
    source = {path: text.encode() for path, text in module.items()}
    _check_patch(artifacts, source, "m/m42/", tmp_path / "copy")
    assert artifacts.rewritten()["apps/app.yaml"] != DEPLOYMENT.encode()


def test_the_tree_that_cannot_be_read_is_another_run(trail: Trail, tmp_path: Path) -> None:
    """What could not be read is an input too: the same files with a link beside them are not the same run."""
    tree = write_tree(tmp_path / "loja", {"ns.yaml": NAMESPACE})
    _, first = trail("--module", tree)
    one = first.run
    (tree / "link.yaml").symlink_to("ns.yaml")
    _, second = trail("--module", tree)
    assert second.run != one
    assert second.findings("READ-SPECIAL")


# --- options


def test_baseline_keeps_ids_and_tells_what_is_gone(trail: Trail, tmp_path: Path) -> None:
    module = tmp_path / "module-42.md"
    module.write_text(document(("apps/app.yaml", DEPLOYMENT)), encoding="utf-8")
    _, first = trail("--module", module, name="um")
    before = {each["fingerprint"]: each["id"] for each in first.findings()}
    shifted = document(("apps/novo.yaml", NAMESPACE), ("apps/app.yaml", DEPLOYMENT.replace(":latest", ":1.2.3")))
    module.write_text(shifted, encoding="utf-8")
    baseline = first.folder / "mapa_nc.json"
    _, second = trail("--module", module, "--baseline", baseline, name="dois")
    after = {each["fingerprint"]: each for each in second.findings()}
    assert len(after) == len(second.findings())
    kept = [each for each in after.values() if each["status"] == "pendente"]
    assert kept
    assert all(each["id"] == before[each["fingerprint"]] for each in kept)
    assert [each["status"] for each in second.findings("IMG-LATEST")] == ["resolvida"]
    new = [each["id"] for each in after.values() if each["status"] == "nova"]
    assert new
    assert not set(new) & set(before.values())


def test_branch_adds_a_commit_and_touches_nothing_else(tmp_path: Path) -> None:
    repo = repository(
        tmp_path / "repo", {"m/module-42.md": document(("apps/app.yaml", DEPLOYMENT)), "m/apps/app.yaml": DEPLOYMENT}
    )
    (repo / "sujo.txt").write_text("não rastreado\n", encoding="utf-8")
    kept = repo / ".git"
    before = snapshot(repo, without=kept)
    watched = ("HEAD", "index", "config", "refs/heads/main")
    state = {name: (kept / name).read_bytes() for name in watched}
    artifacts = Artifacts(tmp_path / "artifacts")
    ran = appgear(
        "modulo_reescrito", "--module", repo / "m", "--branch", "correcoes/m42", "--artifacts", artifacts.root,
        cwd=tmp_path,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert snapshot(repo, without=kept) == before
    assert {name: (kept / name).read_bytes() for name in watched} == state
    assert git(repo, "rev-list", "--count", "main..correcoes/m42").strip() == "1"
    assert git(repo, "rev-parse", "correcoes/m42~1") == git(repo, "rev-parse", "main")
    changed = git(repo, "diff", "--name-only", "main", "correcoes/m42").split()
    assert changed == ["m/apps/app.yaml", "m/module-42.md"]
    for path in changed:
        shown = git(repo, "show", f"correcoes/m42:{path}")
        assert shown.encode() == artifacts.rewritten()[path.removeprefix("m/")]
    again = appgear(
        "modulo_reescrito", "--module", repo / "m", "--branch", "correcoes/m42", "--artifacts", artifacts.root,
        cwd=tmp_path,
    )  # fmt: skip
    assert again.code == 3
    assert "correcoes/m42" in again.err.splitlines()[-1]


def test_branch_needs_a_repository(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "loja", {"app.yaml": DEPLOYMENT})
    ran = appgear(
        "modulo_reescrito", "--module", tree, "--branch", "x", "--artifacts", tmp_path / "a", "-q", cwd=tmp_path
    )
    assert ran.code == 2
    assert "--branch" in ran.error


@pytest.mark.parametrize(("severity", "code"), [("CRITICA", 0), ("ALTA", 10), ("BAIXA", 10)])
def test_fail_on_stops_at_its_severity(severity: str, code: int, tmp_path: Path) -> None:
    image = DEPLOYMENT.replace("name: loja   # este também", "name: loja")
    tree = write_tree(tmp_path / "loja", {"app.yaml": image})
    ran = appgear("mapa_nc", "--module", tree, "--fail-on", severity, "--artifacts", tmp_path / "a", cwd=tmp_path)
    found = Artifacts(tmp_path / "a").json("mapa_nc.json")["summary"]["by_severity"]
    assert found["ALTA"]
    assert ran.code == (code if severity != "CRITICA" or not found["CRITICA"] else 10)


def test_findings_alone_do_not_fail_mapa_nc(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "loja", {"app.yaml": DEPLOYMENT})
    assert appgear("mapa_nc", "--module", tree, "--artifacts", tmp_path / "a", cwd=tmp_path).code == 0


def test_quiet_prints_nothing_and_verbose_shows_the_cause(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "loja", {"app.yaml": DEPLOYMENT})
    quiet = appgear("pipeline", "--module", tree, "--artifacts", tmp_path / "a", "-q", cwd=tmp_path)
    assert (quiet.out, quiet.err) == ("", "")
    module = tmp_path / "latin.md"
    module.write_bytes(b"# M\xf3dulo\n")
    assert appgear("mapa_nc", "--module", module, "--artifacts", tmp_path / "a", cwd=tmp_path).error
    loud = subprocess.run(
        [sys.executable, "-m", "pipeline", "mapa_nc", "--module", str(module), "-v",
         "--artifacts", str(tmp_path / "a")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert loud.returncode == 3
    assert "Traceback" in loud.stderr
    assert loud.stderr.splitlines()[-1].startswith("erro: ")


def test_changed_artifacts_are_refused_and_named(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "loja", {"app.yaml": DEPLOYMENT})
    artifacts = Artifacts(tmp_path / "a")
    assert appgear("mapa_nc", "--module", tree, "--artifacts", artifacts.root, cwd=tmp_path).code == 0
    mapa = artifacts.folder / "mapa_nc.json"
    mapa.chmod(0o640)
    mapa.write_bytes(mapa.read_bytes().replace(b'"total": ', b'"total": 1'))
    ran = appgear("plano_correcao", "--module", tree, "--artifacts", artifacts.root, "-q", cwd=tmp_path)
    assert ran.code == 5
    assert "mapa_nc.json" in ran.error
    checked = appgear("verificar", artifacts.root, cwd=tmp_path)
    assert checked.code == 5
    assert f"reports/{artifacts.run}/mapa_nc.json" in checked.err


def test_one_usage_error_is_one_line(tmp_path: Path) -> None:
    for arguments in (["nada"], [], ["mapa_nc", "--fail-on", "GRAVE"], ["mapa_nc", "--nada"], ["regras", "NAO-HA"]):
        ran = appgear(*arguments, cwd=tmp_path)
        assert ran.code == 2
        assert ran.error
    assert appgear("mapa_nc", cwd=tmp_path).code == 2


@pytest.mark.parametrize("command", ["", "mapa_nc", "pipeline", "verificar", "applicationset"])
def test_help_is_portuguese_and_ends_well(command: str, tmp_path: Path) -> None:
    ran = appgear(*([command] if command else []), "--help", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "mostra esta ajuda" in ran.out


def test_the_catalogue_lists_and_explains_rules(tmp_path: Path) -> None:
    listed = appgear("regras", cwd=tmp_path)
    assert listed.code == 0
    assert "IMG-LATEST" in listed.out
    one = appgear("regras", "img-latest", cwd=tmp_path)
    assert one.code == 0
    assert "IMG-LATEST" in one.out


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"NO_COLOR": ""}, {"FORCE_COLOR": "1", "TERM": "xterm"}])
def test_no_colour_where_nobody_looks(variables: dict[str, str], tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "loja", {"app.yaml": DEPLOYMENT})
    ran = appgear("pipeline", "--module", tree, "--artifacts", tmp_path / "a", cwd=tmp_path, env=variables)
    assert "MAPA_NC" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_the_applicationsets_agree_with_their_values_and_preview(tmp_path: Path) -> None:
    assert appgear("applicationset", "--check", cwd=ROOT).code == 0
    shown = appgear("applicationset", "--preview", cwd=ROOT)
    assert shown.code == 0
    assert "core-backstage" in shown.out
    generated = min((ROOT / "applicationsets" / "clusters").rglob("*.yaml"))
    one = appgear("applicationset", "--preview", generated, cwd=tmp_path)
    assert one.code == 0
    assert one.out.count("kind: Application\n") == 3


def test_drift_of_the_applicationsets_stops(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "applicationsets", tmp_path / "applicationsets")
    (tmp_path / "appgear.toml").write_text(
        '[applicationset]\nvalues = "applicationsets/core.yaml"\nfolder = "applicationsets"\n', encoding="utf-8"
    )
    assert appgear("applicationset", "--check", cwd=tmp_path).code == 0
    generated = min((tmp_path / "applicationsets" / "clusters").rglob("*.yaml"))
    generated.write_bytes(generated.read_bytes().replace(b"core-kong", b"core-king"))
    before = snapshot(tmp_path)
    ran = appgear("applicationset", "--check", "-q", cwd=tmp_path)
    assert ran.code == 10
    assert "diverge" in ran.error
    assert snapshot(tmp_path) == before
    assert appgear("applicationset", cwd=tmp_path).code == 0
    assert appgear("applicationset", "--check", cwd=tmp_path).code == 0
