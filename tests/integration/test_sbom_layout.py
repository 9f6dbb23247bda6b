"""OCI layouts that nobody vouches for: taken in whole, or refused with what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocikit import CONFIG, DEBIAN, LAYER, MANIFEST, NODE, _put, blob_of, edit_index, pack, write_image, write_layout
from pipeline.adapters.layout import LayoutLimits, opened_image, read_facts
from pipeline.errors import InputError, IntegrityError, PipelineError

INDEX = "application/vnd.oci.image.index.v1+json"


def whole(folder: Path, **facts: Any) -> Path:
    """A layout of two layers."""
    return write_layout(folder, write_image(folder, [DEBIAN, NODE], **facts))


def names(folder: Path) -> set[str]:
    """Files of all layers of a private layout, found through its own documents."""
    index = json.loads((folder / "index.json").read_bytes())
    manifest = json.loads(blob_of(folder, index["manifests"][0]["digest"]).read_bytes())
    found: set[str] = set()
    for layer in manifest["layers"]:
        path = blob_of(folder, layer["digest"])
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        with tarfile.open(path, "r:") as tar:
            found |= {each.name for each in tar if each.isfile()}
    return found


def test_an_image_is_brought_in_whole(tmp_path: Path) -> None:
    layout = whole(tmp_path / "l", labels={"org.opencontainers.image.version": "1.2"}, annotations={"a": "b"})
    with opened_image(layout) as image:
        assert names(image.folder) == {*DEBIAN, *NODE}
        facts, folder = image.facts, image.folder
    assert not folder.exists()
    assert facts == read_facts(layout)
    assert facts.platform == "linux/amd64"
    assert facts.labels == {"maintainer": "Ana", "org.opencontainers.image.version": "1.2"}
    assert facts.created == "2026-01-02T03:04:05.678Z"


@pytest.mark.parametrize("kind", ["plain", "members", "twice"])
def test_layers_as_tools_store_them(tmp_path: Path, kind: str) -> None:
    folder, tar = tmp_path / "l", pack(NODE)
    if kind == "plain":
        made = write_image(folder, [tar], packed="")
    elif kind == "members":  # seekable layers: many gzip members, one after another
        made = write_image(
            folder, [tar], stored=[b"".join(gzip.compress(tar[i : i + 700]) for i in range(0, len(tar), 700))]
        )
    else:
        made = write_image(folder, [tar, tar])
    with opened_image(write_layout(folder, made)) as image:
        assert names(image.folder) == set(NODE)


def test_zstd_with_and_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the library of zstd is an extra")
    folder, tar = tmp_path / "l", pack(NODE)
    packed = zstandard.ZstdCompressor().compress(tar)
    write_layout(folder, write_image(folder, [tar], packed="+zstd", stored=[packed]))
    with opened_image(folder) as image:
        assert names(image.folder) == set(NODE)
    monkeypatch.setattr("pipeline.adapters.inflate.import_module", lambda _name: (_ for _ in ()).throw(ImportError))
    with opened_image(folder) as image:
        layer = blob_of(image.folder, "sha256:" + hashlib.sha256(packed).hexdigest())
        assert layer.read_bytes() == packed


def test_one_of_several_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    refs = [("org.opencontainers.image.ref.name", name) for name in ("um", "dois")]
    images = [write_image(folder, [{str(n): "x"}], annotations=dict([ref])) for n, ref in enumerate(refs)]
    write_layout(folder, *images)
    with pytest.raises(InputError, match="mais de uma imagem: dois, um"):
        read_facts(folder)
    assert read_facts(folder, tag="dois").digest == images[1]["digest"]
    assert read_facts(folder, tag="dois").tag == "dois"
    with pytest.raises(InputError, match="não tem imagem de nome três"):
        read_facts(folder, tag="três")


def test_an_index_of_platforms_stands_for_one_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    arm = write_image(folder, [{"a": "arm"}], platform={"os": "linux", "architecture": "arm64"})
    amd = write_image(folder, [{"a": "amd"}], platform={"os": "linux", "architecture": "amd64"})
    attested = write_image(folder, [{"a": "att"}], platform={"os": "unknown", "architecture": "unknown"})
    artifact = {**write_image(folder, [{"a": "art"}]), "artifactType": "application/x"}
    index = _put(folder, json.dumps({"schemaVersion": 2, "manifests": [arm, amd, attested, artifact]}).encode(), INDEX)
    assert read_facts(write_layout(folder, index)).digest == amd["digest"]
    only = _put(folder, json.dumps({"schemaVersion": 2, "manifests": [arm, attested]}).encode(), INDEX)
    assert read_facts(write_layout(folder, only)).digest == arm["digest"]


def _missing(folder: Path) -> None:
    _largest(folder).unlink()


def _largest(folder: Path) -> Path:
    return max((folder / "blobs/sha256").iterdir(), key=lambda each: each.stat().st_size)


def _flipped(folder: Path) -> None:
    path = _largest(folder)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _manifest_flipped(folder: Path) -> None:
    path = blob_of(folder, json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"])
    path.write_bytes(path.read_bytes().replace(b"linux", b"LINUX").replace(b"schemaVersion", b"schemaversion"))


def _linked(folder: Path) -> None:
    path = _largest(folder)
    target = folder.parent / "outside"
    target.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(target)


def _blobs_linked(folder: Path) -> None:
    (folder / "blobs").rename(folder.parent / "elsewhere")
    (folder / "blobs").symlink_to(folder.parent / "elsewhere")


def _pipe(folder: Path) -> None:
    path = _largest(folder)
    path.unlink()
    os.mkfifo(path)


def _index_linked(folder: Path) -> None:
    (folder / "index.json").rename(folder.parent / "index")
    (folder / "index.json").symlink_to(folder.parent / "index")


def _gigantic(folder: Path) -> None:
    with (folder / "index.json").open("wb") as out:
        out.truncate(2 * 1024**3)


def _text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


@pytest.mark.parametrize(
    ("breaks", "error", "said"),
    [
        (_missing, IntegrityError, "blob ausente"),
        (_flipped, IntegrityError, "não é o que o seu digest diz"),
        (_manifest_flipped, IntegrityError, "não é o que o seu digest diz"),
        (_linked, InputError, "link simbólico"),
        (_blobs_linked, InputError, "link simbólico|não é pasta"),
        (_pipe, InputError, "FIFO"),
        (_index_linked, InputError, "link simbólico"),
        (_gigantic, InputError, "acima do limite"),
        (_text("index.json", "{"), InputError, "índice ilegível"),
        (_text("index.json", "[" * 100_000), InputError, "índice ilegível"),
        (_text("index.json", '{"schemaVersion": 1, "manifests": []}'), InputError, "versão desconhecida"),
        (_text("index.json", '{"schemaVersion": 2, "manifests": []}'), InputError, "não tem imagem"),
        (_text("oci-layout", "x"), InputError, "oci-layout inválido"),
        (_text("oci-layout", '{"imageLayoutVersion": "9"}'), InputError, "versão desconhecida"),
        (lambda folder: (folder / "oci-layout").unlink(), InputError, "não existe"),
        (lambda folder: edit_index(folder, digest="sha256:../../../etc/passwd"), InputError, "sem SHA-256"),
        (lambda folder: edit_index(folder, digest="sha512:" + "a" * 128), InputError, "sem SHA-256"),
        (lambda folder: edit_index(folder, size=-1), InputError, "sem SHA-256 ou tamanho"),
        (lambda folder: edit_index(folder, size=7), IntegrityError, "não é o que o seu digest diz"),
        (lambda folder: edit_index(folder, digest="sha256:" + "a" * 64), IntegrityError, "blob ausente"),
    ],
)
def test_a_layout_that_is_not_whole_is_refused(
    tmp_path: Path, breaks: Callable[[Path], None], error: type[PipelineError], said: str
) -> None:
    layout = whole(tmp_path / "l")
    breaks(layout)
    with pytest.raises(error, match=said), opened_image(layout):
        pytest.fail("it was taken in")


def _image(folder: Path, *layers: bytes, **facts: Any) -> Path:
    return write_layout(folder, write_image(folder, list(layers), **facts))


@pytest.mark.parametrize(
    ("facts", "error", "said"),
    [
        ({"layers": [b"no tar at all" * 100]}, InputError, "não é um tar"),
        ({"layers": [b"short"]}, InputError, "não é um tar"),
        ({"layers": [b""]}, InputError, "não é um tar"),
        ({"layers": [pack(NODE)], "stored": [pack(NODE)]}, InputError, "não é gzip inteiro"),
        ({"layers": [pack(NODE)], "stored": [gzip.compress(pack(NODE))[:-9]]}, InputError, "não é gzip inteiro"),
        (
            {"layers": [pack(NODE)], "stored": [gzip.compress(pack(DEBIAN))]},
            IntegrityError,
            "que a configuração nomeia",
        ),
        ({"layers": [pack(NODE)], "packed": "+xz"}, InputError, "camada de tipo desconhecido"),
        ({"layers": [pack(NODE)], "config": {"rootfs": {"diff_ids": []}}}, InputError, "não combinam"),
        ({"layers": []}, InputError, "não combinam"),
        ({"layers": [pack(NODE)], "config": {"rootfs": {"diff_ids": ["md5:x"]}}}, InputError, "sem SHA-256"),
        ({"layers": [pack(NODE)], "config": {"rootfs": 3}}, InputError, "configuração ilegível"),
    ],
)
def test_an_image_that_does_not_fit_together_is_refused(
    tmp_path: Path, facts: dict[str, Any], error: type[PipelineError], said: str
) -> None:
    folder = tmp_path / "l"
    layout = write_layout(folder, write_image(folder, **facts))
    with pytest.raises(error, match=said), opened_image(layout):
        pytest.fail("it was taken in")


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    chart = {
        "schemaVersion": 2,
        "config": _put(folder, b"{}", "application/vnd.cncf.helm.config.v1+json"),
        "layers": [_put(folder, b"x", LAYER)],
    }
    with pytest.raises(InputError, match="não é uma imagem"):
        read_facts(write_layout(folder, _put(folder, json.dumps(chart).encode(), MANIFEST)))
    for wrong in (tmp_path / "gone", folder / "index.json"):
        with pytest.raises(InputError):
            read_facts(wrong)


def test_an_index_that_goes_in_circles_ends(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    inner = write_image(folder, [NODE])
    for _ in range(6):
        inner = _put(folder, json.dumps({"schemaVersion": 2, "manifests": [inner]}).encode(), INDEX)
    with pytest.raises(InputError, match="profundo demais"):
        read_facts(write_layout(folder, inner))
    many = [write_image(folder, [NODE])] * 300
    with pytest.raises(InputError, match="grande ou profundo"):
        read_facts(write_layout(folder, *many))


def test_a_bomb_ends_at_the_limit(tmp_path: Path) -> None:
    bomb = pack({"zeros": bytes(64 * 1024 * 1024)})
    layout = _image(tmp_path / "l", bomb)
    before = set(Path("/tmp").glob("appgear-oci-*"))  # noqa: S108
    with (
        pytest.raises(InputError, match="passam de 1048576 bytes"),
        opened_image(layout, limits=LayoutLimits(unpacked=2**20)),
    ):
        pytest.fail("it was taken in")
    with pytest.raises(InputError, match="passam de 10 bytes"), opened_image(layout, limits=LayoutLimits(packed=10)):
        pytest.fail("it was taken in")
    assert set(Path("/tmp").glob("appgear-oci-*")) <= before  # noqa: S108


def test_the_documents_are_those_of_this_kit(tmp_path: Path) -> None:
    """The kit itself makes what the specification asks for: the media types are not ours alone."""
    layout = whole(tmp_path / "l")
    manifest = json.loads(
        blob_of(layout, json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]).read_bytes()
    )
    assert manifest["config"]["mediaType"] == CONFIG
    assert [each["mediaType"] for each in manifest["layers"]] == [f"{LAYER}+gzip"] * 2
