"""A whole pack through the command line: made, decided on, verified, tampered with, and followed by hand."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidencekit import PIPELINE, key, trust_text
from packplace import NAMESPACE, Place
from pipeline.adapters.archive import write_archive
from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.codec import sha256_hex, sort_sums
from pipeline.errors import ExitCode
from pipeline.evidence.trust import load_trust
from pipeline.evidence.verify import PackQuestion
from pipeline.store import Store
from pipeline.unpacking import check_folder
from trailcli import write_tree

HOSTILE = "<script>alert(1)</script>"
NEEDED = ("sha256sum", "openssl", "jq", "bash")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A pack with four signed decisions in it."""
    place = Place(tmp_path_factory.mktemp("decided"))
    assert place.pack().code in {ExitCode.OK, ExitCode.CONDITIONAL, ExitCode.BLOCKED}
    for role in ("recommend", "input", "agree", "decide"):
        said = place.say(role)
        assert "registrado" in said.out, said.err
    place.pack("--trust", place.trust, "--strict")
    return place


@pytest.fixture
def copy(decided: Place, tmp_path: Path) -> Path:
    """The extracted pack, to be damaged."""
    return decided.extract(tmp_path / "copy")


def test_the_pack_verifies_as_folder_run_zip_and_extracted(decided: Place, copy: Path) -> None:
    for path in (decided.artifacts.root, decided.artifacts.folder, decided.zip, copy):
        ran = decided.verify(path)
        assert (ran.code, ran.err) == (0, ""), path
        assert "íntegro" in ran.out


def test_two_packs_of_the_same_inputs_are_the_same_bytes(tmp_path: Path) -> None:
    packs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        place = Place(tmp_path / name)
        place.pack()
        place.pack()
        packs.append(place.zip.read_bytes())
    assert packs[0] == packs[1]


def test_the_manifest_is_closed_over_all_categories(decided: Place) -> None:
    manifest = decided.artifacts.json("manifest.json")
    run = manifest["run"]
    on_disk = {
        path.relative_to(decided.artifacts.root).as_posix()
        for path in decided.artifacts.root.glob(f"*/{run}/**/*")
        if path.is_file() and "executions" not in path.parts and path.name != "SHA256SUMS"
    }
    own = {
        "manifest.json",
        "manifest.dsse.json",
        "attestations.intoto.jsonl",
        "rapid.jsonl",
        "evidencias.html",
        "evidencias.zip",
        "assessment-results.oscal.json",
        "poam.oscal.json",
    }
    assert {each["path"] for each in manifest["files"]} == on_disk - {f"reports/{run}/{name}" for name in own}
    assert manifest["created"] == "2025-11-23T00:00:00Z"


def _recipe(folder: Path) -> str:
    text = (folder / "VERIFICAR.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def stranger(
    decided: Place, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], subprocess.CompletedProcess[str]]:
    """Follows VERIFICAR.md literally, with public keys from outside and no Python in reach."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install -y coreutils openssl jq")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "pipeline.pem").write_bytes(key(PIPELINE).public_pem)
    people = outside / "people"
    people.mkdir()
    for seed in (1, 2, 3, 4):
        (people / f"{key(seed).keyid}.pem").write_bytes(key(seed).public_pem)
    script = outside / "recipe.sh"
    script.write_text(_recipe(decided.extract(outside / "pristine")), encoding="utf-8")

    def follow(folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", str(script)],
            cwd=folder, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": os.environ["PATH"], "CHAVE": str(outside / "pipeline.pem"), "PESSOAS": str(people)},
        )  # fmt: skip

    return follow


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _damages(folder: Path) -> Iterator[tuple[str, Callable[[], object], str]]:
    """Name, what is done, the path that must be named."""
    files = [each for each in _files(folder) if (folder / each).stat().st_size]
    for each in files:
        yield f"flip {each}", lambda path=folder / each: _flip(path), each  # type: ignore[misc]
    first, second = files[1], files[2]
    yield "added", (folder / "novo.txt").touch, "novo.txt"
    yield "added beside a run", (folder / files[-1]).with_name("z.txt").touch, "z.txt"
    yield "removed", (folder / first).unlink, first
    yield "renamed", lambda: shutil.move(folder / first, folder / f"{first}.old"), first
    yield "swapped", lambda: _swap(folder / first, folder / second), first
    yield "link", lambda: _link(folder / first), first


def _swap(first: Path, second: Path) -> None:
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def _link(path: Path) -> None:
    target = path.with_name("alvo.txt")
    path.rename(target)
    path.symlink_to(target)


def test_a_stranger_says_yes_to_the_good_pack(
    copy: Path, stranger: Callable[[Path], subprocess.CompletedProcess[str]]
) -> None:
    done = stranger(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("PACOTE ÍNTEGRO\n")
    assert '["decide","davi","liberar","producao"' in done.stdout


def test_each_damage_is_found_by_the_stranger_and_named_by_us(
    decided: Place, copy: Path, tmp_path: Path, stranger: Callable[[Path], subprocess.CompletedProcess[str]]
) -> None:
    asked = PackQuestion(
        now=datetime.now(UTC), environment="producao", strict=True,
        trust=load_trust(decided.trust.read_bytes(), where="trust"),
    )  # fmt: skip
    for name, damage, path in _damages(copy):
        kept = tmp_path / "kept"
        shutil.copytree(copy, kept)
        damage()
        assert stranger(copy).returncode != 0, name
        with open_artifacts_to_check(copy) as folder:
            answer = check_folder(folder, asked)
        assert any(path in str(each) for each in answer.problems), (name, answer.problems)
        shutil.rmtree(copy)
        kept.rename(copy)


def _resum(folder: Path) -> None:
    """What a careful forger does next: make the list right again."""
    names = [each for each in _files(folder) if not each.startswith("SHA256SUMS")]
    (folder / "SHA256SUMS").write_bytes(sort_sums({each: sha256_hex((folder / each).read_bytes()) for each in names}))


@pytest.mark.parametrize(
    "name", ["evidencias.html", "VERIFICAR.md", "reports/{run}/checklist.json", "reports/{run}/rapid.jsonl"]
)
def test_a_forger_who_mends_the_list_breaks_the_seal(decided: Place, copy: Path, name: str) -> None:
    path = copy / name.format(run=decided.artifacts.run)
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    _resum(copy)
    ran = decided.verify(copy)
    assert ran.code == ExitCode.INTEGRITY
    assert "SHA256SUMS.dsse.json" in ran.err


def test_a_pack_signed_by_a_stranger_is_refused(decided: Place, tmp_path: Path) -> None:
    other = Place(tmp_path)
    other.trust.write_text(trust_text().replace(key(PIPELINE).public_pem.decode(), key(99).public_pem.decode()))
    ran = other.run("verificar", decided.zip, "--trust", other.trust)
    assert ran.code == ExitCode.INTEGRITY
    assert "não está em [pipeline]" in ran.err


def test_strict_needs_trust_and_trust_comes_from_outside(decided: Place) -> None:
    assert decided.run("verificar", decided.zip, "--strict").code == ExitCode.USAGE
    inside = decided.artifacts.root / "LATEST"
    ran = decided.run("verificar", decided.zip, "--trust", inside)
    assert ran.code == ExitCode.USAGE
    assert "dentro do que ele deve julgar" in ran.err


def test_without_trust_the_answer_says_so(decided: Place) -> None:
    ran = decided.run("verificar", decided.zip)
    assert ran.code == 0
    assert "não se sabe por quem" in ran.out
    assert "declarada, não verificada" in ran.out


def test_an_older_pack_is_not_todays(decided: Place) -> None:
    ran = decided.verify(decided.zip, "--commit", "d" * 40)
    assert ran.code == ExitCode.INTEGRITY
    assert "nenhum" in ran.err
    assert "d" * 40 in ran.err


def test_a_zip_made_again_by_another_tool_is_refused_and_its_folder_is_not(
    decided: Place, copy: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.zip"
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _files(copy):
            archive.write(copy / name, name)
    ran = decided.verify(again)
    assert ran.code == ExitCode.INPUT
    assert "extraia-o e aponte a pasta" in ran.err
    write_archive(tmp_path / "ours.zip", [(name, (copy / name).read_bytes()) for name in _files(copy)])
    assert decided.verify(tmp_path / "ours.zip").code == 0


def test_a_decision_that_was_cut_off_is_missed(decided: Place, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    shutil.copytree(decided.artifacts.root, root)
    folder = root / "reports" / decided.artifacts.run
    rapid = folder / "rapid.jsonl"
    rapid.write_bytes(b"".join(rapid.read_bytes().splitlines(keepends=True)[:-1]))
    rows = {row[66:]: row[:64] for row in (folder / "SHA256SUMS").read_text().splitlines()}
    (folder / "SHA256SUMS").write_bytes(sort_sums({**rows, "rapid.jsonl": sha256_hex(rapid.read_bytes())}))
    ran = decided.verify(root)
    assert ran.code == ExitCode.INTEGRITY
    assert "registrou decisões que não estão mais aqui" in ran.err


def test_a_file_of_a_later_stage_reopens_the_set(decided: Place, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    shutil.copytree(decided.artifacts.root, root)
    folder = root / "sbom" / decided.artifacts.run
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("{}")
    (folder / "SHA256SUMS").write_bytes(sort_sums({"x.json": sha256_hex(b"{}")}))
    ran = decided.verify(root)
    assert ran.code == ExitCode.INTEGRITY
    assert "rode `evidencias`" in ran.err


# --- deciding


def test_status_goes_from_missing_to_released(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.module = write_tree(tmp_path / "limpa", {"LEIA.txt": "nada\n", "base/ns.yaml": NAMESPACE})
    place.pack()
    verdict = place.artifacts.json("manifest.json")["verdict"]
    first = place.run("rapid", "status", "--trust", place.trust)
    assert "falta Decide · CCB (1 pessoa: davi, elisa)" in first.out
    for role in ("recommend", "input", "agree", "decide"):
        last = place.say(role)
    assert "liberado: decisão verificada" in last.out
    assert last.code == (ExitCode.BLOCKED if verdict == "bloqueado" else ExitCode.OK)
    again = place.run("checklist", "--module", place.module, "--trust", place.trust, "--strict")
    assert again.code == {"aprovado": 0, "condicional": 0, "bloqueado": 10}[verdict]


def test_wrong_decisions_are_not_even_recorded(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pack()
    early = place.say("decide")
    assert early.code == ExitCode.BLOCKED
    assert "decide veio antes de recommend, input, agree" in early.err
    wrong = place.run(
        "rapid",
        "recommend",
        "--person",
        "ana",
        "--decision",
        "liberar",
        "--key",
        tmp_path / "davi.pem",
        "--trust",
        place.trust,
    )
    assert wrong.code == ExitCode.INTEGRITY
    assert "diz ser de ana, e a chave que assinou é de davi" in wrong.err
    bad = place.say("recommend", "--exception", "sem partes")
    assert bad.code == ExitCode.USAGE
    assert place.run("rapid", "recommend").code == ExitCode.USAGE
    assert not (place.artifacts.folder / "rapid.jsonl").exists()


def test_an_unsigned_word_is_labelled_and_strict_does_not_count_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pack()
    said = place.run("rapid", "recommend", "--person", "ana", "--decision", "liberar", "--unsigned")
    assert "declarada, não verificada" in said.out
    strict = place.run("rapid", "status", "--trust", place.trust, "--strict")
    assert "não conta (de ana: declarada, não verificada)" in strict.err


def test_a_decision_does_not_follow_the_module_to_other_content(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pack()
    for role in ("recommend", "input", "agree", "decide"):
        place.say(role)
    approved = (place.artifacts.folder / "rapid.jsonl").read_bytes()
    write_tree(place.module, {"base/outro.yaml": NAMESPACE.replace("loja", "outra")})
    place.pack()
    assert not (place.artifacts.folder / "rapid.jsonl").exists()
    with open_artifacts(place.artifacts.root) as folder:
        Store(folder).publish(place.artifacts.run, "reports", {"rapid.jsonl": approved}, stage="forged")
    status = place.run("rapid", "status", "--trust", place.trust)
    assert status.err.count("vale para manifesto") == 4
    assert "falta Decide" in status.out


def test_the_form_is_a_minute_to_fill_in(decided: Place) -> None:
    form = decided.run("rapid", "form", "--trust", decided.trust).out
    assert form.startswith("# Ata do CCB · ")
    assert "Davi Souza" in form
    assert "______" in form  # who performs has not spoken
    assert sha256_hex((decided.artifacts.folder / "manifest.json").read_bytes()) in form


def test_the_form_has_a_line_for_each_condition_and_each_open_item(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_tree(place.module, {"base/api.yaml": NAMESPACE + "spec: {finalizers: []}\n---\napiVersion: v1\nkind: Pod\n"})
    place.pack()
    run = place.artifacts.run
    opinion = json.loads((place.artifacts.root / "ai_reports" / run / "parecer.json").read_bytes())
    items = place.artifacts.json("checklist.json")["items"]
    wanted = [each for each in items if each["result"] == "NOK" and each["severity"] != "BAIXA"]
    form = place.run("rapid", "form").out
    rows = re.findall(r"^\| (\d+) \| (\S+) \| (.+) \| \( \) atendida", form, re.MULTILINE)
    assert opinion["conditions"]
    assert len(rows) >= len(opinion["conditions"])
    assert {each["id"] for each in wanted} <= {item for _, item, _ in rows}
    asked = [each for each in items if each["question"].startswith("Condição do parecer: ")]
    assert {each["question"].partition(": ")[2] for each in asked} == set(opinion["conditions"]) - set(
        opinion["in_checklist"]
    )
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    (tmp_path / "c.toml").write_text('[opinion]\nmode = "off"\n', encoding="utf-8")
    place.pack("--config", tmp_path / "c.toml")
    off = place.run("rapid", "form").out
    assert "| Parecer da IA | não há |" in off
    assert f"| 1 | {wanted[0]['id']} |" in off


def test_without_a_pack_there_is_nothing_to_decide(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.run("rapid", "status").code == ExitCode.USAGE
    place.run("mapa_nc", "--module", place.module)
    ran = place.run("rapid", "status")
    assert ran.code == ExitCode.USAGE
    assert "rode `evidencias`" in ran.err


# --- the page


def test_the_page_has_no_script_no_address_and_says_who_decided(decided: Place, copy: Path) -> None:
    page = (copy / "evidencias.html").read_text(encoding="utf-8")
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert not re.search(r"<script|\bon\w+=|javascript:|<link(?! rel=\"icon\" href=\"data:,\")|@import|url\(", page)
    assert not re.search(r"(?:src|href)=\"https?:", page)
    assert "Davi Souza" in page
    assert "assinada e verificada" in page
    for target in re.findall(r'href="(?!#|data:)([^"]+)"', page):
        assert (copy / target).is_file(), target
    stored = (decided.artifacts.folder / "evidencias.html").read_text(encoding="utf-8")
    for target in re.findall(r'href="(?!#|data:)([^"]+)"', stored):
        assert (decided.artifacts.folder / target).is_file(), target


def test_hostile_names_are_text_on_the_page(tmp_path: Path) -> None:
    place = Place(tmp_path)
    document = f"# Módulo 07 – {HOSTILE} {{{{7*7}}}} \u202e\n\n```yaml\n{NAMESPACE.replace('loja', HOSTILE)}```\n"
    module = tmp_path / "module-07.md"
    module.write_text(document, encoding="utf-8")
    place.module = module
    place.pack()
    place.say("recommend", "--justification", f'"><svg/onload=alert(1)>{HOSTILE}\x1b[31m', "--condition", "{% raw %}")
    place.pack("--trust", place.trust)
    page = (place.artifacts.folder / "evidencias.html").read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert "<svg/onload" not in page
    assert "&lt;script&gt;" in page
    assert "{{7*7}}" in page
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_the_statements_are_what_in_toto_and_slsa_ask_for(decided: Place) -> None:
    envelope = decided.artifacts.json("manifest.dsse.json")
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"][0]["digest"]["sha256"] == sha256_hex(
        (decided.artifacts.folder / "manifest.json").read_bytes()
    )
    assert statement["predicate"]["runDetails"]["builder"]["id"].endswith("/builders/laptop")
