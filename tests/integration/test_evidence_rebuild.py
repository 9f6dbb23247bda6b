"""``verificar --rebuild``: the same bytes again from commit and inputs; where not, which and why."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from evidencekit import PIPELINE, key
from packplace import EPOCH, NAMESPACE, Place
from pipeline.adapters.artifacts import open_artifacts
from pipeline.codec import dump_json, sha256_hex, sort_sums
from pipeline.domain.evidence import Manifest
from pipeline.errors import ExitCode, IntegrityError
from pipeline.evidence.envelope import sign_statement
from pipeline.evidence.verify import PackFiles
from pipeline.rebuilding import find_causes, read_recorded
from pipeline.records import load_record
from pipeline.store import Store
from trailcli import ROOT, Artifacts, Ran, appgear, git, repository, write_tree

POD = """apiVersion: v1
kind: Pod
metadata: {name: a, namespace: loja}
spec: {hostNetwork: true, containers: [{name: a, image: 'a:latest'}]}
"""
WAIVER = """[[waiver]]
rule = "IMG-LATEST"
module = "LOJA"
object = "Pod/loja/a"
owner = "Ana"
reason = "sem tag fixa"
residual_risk = "médio"
start = 2025-01-01
end = 2025-12-31
approval = "CCB-17"
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A pack from a commit, with a waiver that is over by now and with an image of another stage."""
    place = Place(tmp_path_factory.mktemp("rebuild"))
    shutil.rmtree(place.module)
    place.module = repository(place.root / "loja", {"base/ns.yaml": NAMESPACE, "base/pod.yaml": POD})
    (place.root / "w.toml").write_text(WAIVER, encoding="utf-8")
    (place.root / "c.toml").write_text('[waivers]\nfile = "w.toml"\n', encoding="utf-8")
    place.pack("--config", place.root / "c.toml")
    with open_artifacts(place.artifacts.root) as folder:
        image = {"core-backstage.image.json": dump_json({"digest": "sha256:0"})}
        Store(folder).publish(place.artifacts.run, "docker", image, stage="image")
    place.pack("--config", place.root / "c.toml")
    return place


def rebuild(place: Place, path: Path, *arguments: str | Path, module: Path | None = None) -> Ran:
    """By somebody else on another day: no key, no SOURCE_DATE_EPOCH."""
    given = ("--module", module or place.module, "--config", place.root / "c.toml", *arguments)
    return appgear("verificar", path, "--rebuild", *given, cwd=place.root)


def test_from_zip_folder_and_run_it_is_the_same_again(packed: Place, tmp_path: Path) -> None:
    extracted = packed.extract(tmp_path / "copy")
    for path in (packed.zip, extracted, packed.artifacts.folder, packed.artifacts.root):
        done = rebuild(packed, path)
        assert done.code == 0, done.err
        assert "byte a byte os do pacote" in done.out
        assert "não refeito: 1 arquivo da etapa image" in done.out


def test_a_detached_checkout_of_the_commit_is_enough(packed: Place, tmp_path: Path) -> None:
    clone = tmp_path / "loja"
    git(tmp_path, "clone", "-q", str(packed.module), str(clone))
    git(clone, "checkout", "-q", "--detach")
    done = rebuild(packed, packed.zip, module=clone)
    assert done.code == 0, done.err + done.out


def test_another_commit_another_configuration_other_waivers_are_named(packed: Place, tmp_path: Path) -> None:
    clone = tmp_path / "loja"
    git(tmp_path, "clone", "-q", str(packed.module), str(clone))
    write_tree(clone, {"base/pod.yaml": POD.replace("hostNetwork: true", "hostNetwork: false")})
    git(clone, "commit", "-q", "-am", "segundo")
    done = rebuild(packed, packed.zip, module=clone)
    assert done.code == ExitCode.TOOL
    assert "commit" in done.err
    assert "nada se conclui" in done.err
    assert "entrada diferente: commit: o pacote diz" in done.out
    assert "auditoria: a regra WL-SECCTX dá 1 NC aqui, e 0 no pacote" in done.out
    (tmp_path / "c.toml").write_text("[retention]\ndays = 120\n", encoding="utf-8")
    other = rebuild(packed, packed.zip, "--config", tmp_path / "c.toml")
    assert other.code == ExitCode.TOOL
    for said in ("configuração", "arquivo de exceções"):
        assert f"entrada diferente: {said}" in other.out


def test_a_changed_rule_is_told_from_tampering(packed: Place, tmp_path: Path) -> None:
    """The same version number, other rules: made by a copy of the package that was changed."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    rule = tmp_path / "pipeline" / "rules" / "workload_care.py"
    text = rule.read_text(encoding="utf-8")
    assert '"WL-PROBE"' in text
    rule.write_text(text.replace('"WL-PROBE"', '"WL-PROBEX"'), encoding="utf-8")
    artifacts = Artifacts(tmp_path / "artifacts")
    place = ("--module", packed.module, "--artifacts", artifacts.root, "--config", packed.root / "c.toml")
    made = appgear("evidencias", *place, cwd=tmp_path, env={**EPOCH, "PYTHONPATH": str(tmp_path)})
    assert artifacts.folder.is_dir(), made.err
    done = rebuild(packed, artifacts.folder / "evidencias.zip")
    assert done.code == ExitCode.TOOL, done.out
    assert "entrada diferente: ferramenta ou regras" in done.out
    assert "auditoria: a regra WL-PROBEX só existe no pacote" in done.out
    assert "auditoria: a regra WL-PROBE só existe aqui" in done.out


def test_a_signed_lie_is_found(packed: Place, tmp_path: Path) -> None:
    """Somebody with the pipeline's key changes a result on disk and makes the pack again: every signature is right."""
    shutil.copytree(packed.root, tmp_path / "place")
    place = Place(tmp_path / "place")
    place.module = packed.module
    path = place.artifacts.folder / "checklist.json"
    path.write_bytes(path.read_bytes().replace(b'"ALTA"', b'"BAIXA"'))
    sums = place.artifacts.folder / "SHA256SUMS"
    rows = {row[66:]: row[:64] for row in sums.read_text().splitlines()}
    sums.write_bytes(sort_sums({**rows, "checklist.json": sha256_hex(path.read_bytes())}))
    place.pack("--config", place.root / "c.toml")
    assert place.verify(place.zip).code == 0
    done = rebuild(place, place.zip)
    assert done.code == ExitCode.INTEGRITY
    assert "checklist.json: o pacote tem" in done.err
    assert "adulteração: 1 arquivo difere, com as mesmas entradas" in done.err


def test_a_file_that_the_trail_does_not_make_is_named(packed: Place, tmp_path: Path) -> None:
    shutil.copytree(packed.root, tmp_path / "place")
    place = Place(tmp_path / "place")
    place.module = packed.module
    with open_artifacts(place.artifacts.root) as folder:
        Store(folder).publish(place.artifacts.run, "reports", {"laudo.md": b"tudo certo\n"}, stage="forged")
    place.pack("--config", place.root / "c.toml")
    assert place.verify(place.zip).code == 0
    done = rebuild(place, place.zip)
    assert done.code == ExitCode.INTEGRITY
    assert "laudo.md: está no pacote, e refazer não o gera" in done.err


def reseal(folder: Path) -> None:
    """What who holds the pipeline's key does after changing a file beside the manifest."""
    envelope = json.loads((folder / "SHA256SUMS.dsse.json").read_bytes())
    names = [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]
    listed = {each: sha256_hex((folder / each).read_bytes()) for each in names if not each.startswith("SHA256SUMS")}
    sums = sort_sums(listed)
    (folder / "SHA256SUMS").write_bytes(sums)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["subject"][0]["digest"]["sha256"] = sha256_hex(sums)
    (folder / "SHA256SUMS.dsse.json").write_bytes(dump_json(sign_statement(statement, key(PIPELINE).signer)))


def test_a_recipe_that_is_not_ours_is_named(packed: Place, tmp_path: Path) -> None:
    folder = packed.extract(tmp_path / "copy")
    recipe = folder / "VERIFICAR.md"
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("sha256sum", "true"), encoding="utf-8")
    reseal(folder)
    assert packed.verify(folder).code == 0
    done = rebuild(packed, folder)
    assert done.code == ExitCode.INTEGRITY
    assert "VERIFICAR.md: a receita não é a desta versão" in done.err


def test_inputs_that_do_not_make_the_run_are_refused(packed: Place) -> None:
    manifest = load_record((packed.artifacts.folder / "manifest.json").read_bytes(), Manifest, where="manifest.json")
    data = (packed.artifacts.folder / "run.json").read_bytes()
    path = f"reports/{manifest.run}/run.json"
    for bad in (data.replace(b'"retention_days": "90"', b'"retention_days": "91"'), b"[]\n", b'{"inputs": 3}\n'):
        files = PackFiles(digests={path: sha256_hex(bad)}, read=lambda _path, bad=bad: bad)  # type: ignore[misc]
        with pytest.raises(IntegrityError, match="as entradas dão o run"):
            read_recorded(files, manifest)
    with pytest.raises(IntegrityError, match="ausente do pacote"):
        read_recorded(PackFiles(digests={}, read=lambda _path: b""), manifest)


def test_a_broken_pack_is_not_rebuilt_and_a_folder_without_one_is_told(packed: Place, tmp_path: Path) -> None:
    folder = packed.extract(tmp_path / "copy")
    (folder / "novo.txt").write_text("x")
    assert rebuild(packed, folder).code == ExitCode.INTEGRITY
    place = Place(tmp_path)
    place.run("mapa_nc", "--module", place.module)
    done = appgear("verificar", place.artifacts.root, "--rebuild", "--module", place.module, cwd=tmp_path)
    assert done.code == ExitCode.USAGE
    assert "não tem pacote de evidências" in done.err


def test_recorded_tests_come_from_the_pack(tmp_path: Path) -> None:
    place = Place(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    (results / "junit.xml").write_text(
        '<testsuites><testsuite tests="2" failures="0" errors="0" skipped="0"/></testsuites>'
    )
    (results / "coverage.xml").write_text("<coverage/>")
    (results / "coverage.json").write_text('{"totals": {"percent_covered": 97.5}}')
    assert place.run("registrar_testes", results).code == 0
    place.pack()
    done = appgear("verificar", place.zip, "--rebuild", "--module", place.module, cwd=tmp_path / "results")
    assert done.code == 0, done.err + done.out
    assert "não refeito: 2 arquivos da etapa registrar_testes" in done.out


def test_the_same_commit_with_other_content_is_a_lie() -> None:
    recorded = {"commit": "c", "dirty": "false", "content": "a", "branch": "main"}
    causes, forged = find_causes(recorded, {**recorded, "content": "b"})
    assert forged
    assert [each.what for each in causes] == ["conteúdo do módulo"]
    assert not find_causes(recorded, {**recorded, "content": "b", "dirty": "true"})[1]
    assert not find_causes({**recorded, "commit": ""}, {**recorded, "commit": "", "content": "b"})[1]
    assert find_causes(recorded, recorded) == ((), False)
