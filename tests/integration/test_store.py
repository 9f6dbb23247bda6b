"""The store over a real folder: publishing, reading back, the index, and every way to tamper with it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.codec import sha256_hex, sort_sums
from pipeline.errors import InputError, IntegrityError, ToolError, UsageError
from pipeline.ledger import Execution
from pipeline.store import Store, run_id
from pipeline.store_verify import Verification, verify_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EXEC = "executions/1.json"
INPUTS = {"module": "M07", "sha256": "a" * 64}


def execution(run: str) -> Execution:
    return Execution(
        run=run, module="M07", command="pipeline", pipeline="local", branch="main", commit="c" * 40,
        verdict="aprovado", manifest_sha256=None, started=NOW, finished=NOW, details={},
    )  # fmt: skip


@contextmanager
def store_at(path: Path, *, swap: bool = True) -> Iterator[Store]:
    with open_artifacts(path, swap=swap) as folder:
        yield Store(folder)


def verified(path: Path, now: datetime | None = NOW) -> Verification:
    with open_artifacts_to_check(path) as folder:
        return verify_store(folder, now=now)


def listing(path: Path) -> dict[str, str]:
    return {str(each.relative_to(path)): sha256_hex(each.read_bytes()) for each in path.rglob("*") if each.is_file()}


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, str]:
    root = tmp_path / "artifacts"
    with store_at(root) as store:
        run = store.begin(INPUTS)
        store.publish(run, "reports", {"mapa_nc.json": b"{}\n", "modulo/a b.yaml": b"a: 1\n"}, stage="mapa_nc")
        store.publish(run, "tests", {"junit.xml": b"<x/>\n"}, stage="tests")
        store.append(execution(run))
    return root, run


def test_run_id_depends_on_every_input_and_on_nothing_else() -> None:
    assert run_id(INPUTS) == run_id(dict(reversed(INPUTS.items())))
    assert run_id(INPUTS).startswith("m07-")
    assert len(run_id(INPUTS)) == 20
    assert run_id(INPUTS) != run_id({**INPUTS, "rules": "1"})
    assert run_id({"module": "../../x"}).startswith("run-")


def test_coreutils_accepts_every_list_and_nothing_else_is_there(filled: tuple[Path, str]) -> None:
    root, run = filled
    for category in ("reports", "tests"):
        subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=root / category / run, check=True)
    assert sorted(listing(root)) == [
        ".appgear-pipeline", ".lock", "LATEST", "index.jsonl",
        f"reports/{run}/SHA256SUMS", f"reports/{run}/executions/1.json", f"reports/{run}/mapa_nc.json",
        f"reports/{run}/modulo/a b.yaml", f"reports/{run}/run.json",
        f"tests/{run}/SHA256SUMS", f"tests/{run}/junit.xml",
    ]  # fmt: skip
    assert (root / "LATEST").read_text() == f"{run}\n"
    report = verified(root)
    assert (report.problems, report.notes, report.runs, report.files, report.executions) == ((), (), 1, 5, 1)
    assert report.ok


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        with store_at(tmp_path / "a") as store:
            store.begin(INPUTS)
    finally:
        os.umask(before)
    for each in (tmp_path / "a").rglob("*"):
        assert each.stat().st_mode & 0o777 == (0o750 if each.is_dir() else 0o640)


def test_publishing_the_same_bytes_again_changes_nothing(filled: tuple[Path, str]) -> None:
    root, run = filled
    before = {path: path.stat().st_ino for path in root.rglob("*")}
    with store_at(root) as store:
        assert store.begin(INPUTS) == run
        store.publish(run, "reports", {"mapa_nc.json": b"{}\n"}, stage="mapa_nc")
        assert store.has(run, "reports", "mapa_nc.json", "run.json")
        assert not store.has(run, "reports", "falta")
        assert not store.has(run, "sbom", "x")
        assert store.read(run, "reports", "mapa_nc.json") == b"{}\n"
        assert store.latest() == run
        assert [line.run for line in store.history()] == [run]
    assert {path: path.stat().st_ino for path in root.rglob("*")} == before


@pytest.mark.parametrize("swap", [True, False])
def test_stages_add_to_a_run_and_keep_what_was_there(tmp_path: Path, swap: bool) -> None:
    with store_at(tmp_path / "a", swap=swap) as store:
        run = store.begin(INPUTS)
        store.append(execution(run))
        for number in range(5):
            store.publish(run, "reports", {f"d{number}/f": bytes([number])}, stage="s")
        for number in range(30):
            store.publish(run, "docker", {f"many/{number}/{n}": b"x" for n in range(number)} or {"a": b""}, stage="s")
        assert sorted(store.digests(run, "reports")) == ["d0/f", "d1/f", "d2/f", "d3/f", "d4/f", "run.json"]
    assert verified(tmp_path / "a").problems == ()
    assert not list((tmp_path / "a").rglob(".tmp-*"))
    assert all(each.stat().st_nlink == 1 for each in (tmp_path / "a").rglob("*") if each.is_file())


def test_other_bytes_for_the_same_run_are_refused(filled: tuple[Path, str]) -> None:
    root, run = filled
    before = listing(root)
    with store_at(root) as store:
        with pytest.raises(IntegrityError, match="deu outros bytes") as caught:
            store.publish(run, "reports", {"mapa_nc.json": b"{ }\n", "novo": b""}, stage="mapa_nc")
        assert caught.value.where == f"reports/{run}/mapa_nc.json"
    assert {**listing(root), ".lock": ""} == {**before, ".lock": ""}


def test_decisions_grow_and_packs_are_made_again(filled: tuple[Path, str]) -> None:
    root, run = filled
    with store_at(root) as store:
        store.publish(run, "reports", {"rapid.jsonl": b"1\n", "e.zip": b"1"}, stage="rapid")
        later = {"rapid.jsonl": b"1\n2\n", "e.zip": b"2"}
        store.publish(run, "reports", later, stage="rapid", grows=["rapid.jsonl"], supersedes=["e.zip"])
        with pytest.raises(IntegrityError, match="outros bytes"):
            store.publish(run, "reports", {"rapid.jsonl": b"2\n"}, stage="rapid", grows=["rapid.jsonl"])
        assert store.read(run, "reports", "rapid.jsonl") == b"1\n2\n"
    assert verified(root).ok


def test_a_file_is_streamed_from_disk(filled: tuple[Path, str], tmp_path: Path) -> None:
    root, run = filled
    blob = tmp_path / "blob"
    blob.write_bytes(os.urandom(3_000_000))
    with store_at(root) as store:
        digests = store.publish(run, "docker", {"layer": blob}, stage="image")
        assert digests == {"layer": sha256_hex(blob.read_bytes())}
        assert store.read(run, "docker", "layer") == blob.read_bytes()
        store.publish(run, "docker", {"layer": blob}, stage="image")
        for special in (tmp_path, tmp_path / "falta", Path("/dev/null")):
            with pytest.raises((InputError, ToolError)):
                store.publish(run, "docker", {"outra": special}, stage="image")
    assert verified(root).ok


@pytest.mark.parametrize(
    "path", ["../x", "/x", "SHA256SUMS", "executions/1.json", "executions", "a\nb", "a/../b", "", "a\\b"]
)
def test_unsafe_artifact_names(filled: tuple[Path, str], path: str) -> None:
    root, run = filled
    with store_at(root) as store, pytest.raises(InputError):
        store.publish(run, "reports", {path: b""}, stage="x")


def test_usage_errors(filled: tuple[Path, str]) -> None:
    root, run = filled
    with store_at(root) as store:
        with pytest.raises(UsageError, match="categoria"):
            store.publish(run, "outra", {"a": b""}, stage="x")
        with pytest.raises(UsageError, match="id de run"):
            store.read("../x", "reports", "a")
        with pytest.raises(UsageError, match="arquivo algum"):
            store.publish(run, "sbom", {}, stage="sbom")
        with pytest.raises(IntegrityError, match="sem pasta"):
            store.append(execution("m07-" + "0" * 16))
        with pytest.raises(UsageError, match="89 dias"):
            store.append(replace(execution(run), retention_days=89))
        with pytest.raises(IntegrityError, match="ausente"):
            store.read(run, "reports", "falta")
    assert verified(root).ok


def test_every_flipped_file_is_seen_by_read_publish_and_verify(filled: tuple[Path, str]) -> None:
    root, run = filled
    for path in ("mapa_nc.json", "modulo/a b.yaml", "run.json"):
        file = root / "reports" / run / path
        good = file.read_bytes()
        file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
        with store_at(root) as store:
            with pytest.raises(IntegrityError, match="não confere"):
                store.read(run, "reports", path)
            with pytest.raises(IntegrityError, match="não confere"):
                store.publish(run, "reports", {path: good}, stage="x")
        assert f"reports/{run}/{path}" in {each.path for each in verified(root).problems}
        file.write_bytes(good)
    assert verified(root).ok


def edit(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def write(path: Path) -> None:
    path.write_bytes(b"")


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def rename(path: Path) -> None:
    path.rename(path.with_name("m07-" + "0" * 16))


def windows_ends(path: Path) -> None:
    edit(path, b"\n", b"\r\n")


def other_verdict(path: Path) -> None:
    edit(path, b"aprovado", b"reprovado\n")


def shorter_retention(path: Path) -> None:
    edit(path, b"2027-02-20", b"2027-02-19")


@pytest.mark.parametrize(
    ("tamper", "target", "code", "path"),
    [
        (Path.unlink, "tests/RUN/junit.xml", "missing", None),
        (write, "tests/RUN/x", "surplus", None),
        (write, "tests/RUN/a\nb\x1b", "surplus", "tests/RUN/a\\x0ab\\x1b"),
        (Path.mkdir, "tests/RUN/vazia", "surplus", None),
        (link, "tests/RUN/l", "special", None),
        (os.mkfifo, "tests/RUN/p", "special", None),
        (windows_ends, "tests/RUN/SHA256SUMS", "sums", "tests/RUN/SHA256SUMS:1"),
        (Path.unlink, "tests/RUN/SHA256SUMS", "sums", None),
        (Path.mkdir, "tests/M07", "surplus", None),
        (write, "tests/x", "surplus", None),
        (link, "tests/l", "special", None),
        (link, "sbom", "special", None),
        (Path.mkdir, "extra", "surplus", None),
        (write, "extra.txt", "surplus", None),
        (write, "LATEST", "latest", None),
        (Path.unlink, "LATEST", "latest", None),
        (Path.unlink, "reports/RUN/executions/1.json", "missing", None),
        (write, "reports/RUN/executions/1.json", "changed", None),
        (write, "reports/RUN/executions/2.json", "surplus", None),
        (write, "index.jsonl", "surplus", "reports/RUN/executions/1.json"),
        (other_verdict, "index.jsonl", "chain", "index.jsonl:1"),
        (shorter_retention, "index.jsonl", "retention", "index.jsonl:1"),
        (shutil.rmtree, "reports/RUN", "missing", None),
        (rename, "reports/RUN", "run", "reports/m07-0000000000000000/run.json"),
    ],
)
def test_verify_names_what_was_tampered_with(
    filled: tuple[Path, str], tamper: Callable[[Path], object], target: str, code: str, path: str | None
) -> None:
    root, run = filled
    tamper(root / target.replace("RUN", run))
    report = verified(root)
    assert not report.ok
    assert (code, (path or target).replace("RUN", run)) in {(each.code, each.path) for each in report.problems}
    assert all("\n" not in str(each) and "\x1b" not in str(each) for each in report.problems)


def test_verify_checks_the_manifest_of_the_index(filled: tuple[Path, str]) -> None:
    root, run = filled
    with store_at(root) as store:
        store.publish(run, "reports", {"manifest.json": b"{}\n"}, stage="evidencias")
        store.append(replace(execution(run), manifest_sha256=sha256_hex(b"{}\n")))
        assert verified(root).ok
        store.append(replace(execution(run), manifest_sha256="f" * 64))
    assert [each.code for each in verified(root).problems] == ["changed"]


def test_verify_with_a_trusted_time(filled: tuple[Path, str]) -> None:
    root, run = filled
    assert [each.code for each in verified(root, NOW - timedelta(minutes=6)).problems] == ["clock"]
    for category in ("reports", "tests"):
        shutil.rmtree(root / category / run)
    for now, codes in ((NOW + timedelta(days=89), ["missing"]), (None, ["missing"]), (NOW + timedelta(days=90), [])):
        report = verified(root, now)
        assert [each.code for each in report.problems if each.code != "empty"] == codes


def test_nothing_examined_is_not_a_pass(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert [each.code for each in verified(tmp_path / "a").problems] == ["empty"]
    with pytest.raises(InputError, match="não existe"):
        verified(tmp_path / "falta")


def test_a_copy_without_dot_files_verifies_and_can_be_used_again(filled: tuple[Path, str]) -> None:
    root, run = filled
    (root / ".lock").unlink()
    (root / ".appgear-pipeline").unlink()
    assert verified(root).ok
    with store_at(root) as store:
        store.append(execution(run))
    assert verified(root).executions == 2


@pytest.mark.parametrize("torn", [b'{"sequence":2,', b"\0" * 40, b"x"])
def test_a_torn_last_line_is_moved_aside_and_recorded(filled: tuple[Path, str], torn: bytes) -> None:
    root, run = filled
    with (root / "index.jsonl").open("ab") as index:
        index.write(torn)
    report = verified(root)
    assert (report.ok, [each.code for each in report.notes]) == (True, ["chain"])
    with store_at(root) as store:
        line = store.append(execution(run))
        store.append(execution(run))
    assert line.recovered is not None
    assert (root / line.recovered.path).read_bytes() == torn
    assert verified(root).ok
    (root / line.recovered.path).write_bytes(b"outra")
    assert [each.code for each in verified(root).problems] == ["changed"]
    (root / line.recovered.path).unlink()
    assert [each.code for each in verified(root).problems] == ["missing"]


def test_a_registration_that_was_killed_after_its_line_is_finished(filled: tuple[Path, str]) -> None:
    root, run = filled
    record = root / "reports" / run / "executions" / "1.json"
    record.rename(root / ".tmp-execution")
    (root / "LATEST").unlink()
    report = verified(root)
    assert (report.ok, {each.path for each in report.notes}) == (True, {".tmp-execution", f"reports/{run}/{EXEC}"})
    with store_at(root) as store:
        store.begin(INPUTS)
    assert record.exists()
    assert (root / "LATEST").read_text() == f"{run}\n"
    assert verified(root).notes == ()


def test_a_registration_that_was_killed_before_its_line_is_dropped(filled: tuple[Path, str]) -> None:
    root, run = filled
    (root / ".tmp-execution").write_text("{}")
    with store_at(root) as store:
        assert store.append(execution(run)).sequence == 2
    assert verified(root).notes == ()


def test_a_swap_that_was_killed_between_its_two_renames_is_undone(filled: tuple[Path, str]) -> None:
    root, run = filled
    (root / "tests" / run).rename(root / "tests" / f".tmp-old-{run}")
    (root / "tests" / f".tmp-{run}").mkdir()
    with store_at(root, swap=False) as store:
        assert store.publish(run, "tests", {"junit.xml": b"<x/>\n"}, stage="tests")
    assert sorted(each.name for each in (root / "tests").iterdir()) == [run]
    (root / "tests" / f".tmp-old-{run}").mkdir()
    with store_at(root) as store:
        store.begin(INPUTS)
    assert sorted(each.name for each in (root / "tests").iterdir()) == [run]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO])
def test_a_file_system_without_hard_links(
    filled: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    root, run = filled

    def no_link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_link)
    with store_at(root) as store:
        if number == errno.EIO:
            with pytest.raises(ToolError, match="sistema de arquivos"):
                store.publish(run, "tests", {"novo": b""}, stage="x")
        else:
            store.publish(run, "tests", {"novo": b""}, stage="x")
    assert verified(root).ok


def test_a_streamed_file_that_changes_while_it_is_published(filled: tuple[Path, str], tmp_path: Path) -> None:
    root, run = filled
    blob = tmp_path / "blob"
    blob.write_bytes(b"1")
    with open_artifacts(root) as folder, folder.locked(), pytest.raises(InputError, match="mudou durante a cópia"):
        folder.replace_folder(f"docker/{run}", {"layer": blob}, keep=[], digests={"layer": sha256_hex(b"2")})


def test_a_line_that_the_disk_takes_only_in_part_is_taken_back(
    filled: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, run = filled
    before = (root / "index.jsonl").read_bytes()
    real = os.write

    def short(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[:10] if bytes(data[:12]) == b'{"branch":"m' else data)

    monkeypatch.setattr(os, "write", short)
    with store_at(root) as store, pytest.raises(ToolError, match="disco cheio"):
        store.append(execution(run))
    assert (root / "index.jsonl").read_bytes() == before
    monkeypatch.undo()
    assert verified(root).ok


def test_a_broken_chain_is_never_extended(filled: tuple[Path, str]) -> None:
    root, run = filled
    edit(root / "index.jsonl", b'"sequence":1', b'"sequence":2')
    before = (root / "index.jsonl").read_bytes()
    with store_at(root) as store, pytest.raises(IntegrityError):
        store.append(execution(run))
    assert (root / "index.jsonl").read_bytes() == before


def test_latest_that_names_no_run(filled: tuple[Path, str]) -> None:
    root, _ = filled
    (root / "LATEST").write_text("../../etc\n")
    with store_at(root) as store, pytest.raises(IntegrityError, match="LATEST"):
        store.latest()
    (root / "LATEST").unlink()
    with store_at(root) as store:
        assert store.latest() is None


def test_a_run_folder_that_lost_its_list_is_refused(filled: tuple[Path, str]) -> None:
    root, run = filled
    (root / "tests" / run / "SHA256SUMS").unlink()
    with store_at(root) as store, pytest.raises(IntegrityError, match="sem SHA256SUMS"):
        store.publish(run, "tests", {"x": b""}, stage="x")


def test_links_planted_in_the_store_are_not_followed(filled: tuple[Path, str], tmp_path: Path) -> None:
    root, run = filled
    victim = tmp_path / "victim"
    victim.write_bytes(b"intacto")
    (root / "reports" / run / "run.json").unlink()
    (root / "reports" / run / "run.json").symlink_to(victim)
    (root / ".tmp-LATEST").symlink_to(victim)
    (root / ".tmp-execution").symlink_to(victim)
    with store_at(root) as store:
        with pytest.raises(IntegrityError, match="não é um arquivo comum"):
            store.read(run, "reports", "run.json")
        with pytest.raises((IntegrityError, InputError)):
            store.begin(INPUTS)
    assert victim.read_bytes() == b"intacto"
    (root / "index.jsonl").unlink()
    (root / "index.jsonl").symlink_to(victim)
    with store_at(root) as store, pytest.raises((IntegrityError, InputError)):
        store.append(execution(run))
    assert victim.read_bytes() == b"intacto"
    assert not verified(root).ok


def test_a_lock_that_is_gone(filled: tuple[Path, str]) -> None:
    root, _ = filled
    with open_artifacts(root) as folder:
        (root / ".lock").unlink()
        with pytest.raises(InputError, match="não existe"):
            Store(folder).begin(INPUTS)


def test_a_run_file_that_says_nothing(filled: tuple[Path, str]) -> None:
    root, run = filled
    place = root / "reports" / run
    for text in (b"[]", b"lixo", b'{"inputs": 3}'):
        (place / "run.json").write_bytes(text)
        rows = {str(each.relative_to(place)): sha256_hex(each.read_bytes()) for each in place.rglob("*.*n")}
        rows |= {"modulo/a b.yaml": sha256_hex(b"a: 1\n")}
        (place / "SHA256SUMS").write_bytes(sort_sums({k: v for k, v in rows.items() if k != EXEC}))
        assert [each.code for each in verified(root).problems] == ["run"]
    (place / "run.json").unlink()
    (place / "SHA256SUMS").write_bytes(sort_sums({k: v for k, v in rows.items() if k not in {EXEC, "run.json"}}))
    assert [each.code for each in verified(root).problems] == ["missing"]


def test_a_lock_that_is_a_link_or_held(filled: tuple[Path, str], tmp_path: Path) -> None:
    root, _ = filled
    with open_artifacts(root, lock_seconds=0.1) as first, first.locked():
        with open_artifacts(root, lock_seconds=0.05) as second, pytest.raises(InputError, match=str(os.getpid())):
            Store(second).begin(INPUTS)
        with open_artifacts_to_check(root, lock_seconds=0.05) as third, pytest.raises(InputError, match="ocupada"):
            verify_store(third)
    (root / ".lock").unlink()
    (root / ".lock").symlink_to(tmp_path / "x")
    with store_at(root) as store, pytest.raises(InputError, match="link simbólico"):
        store.begin(INPUTS)
    assert not (tmp_path / "x").exists()


def test_leftovers_of_a_killed_process_are_cleaned_and_nothing_else(filled: tuple[Path, str]) -> None:
    root, run = filled
    (root / "tests" / f".tmp-{run}" / "d").mkdir(parents=True)
    (root / "tests" / f".tmp-{run}" / "d" / "l").symlink_to(root / "LATEST")
    (root / "tests" / ".tmp-old-m07-ffffffffffffffff").mkdir()
    (root / ".tmp-LATEST").write_text("x")
    (root / "tests" / "tmp-alheio").write_text("x")
    with store_at(root) as store:
        store.publish(run, "tests", {"novo": b""}, stage="x")
    assert sorted(each.name for each in (root / "tests").iterdir()) == sorted(
        [run, "m07-ffffffffffffffff", "tmp-alheio"]
    )
    assert (root / "LATEST").read_text() == f"{run}\n"
    assert not (root / ".tmp-LATEST").exists()


def test_index_lines_are_json_that_jq_reads(filled: tuple[Path, str]) -> None:
    root, run = filled
    row = json.loads((root / "index.jsonl").read_bytes())
    assert (row["run"], row["not_before_delete"]) == (run, "2027-02-20T12:00:00Z")
    assert row["execution"]["sha256"] == sha256_hex((root / row["execution"]["path"]).read_bytes())
