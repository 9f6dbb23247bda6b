"""Reading and writing files that nobody vouches for (threats T06, T07, T24, T25, inputs 24 to 30)."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unicodedata
from pathlib import Path

import pytest

from pipeline.adapters.files import DiskReader, read_file, read_tree
from pipeline.adapters.output import MARKER, open_output, write_tree_atomic
from pipeline.codec import sha256_hex
from pipeline.errors import InputError, PipelineError
from pipeline.ports import TreeLimits


def problems(root: Path, **limits: int) -> list[tuple[str, str | None]]:
    return [(each.code, each.path) for each in read_tree(root, limits=TreeLimits(**limits))[1]]


def paths(root: Path) -> list[str]:
    return [each.path for each in read_tree(root)[0]]


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "m.md"
    file.write_bytes(b"a\r\n\xff")
    assert read_file(file) == DiskReader().read_file(file) == b"a\r\n\xff"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (str, "não existe"),
        (lambda path: path.mkdir(), "pasta"),
        (lambda path: path.symlink_to("/etc/passwd"), "link simbólico"),
        (lambda path: path.symlink_to(path), "link simbólico"),
        (os.mkfifo, "FIFO"),
        (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "soquete"),
        (lambda path: path.write_bytes(b"x" * 101), "101 bytes, acima do limite de 100"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the socket is left to the collector on purpose
def test_anything_else_is_one_clear_error(tmp_path: Path, make: object, reason: str) -> None:
    path = tmp_path / "m.md"
    assert callable(make)
    make(path)
    with pytest.raises(InputError, match=reason) as caught:
        read_file(path, limit=100)
    assert "\n" not in str(caught.value)
    assert "passwd" not in str(caught.value)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "a\0b", "x" * 300, "/etc/passwd/x"])
def test_devices_and_impossible_paths(path: str) -> None:
    with pytest.raises(InputError):
        read_file(Path(path))


def test_a_sparse_file_of_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "m.md").open("wb") as file:
        file.truncate(2 * 1024**3)
    with pytest.raises(InputError, match="acima do limite"):
        read_file(tmp_path / "m.md")


def read_many_times(file: Path) -> None:
    for _ in range(200):
        read_file(file)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "m.md"
    file.write_bytes(b"a" * 15_000_000)
    stop = threading.Event()

    def scribble() -> None:
        with file.open("r+b", buffering=0) as target:
            while not stop.is_set():
                target.seek(0)
                target.write(b"b")

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        with pytest.raises(InputError, match="mudou durante a leitura"):
            read_many_times(file)
    finally:
        stop.set()
        writer.join()


def test_a_file_that_says_less_than_it_holds() -> None:
    with pytest.raises(InputError, match="mudou durante a leitura"):
        read_file(Path("/proc/self/status"))


def test_a_tree_is_read_in_the_order_of_bytes(tmp_path: Path) -> None:
    for path in ("b/a.yaml", "b.yaml", "a/z", "a/á.yaml", "C", ".hidden/x", "-rf", "node_modules/x"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    for skipped in (".git/config", "b/.git/HEAD"):
        (tmp_path / skipped).parent.mkdir()
        (tmp_path / skipped).write_text("x")
    (tmp_path / "a" / ".git").write_text("gitdir: ../..")
    files, found = read_tree(tmp_path)
    assert [each.path for each in files] == [
        "-rf", ".hidden/x", "C", "a/z", "a/á.yaml", "b.yaml", "b/a.yaml", "node_modules/x",
    ]  # fmt: skip
    assert found == ()
    assert all(each.content == each.path.encode() and each.sha256 == sha256_hex(each.content) for each in files)
    assert {each.origin.kind for each in files} == {"tree"}


def test_what_is_not_a_regular_file_is_named_and_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SEGREDO")
    root = tmp_path / "tree"
    (root / "d").mkdir(parents=True)
    (root / "ok").write_text("ok")
    (root / "link").symlink_to(secret)
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    (root / "folder").symlink_to("/etc")
    os.mkfifo(root / "d" / "fifo")
    os.link(secret, root / "hard")
    os.link(root / "ok", root / "d" / "ok2")
    files, found = read_tree(root)
    assert [each.path for each in files] == ["d/ok2", "ok"]
    assert [(each.code, each.path) for each in found] == [
        ("special", "d/fifo"), ("special", "dangling"), ("special", "folder"), ("special", "hard"), ("special", "link"),
        ("special", "loop"),
    ]  # fmt: skip
    assert not any(word in str(found) for word in ("SEGREDO", "secret", "nowhere", "/etc"))


def test_a_root_that_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for path, reason in (("file", "arquivo"), ("link", "link simbólico"), ("missing", "não existe")):
        with pytest.raises(InputError, match=reason):
            read_tree(tmp_path / path)


def test_names_that_could_be_read_as_others(tmp_path: Path) -> None:
    for name in (b"\xff.yaml", b"a\nb", b"esc\x1b[2J", "bidi\u202e.yaml".encode(), b"back\\slash"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xfe"))
    folder.mkdir()
    (folder / "inside").write_text("x")
    files, found = read_tree(tmp_path)
    assert files == ()
    assert [(each.code, each.path) for each in found] == [
        ("encoding", "\\xff.yaml"), ("unsafe-target", "a\\x0ab"), ("unsafe-target", "back\\slash"),
        ("unsafe-target", "bidi\\u202e.yaml"), ("unsafe-target", "esc\\x1b[2J"), ("encoding", "f\\xfe"),
    ]  # fmt: skip
    str(found).encode()


def test_case_and_unicode_twins(tmp_path: Path) -> None:
    composed, apart = unicodedata.normalize("NFC", "é.yaml"), unicodedata.normalize("NFD", "é.yaml")
    for path in ("A.yaml", "a.yaml", composed, apart, "Dir/x", "dir/y"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    assert problems(tmp_path) == [("collision", "a.yaml"), ("collision", "dir/y"), ("collision", composed)]
    assert len(paths(tmp_path)) == 6


def test_encodings(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("ação".encode("latin-1"))
    (tmp_path / "utf16.yaml").write_bytes("a: ç".encode("utf-16"))
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\xff")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    files, found = read_tree(tmp_path)
    assert len(files) == 4
    assert [(each.code, each.path, each.message) for each in found] == [
        ("encoding", "latin.txt", "não é UTF-8: byte 1 (0xe7)"),
        ("encoding", "utf16.yaml", "não é UTF-8: byte 0 (0xff)"),
    ]


def test_limits(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}").write_bytes(b"x" * 10 * number)
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert problems(tmp_path, file_bytes=40) == [("limit", "5")]
    for limits, reason in (
        (TreeLimits(files=5), "mais de 5 arquivos"),
        (TreeLimits(total_bytes=149), "mais de 149 bytes"),
        (TreeLimits(depth=2), "mais de 2 pastas"),
        (TreeLimits(files=1), "mais de 4 nomes"),
    ):
        with pytest.raises(InputError, match=reason):
            read_tree(tmp_path, limits=limits)


def test_another_file_system_inside_the_tree(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    script = (
        'mount -t tmpfs none "$1/mounted" && echo x > "$1/mounted/f" && exec "$2" -c "'
        "import sys; from pathlib import Path; from pipeline.adapters.files import read_tree; "
        'print(read_tree(Path(sys.argv[1])))" "$1"'
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this host does not let a test mount a file system")
    assert "outro sistema de arquivos" in done.stdout
    assert "SourceFile" not in done.stdout


def contents(root: Path) -> dict[str, bytes]:
    return {str(each.relative_to(root)): each.read_bytes() for each in root.rglob("*") if each.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_tree_is_written_whole_and_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out"
    before = os.umask(0o777)
    try:
        write_tree_atomic(target, {"a": b"1", "d/e/f": b"2"})
    finally:
        os.umask(before)
    assert {path for path in contents(target) if path != MARKER} == {"a", "d/e/f"}
    assert {each.stat().st_mode & 0o777 for each in target.rglob("*") if each.is_dir()} == {0o750}
    assert {each.stat().st_mode & 0o777 for each in target.rglob("*") if each.is_file()} == {0o640}
    write_tree_atomic(target, {f"many/{number}": b"x" for number in range(40)})
    assert names(target) == [MARKER, "many"]
    assert names(tmp_path / "new") == ["out"]
    shutil.rmtree(target)
    target.mkdir()
    (target / "README.md").write_text("versionado")
    write_tree_atomic(target, {"a": b"1"})
    assert (target / "a").exists()


def test_output_folders_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("do usuário")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("")
    audited = tmp_path / "audited"
    audited.mkdir()
    for path, reason in (
        (Path("/"), "raiz do sistema"),
        (tmp_path / "full", "não está vazia"),
        (tmp_path / "link", "link simbólico"),
        (tmp_path / "link" / "below", "link simbólico"),
        (tmp_path / "link" / ".." / "link", "link simbólico"),
        (tmp_path / "file", "não é pasta"),
        (audited / "out", "dentro da árvore auditada"),
        (audited, "dentro da árvore auditada"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            write_tree_atomic(path, {"a": b""}, outside=[audited])
        assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {"full/x": "do usuário".encode(), "file": b""}
    assert names(tmp_path / "real") == names(audited) == []


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a\0", MARKER])
def test_unsafe_paths_are_refused_before_anything_is_written(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError):
        write_tree_atomic(tmp_path / "out", {"ok": b"", path: b""})
    assert names(tmp_path) == []


def test_contradictory_paths_leave_the_old_tree(tmp_path: Path) -> None:
    write_tree_atomic(tmp_path / "out", {"a": b"1"})
    with pytest.raises(PipelineError):
        write_tree_atomic(tmp_path / "out", {"a": b"", "a/b": b""})
    assert contents(tmp_path / "out")["a"] == b"1"
    assert names(tmp_path) == ["out"]


def test_a_file_system_that_cannot_swap_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        """A C library without renameat2 and syncfs, as on macOS."""

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
    for text in (b"1", b"2"):
        write_tree_atomic(tmp_path / "out", {"a": text, **{f"many/{number}": text for number in range(20)}})
        assert contents(tmp_path / "out")["a"] == text
    assert names(tmp_path) == ["out"]


def test_leftovers_beside_the_target(tmp_path: Path) -> None:
    left = tmp_path / ".tmp-out"
    left.mkdir()
    (left / MARKER).write_text("")
    (left / "half").write_text("")
    write_tree_atomic(tmp_path / "out", {"a": b"1"})
    assert names(tmp_path) == ["out"]
    left.mkdir()
    (left / "alheio").write_text("")
    with pytest.raises(InputError, match="não é nosso"):
        write_tree_atomic(tmp_path / "out", {"a": b"2"})
    assert (left / "alheio").exists()
    assert contents(tmp_path / "out")["a"] == b"1"


def test_a_folder_of_another_user_is_refused() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        Path(base, "out").mkdir()
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            try:
                with open_output(Path(base, "out")):
                    os._exit(1)
            except InputError as error:
                os._exit(0 if "outro usuário" in str(error) else 2)
            except BaseException:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
