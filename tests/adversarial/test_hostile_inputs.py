"""Hostile inputs through the command line (threats.md §5): each ends as stated, in one line, and writes nowhere else.

Numbers in names are those of the inputs there. The memory bound is generous: it tells a refusal from a load.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from trailcli import Artifacts, Ran, document, git, measured, repository, snapshot, write_tree

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: loja\n"
_MAX_PEAK = 200 * 1024 * 1024
_TIMEOUT_SECONDS = 60
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@dataclass
class Place:
    """A small world: what is beside the artifacts must be the same before and after."""

    around: Path
    work: Path = field(init=False)
    artifacts: Artifacts = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.around / "work"
        self.artifacts = Artifacts(self.around / "artifacts")
        for name in ("work", "home", "tmp"):
            (self.around / name).mkdir()

    def run(self, *arguments: str | Path, cwd: Path | None = None, artifacts: str | Path | None = None) -> Ran:
        """Run a command; fails on a trace, a control character, memory, or a change outside the artifacts folder."""
        without = self.artifacts.root
        before = snapshot(self.around, without=without)
        ran = measured(
            *arguments,
            "--artifacts",
            self.artifacts.root if artifacts is None else artifacts,
            cwd=cwd or self.work,
            env={"HOME": str(self.around / "home"), "TMPDIR": str(self.around / "tmp")},
            timeout=_TIMEOUT_SECONDS,
        )
        assert snapshot(self.around, without=without) == before
        assert ran.peak < _MAX_PEAK
        assert not _RAW.search(ran.out + ran.err)
        assert not re.search(r"(?m)^(::|##vso|##\[|section_(start|end):)", ran.out + ran.err)
        return ran

    def refused(self, *arguments: str | Path, code: int = 3, cwd: Path | None = None, **more: str | Path) -> str:
        """Run a command that must end in one line; no run may be recorded."""
        ran = self.run(*arguments, cwd=cwd, **more)
        assert ran.code == code, ran.err
        assert ran.out == ""
        assert not (self.artifacts.root / "LATEST").exists()
        return ran.error

    def audited(self, *arguments: str | Path, stable: bool = True) -> Artifacts:
        """Run the whole trail on something hostile that is judged, not refused."""
        ran = self.run("pipeline", *arguments)
        assert ran.code in {0, 10, 11}, ran.err
        self.artifacts.check_sums()
        assert self.artifacts.json("modulo_reescrito.json")["proof"]["idempotent"] is stable
        return self.artifacts

    def document(self, text: str | bytes, name: str = "module-42.md") -> Path:
        path = self.work / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    around = tmp_path / "around"
    around.mkdir()
    (tmp_path / "x").write_text("intocado\n", encoding="utf-8")
    before = snapshot(tmp_path, without=around)
    yield Place(around)
    assert snapshot(tmp_path, without=around) == before


# --- inputs that are refused


@pytest.mark.parametrize("content", [b"", b"\n\n", b" \t\r\n"])
def test_empty_document(content: bytes, place: Place) -> None:
    assert "vazio" in place.refused("pipeline", "--module", place.document(content))


def test_empty_tree(place: Place) -> None:
    (place.work / "vazia").mkdir()
    assert "nada a auditar" in place.refused("pipeline", "--module", "vazia")
    (place.work / "vazia" / "sub").mkdir()
    assert "nada a auditar" in place.refused("pipeline", "--gitops", "vazia")


@pytest.mark.parametrize("option", ["--module", "--gitops", "--config", "--baseline"])
def test_missing_path(option: str, place: Place) -> None:
    module = place.document(document(("a.yaml", NAMESPACE)))
    given: list[str | Path] = [] if option in {"--module", "--gitops"} else ["--module", module]
    error = place.refused("mapa_nc", *given, option, "nao-ha")
    assert "nao-ha" in error
    assert "não existe" in error


@pytest.mark.parametrize("option", ["--config", "--baseline"])
def test_directory_where_a_file_is_wanted(option: str, place: Place) -> None:
    module = place.document(document(("a.yaml", NAMESPACE)))
    (place.work / "pasta").mkdir()
    assert "pasta" in place.refused("mapa_nc", "--module", module, option, "pasta")


def test_file_where_a_directory_is_wanted(place: Place) -> None:
    module = place.document(document(("a.yaml", NAMESPACE)))
    assert place.refused("mapa_nc", "--gitops", module)


def test_24_two_hundred_megabytes_and_sparse_gigabytes(place: Place) -> None:
    for size in (200 * 1024**2, 2 * 1024**3):
        path = place.document(b"# M\n")
        os.truncate(path, size)
        assert "acima do limite" in place.refused("mapa_nc", "--module", path)


def test_24_a_tree_with_a_file_over_the_limit_is_judged_without_it(place: Place) -> None:
    tree = write_tree(place.work / "arvore", {"ns.yaml": NAMESPACE, "grande.yaml": b"a: 1\n"})
    os.truncate(tree / "grande.yaml", 200 * 1024**2)
    found = place.audited("--module", tree)
    assert [each["location"]["path"] for each in found.findings("READ-LIMIT")] == ["grande.yaml"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "latin-1"])
def test_30_a_document_that_is_not_utf_8(encoding: str, place: Place) -> None:
    error = place.refused("mapa_nc", "--module", place.document("# Módulo 42\n\nção\n".encode(encoding)))
    assert "UTF-" in error


def test_30_a_document_with_a_nul(place: Place) -> None:
    module = place.document(b"# Modulo 42\n\n\0\n")
    ran = place.run("mapa_nc", "--module", module)
    assert ran.code in {0, 3}
    assert ran.code == 0 or ran.error


def test_06_special_files_are_never_opened(place: Place) -> None:
    os.mkfifo(place.work / "fifo.md")
    assert "FIFO" in place.refused("mapa_nc", "--module", "fifo.md")
    assert "dispositivo" in place.refused("mapa_nc", "--module", "/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        folder = os.open(place.work, os.O_RDONLY)
        try:
            listening.bind(f"/proc/self/fd/{folder}/s.md")
        finally:
            os.close(folder)
        assert "soquete" in place.refused("mapa_nc", "--module", "s.md")
    for option in ("--config", "--baseline"):
        module = place.document(document(("a.yaml", NAMESPACE)))
        assert "FIFO" in place.refused("mapa_nc", "--module", module, option, "fifo.md")


def test_26_a_document_or_folder_that_is_a_link(place: Place) -> None:
    place.document(document(("a.yaml", NAMESPACE)))
    (place.work / "link.md").symlink_to("module-42.md")
    (place.work / "pasta").symlink_to(".")
    (place.work / "fora.md").symlink_to("/etc/passwd")
    (place.work / "volta.md").symlink_to("volta.md")
    for name in ("link.md", "pasta", "fora.md", "volta.md"):
        assert place.refused("mapa_nc", "--module", name)


def test_26_links_inside_a_tree_are_told_and_never_followed(place: Place) -> None:
    (place.around / "fora.yaml").write_text("kind: Segredo\nplantado: XYZZY\n", encoding="utf-8")
    tree = write_tree(place.work / "arvore", {"ns.yaml": NAMESPACE})
    (tree / "fora.yaml").symlink_to("../../fora.yaml")
    (tree / "pasta").symlink_to("/etc")
    (tree / "volta").symlink_to("volta")
    (tree / "pendente.yaml").symlink_to("nao-ha")
    os.link(place.around / "fora.yaml", tree / "duro.yaml")
    os.mkfifo(tree / "fifo.yaml")
    found = place.audited("--module", tree)
    special = {each["location"]["path"] for each in found.findings("READ-SPECIAL")}
    assert special == {"fora.yaml", "pasta", "volta", "pendente.yaml", "duro.yaml", "fifo.yaml"}
    assert set(found.rewritten()) == {"ns.yaml"}
    for path in found.folder.rglob("*"):
        assert path.is_dir() or b"XYZZY" not in path.read_bytes()


@pytest.mark.parametrize("name", ["a" * 5000, "x\x1b[31m\u202e.md", "-", "\n::set-output name=x::y"])
def test_names_that_the_system_or_a_terminal_would_not_bear(name: str, place: Place) -> None:
    place.refused("mapa_nc", f"--module={name}")


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c 'touch executado'",
        "http://example.org/x",
        "git://example.org/x",
        "file://outra/x",
        "https://user:segredo-plantado@example.org/x",
        "repo@--upload-pack=x",
        "repo@-x",
        "repo@main..x",
        "repo@nao-ha",
        "",
    ],
)
def test_11_addresses_that_could_be_commands(address: str, place: Place) -> None:
    repository(place.work / "repo", {"ns.yaml": NAMESPACE})
    error = place.refused("mapa_nc", f"--gitops={address}")
    assert "segredo-plantado" not in error


def test_network_is_refused_offline(place: Place) -> None:
    assert "--offline" in place.refused("mapa_nc", "--gitops", "https://example.invalid/x", "--offline")


def test_40_a_git_file_that_points_elsewhere(place: Place) -> None:
    tree = write_tree(place.work / "arvore", {"ns.yaml": NAMESPACE, ".git": "gitdir: /etc\n"})
    assert ".git" in place.refused("mapa_nc", "--module", tree)


def test_10_hooks_filters_and_helpers_of_a_repository_never_run(place: Place) -> None:
    mark = place.around / "executado"
    script = f"#!/bin/sh\ntouch '{mark}'\ncat\n"
    repo = repository(place.work / "repo", {"ns.yaml": NAMESPACE, ".gitattributes": "* filter=f diff=d\n"})
    hook = repo / ".git" / "hook.sh"
    hook.write_text(script, encoding="utf-8")
    hook.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "filter.f.clean", "filter.f.smudge", "diff.d.command",
                "diff.d.textconv", "credential.helper", "core.pager", "gpg.program"):  # fmt: skip
        git(repo, "config", key, str(hook))
    git(repo, "config", "core.hooksPath", ".git/hooks")
    for name in ("post-checkout", "reference-transaction", "pre-commit", "post-commit", "post-index-change"):
        target = repo / ".git" / "hooks" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(script, encoding="utf-8")
        target.chmod(0o755)
    before = snapshot(repo)
    for arguments in (["--module", repo], ["--gitops", repo], ["--gitops", f"{repo}@main"]):
        assert place.run("pipeline", *arguments).code in {0, 10, 11}
    assert snapshot(repo) == before
    assert not mark.exists()


def test_46_planted_configuration_and_code_is_data(place: Place) -> None:
    mark = place.around / "executado"
    code = f"open({str(mark)!r}, 'w')\n"
    names = ("sitecustomize.py", "usercustomize.py", "conftest.py", "noxfile.py", "yaml.py", "json.py", "pipeline.py",
             "msgspec/__init__.py", "jinja2.py")  # fmt: skip
    tree = write_tree(place.work / "arvore", dict.fromkeys(names, code) | {"ns.yaml": NAMESPACE, ".env": "A=1\n"})
    place.audited("--module", tree)
    assert not mark.exists()


# --- configuration and output


def test_82_configuration_inside_the_audited_tree_is_refused(place: Place) -> None:
    tree = repository(place.work / "arvore", {"ns.yaml": NAMESPACE, "appgear.toml": "[retention]\ndays = 90\n"})
    for arguments in (["--module", "."], ["--gitops", "."], ["--gitops", str(tree)], ["--gitops", ".@HEAD"]):
        assert "dentro da árvore auditada" in place.refused("mapa_nc", *arguments, code=2, cwd=tree)
    sub = tree / "sub"
    sub.mkdir()
    (sub / "appgear.toml").write_text("[retention]\ndays = 90\n", encoding="utf-8")
    assert "dentro da árvore auditada" in place.refused("mapa_nc", "--module", "..", code=2, cwd=sub)


@pytest.mark.parametrize(
    "text",
    ["[[[[", "[nada]\nx = 1\n", "[retention]\ndays = 1\n", "[retention]\ndays = '90'\n", "a = " + "[" * 100_000, "\xff",
     "[parameters]\nimages = 1\n", "[policy]\nnada = 1\n", "[opa]\npolicies = [1]\n"],
)  # fmt: skip
def test_configuration_that_is_not_one(text: str, place: Place) -> None:
    module = place.document(document(("a.yaml", NAMESPACE)))
    (place.work / "c.toml").write_bytes(text.encode("latin-1"))
    assert "c.toml" in place.refused("mapa_nc", "--module", module, "--config", "c.toml", code=2)


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"schema_version": "9"}', "\xff", '{"a": NaN}'])
def test_baseline_that_is_not_one(text: str, place: Place) -> None:
    module = place.document(document(("a.yaml", NAMESPACE)))
    (place.work / "b.json").write_bytes(text.encode("latin-1"))
    assert "b.json" in place.refused("mapa_nc", "--module", module, "--baseline", "b.json")


def test_24_artifacts_that_may_not_be_written(place: Place) -> None:
    tree = write_tree(place.work / "arvore", {"ns.yaml": NAMESPACE})
    real = place.around / "real"
    real.mkdir()
    (place.around / "link").symlink_to("real")
    write_tree(place.around / "alheia", {"carta.txt": "querida\n"})
    (place.around / "arquivo").write_text("x\n", encoding="utf-8")
    refused = {
        "link": "link simbólico",
        "link/sub": "link simbólico",
        "alheia": "não é nossa",
        "arquivo": "não é pasta",
        "arquivo/sub": "não é pasta",
        "work/arvore": "dentro da árvore auditada",
        "work/arvore/sub/artifacts": "dentro da árvore auditada",
    }
    for name, why in refused.items():
        for option in ("--module", "--gitops"):
            error = place.refused("mapa_nc", option, tree, artifacts=place.around / name)
            assert why in error
    assert "raiz" in place.refused("mapa_nc", "--module", tree, artifacts="/")
    place.refused("mapa_nc", "--module", tree, artifacts="/proc/nao-ha")


def test_artifacts_inside_a_module_that_the_configuration_names(place: Place) -> None:
    write_tree(place.work / "m", {"ns.yaml": NAMESPACE})
    (place.work / "appgear.toml").write_text('[module]\npath = "m"\n', encoding="utf-8")
    assert "dentro da árvore auditada" in place.refused("mapa_nc", artifacts="m/artifacts")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_24_artifacts_without_permission(place: Place) -> None:
    tree = write_tree(place.work / "arvore", {"ns.yaml": NAMESPACE})
    locked = place.around / "trancada"
    locked.mkdir(mode=0o500)
    place.refused("mapa_nc", "--module", tree, artifacts=locked / "artifacts")


# --- inputs that are judged


TARGETS = {
    "../../x": "02 leaves the tree",
    "../x": "04 leaves the tree",
    "a/../../b": "04 leaves the tree",
    "/etc/x-plantado": "02 absolute",
    "/etc/cron.d/x": "02 absolute",
    "~/x": "01 home",
    "~root/x": "01 home",
    '"$HOME/x"': "01 variable",
    "'C:\\x'": "01 drive",
    "'a\\..\\..\\x'": "01 backslash",
    ".git/config": "01 the repository's own folder",
    ".git/hooks/pre-commit": "01 the repository's own folder",
}


@pytest.mark.parametrize("target", TARGETS, ids=[f"{why} {name}" for name, why in TARGETS.items()])
def test_01_heredoc_to_a_place_outside(target: str, place: Place) -> None:
    text = document(("antes.yaml", NAMESPACE), (target, "x: 1\n"), ("depois.yaml", NAMESPACE))
    found = place.audited("--module", place.document(text))
    line = next(number for number, row in enumerate(text.split("\n"), 1) if row.startswith(f"cat > {target} <<"))
    told = [each["location"]["line"] for each in found.findings() if each["rule"].startswith("READ-")]
    assert line in told
    assert {each["path"] for each in found.json("mapa_nc.json")["files"]} == {"antes.yaml", "depois.yaml"}
    assert {"antes.yaml", "depois.yaml", "module-42.md"} >= set(found.rewritten())
    assert found.json("checklist.json")["verdict"] != "aprovado"


def _bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    names = "abcdefghijklmnop"
    lines += [f"{now}: &{now} [{', '.join([f'*{last}'] * 10)}]" for last, now in pairwise(names)]
    return "\n".join(lines) + "\n"


YAML_FAULTS = {
    "08 alias bomb": (_bomb(), "VAL-YAML"),
    "14 fifty thousand brackets": ("a: " + "[" * 50_000 + "\n", "VAL-YAML"),
    "14 a hundred thousand brackets": ("a: " + "[" * 100_000 + "]" * 100_000 + "\n", "VAL-YAML"),
    "14 a hundred thousand braces": ("a: " + "{b: " * 100_000 + "\n", "VAL-YAML"),
    "16 cyclic alias": ("a: &x [*x]\n", "VAL-YAML"),
    "16 undefined alias": ("a: *nao-ha\n", "VAL-YAML"),
    "20 tab in a key": (f"{NAMESPACE}  labels:\n    appgear.io\ttier: core\n", "VAL-YAML"),
    "05 duplicate keys": (f"{NAMESPACE}  name: outra\n", "VAL-DUPKEY"),
    "08 text that is deceiving": (f"{NAMESPACE}  # \u202eabc\u2066\n", "READ-BIDI"),
    "30 lone surrogate": ('a: "\\ud800"\n', "VAL-YAML"),
}


@pytest.mark.parametrize("name", YAML_FAULTS)
def test_yaml_that_is_hostile(name: str, place: Place) -> None:
    body, rule = YAML_FAULTS[name]
    text = document(("ruim.yaml", body), ("bom.yaml", NAMESPACE))
    found = place.audited("--module", place.document(text))
    told = found.findings(rule)
    start = text.split("\n").index("cat > ruim.yaml << 'EOF'") + 2
    assert told, [each["rule"] for each in found.findings()]
    for each in told:
        assert start <= each["location"]["document_line"] < start + body.count("\n")
    paths = {each["location"]["path"] for each in found.findings() if not each["rule"].startswith("DOC")}
    assert "bom.yaml" in paths


def test_38_lines_break_at_line_feeds_alone(place: Place) -> None:
    body = f"# a\u2028b\x0cc\x85d\n{NAMESPACE}  labels: [\n"
    text = document(("a.yaml", body))
    found = place.audited("--module", place.document(text))
    lines = text.split("\n")
    for each in found.findings("VAL-YAML"):
        assert lines[each["location"]["document_line"] - 1] == body.split("\n")[each["location"]["line"] - 1]


def test_32_names_that_a_terminal_or_a_ci_system_would_obey(place: Place) -> None:
    name = "\\e[31m\\e]8;;http://x\\a::set-output name=a::b\\r##vso[task.complete]\\u202e"
    body = f'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: "{name}"\n'
    text = document(("a.yaml", body), title="Módulo 42 – \x1b[2J\u202e::set-output name=x::y")
    text += "\n::set-output name=x::y\n##vso[task.complete]\nsection_start:1:x\n"
    place.audited("--module", place.document(text))


def test_09_a_document_that_imitates_our_reports(place: Place) -> None:
    text = document(("a.yaml", NAMESPACE))
    fake = "### CHECKLIST\n\nverdict: aprovado\n"
    text += f"\n{fake}\n```md\n{fake}```\n\n<!--\n{fake}-->\n### MAPA_NC\n\nTODO: ver https://x/latest\n"
    found = place.audited("--module", place.document(text))
    headings = re.findall(r"(?m)^### .*$", found.text("fluxo.md"))
    assert headings == ["### MAPA_NC", "### PLANO_CORRECAO", "### MODULO_REESCRITO", "### CHECKLIST"]


def test_22_many_documents_in_one_file_are_all_counted(place: Place) -> None:
    body = "---\n".join(NAMESPACE.replace("loja", f"n{number}") for number in range(250))
    tree = write_tree(place.work / "arvore", {"muitos.yaml": f"\ufeff---\n# vazio\n---\n{body}---\n"})
    found = place.audited("--module", tree)
    names = {each["object"]["name"] for each in found.findings("LBL-POLICY")}
    assert names == {f"n{number}" for number in range(250)}


def test_06_names_that_are_twins_or_not_utf_8(place: Place) -> None:
    tree = write_tree(place.work / "arvore", {"A.yaml": NAMESPACE, "a.yaml": NAMESPACE, "é.yaml": NAMESPACE})
    (tree / "e\u0301.yaml").write_text(NAMESPACE, encoding="utf-8")
    (tree / os.fsdecode(b"\xff.yaml")).write_text(NAMESPACE, encoding="utf-8")
    (tree / "quebra\nde linha.yaml").write_text(NAMESPACE, encoding="utf-8")
    found = place.audited("--module", tree)
    assert len(found.findings("READ-COLLISION")) >= 2
    assert found.findings("READ-ENCODING")
    assert found.findings("READ-TARGET")


def test_03_two_blocks_that_write_one_file(place: Place) -> None:
    text = document(("a.yaml", NAMESPACE), ("a.yaml", NAMESPACE.replace("loja", "outra")))
    found = place.audited("--module", place.document(text))
    assert found.findings("READ-CONFLICT")
    assert b"outra" in found.rewritten()["a.yaml"]


def test_02_nothing_of_a_document_is_ever_executed(place: Place) -> None:
    mark = place.around / "executado"
    text = document(("a.yaml", f"a: $(touch {mark})\nb: `touch {mark}`\n"))
    text += f"\n```bash\ncat > c.yaml << 'EOF'\na: !!python/object/apply:os.system ['touch {mark}']\nEOF\n```\n"
    text += f"\n```bash\ncat > b.yaml <<EOF\na: $(touch {mark})\nEOF\ntouch {mark}\nbash -c 'touch {mark}'\n```\n"
    found = place.audited("--module", place.document(text))
    assert not mark.exists()
    assert any(each["rule"] == "READ-EXPAND" for each in found.findings())


def test_nothing_that_can_be_judged_is_not_a_pass(place: Place) -> None:
    tree = write_tree(place.work / "arvore", {"imagem.png": b"\x89PNG\r\n\x1a\n\0\0"})
    ran = place.run("mapa_nc", "--module", tree)
    assert ran.code == 4
    assert "nada foi examinado" in ran.err
