"""What may not stand in an image, the image's documents, and how two images are told apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.image import BasePackage, ImageBase, ImageBuilder, ImageInput, ImageRecipe, ImageRecord
from pipeline.image.contents import KEY_MARK, forbidden_name, holds_private_key, needed_libc
from pipeline.image.difference import TarEntry, differing_documents, differing_entries, differing_records
from pipeline.image.oci import Image, Layer, Runtime, build_image, layout_files
from pipeline.records import dump_record, load_record

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" * 2


@pytest.mark.parametrize(
    "path",
    ["app/.npmrc", ".npmrc", "app/.yarnrc.yml", "app/.env", "app/.env.production", "app/.yarn", "app/.git", "a/.ssh",
     "app/id_ed25519", "app/x.p12", "app/.netrc", "app/.docker", "a/kubeconfig"],
)  # fmt: skip
def test_credentials_by_name(path: str) -> None:
    assert forbidden_name(path)


@pytest.mark.parametrize(
    "path", ["app/npmrc.js", "app/env", "app/environment.js", "app/x.pem", "a/git/index.js", "id_rsa.js"]
)
def test_other_names(path: str) -> None:
    assert not forbidden_name(path)


@pytest.mark.parametrize(
    "text",
    [
        f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,00\r\n\r\n{BODY}",
        f'const key = "-----BEGIN EC PRIVATE KEY-----\\n{BODY}\\n-----END"',
        f'["-----BEGIN OPENSSH PRIVATE KEY-----",\n "{BODY}"]',
    ],
)
def test_a_key_is_found_in_a_file_and_in_source_code(text: str) -> None:
    assert holds_private_key(text.encode())
    assert KEY_MARK in text.encode()


@pytest.mark.parametrize(
    "text",
    ["if (pem.startsWith('-----BEGIN PRIVATE KEY-----')) return", "-----BEGIN PUBLIC KEY-----\n" + BODY,
     "`-----BEGIN PRIVATE KEY-----\\n${body}\\n-----END PRIVATE KEY-----`", "/-----BEGIN (RSA )?PRIVATE KEY-----/"],
)  # fmt: skip
def test_code_that_reads_keys_is_no_key(text: str) -> None:
    assert not holds_private_key(text.encode())


def test_the_libc_that_a_program_asks_for() -> None:
    assert needed_libc(b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.4\0GLIBC_PRIVATE\0") == (2, 34)
    assert needed_libc(b"\x7fELF") == (0, 0)
    assert needed_libc(b"a script that names GLIBC_2.99\0") == (0, 0)


def layer(origin: str, digest: str) -> Layer:
    made = Layer(origin="base", digest=digest * 64, diff_id="f" * 64, size=10, media_type="t", path=Path("/x"))
    return replace(made, origin=origin)  # type: ignore[arg-type]  # one of the four


def image() -> Image:
    runtime = Runtime(
        user="1000:1000",
        folder="/app",
        entrypoint=("node",),
        arguments=("a",),
        environment={"B": "2", "A": "1"},
        ports=("7/tcp",),
    )
    return build_image(
        [layer("base", "a"), layer("application", "b")],
        runtime,
        platform="linux/amd64",
        epoch=1_000_000_000,
        annotations={"org.opencontainers.image.version": "1"},
        reference="1",
    )


def test_manifest_and_configuration_name_one_another() -> None:
    made = image()
    manifest, config = json.loads(made.manifest), json.loads(made.config)
    assert manifest["config"]["digest"] == made.config_digest == f"sha256:{hashlib.sha256(made.config).hexdigest()}"
    assert manifest["config"]["size"] == len(made.config)
    assert [each["digest"] for each in manifest["layers"]] == ["sha256:" + "a" * 64, "sha256:" + "b" * 64]
    assert config["rootfs"]["diff_ids"] == ["sha256:" + "f" * 64] * 2
    assert config["config"]["Env"] == ["A=1", "B=2"]
    assert config["created"] == "2001-09-09T01:46:40Z"
    assert len(config["history"]) == 2
    assert made.size == len(made.manifest) + len(made.config) + 20


def test_the_layout_has_every_blob_once() -> None:
    made = image()
    files = layout_files(made)
    assert sorted(path.partition("/")[0] for path in files) == ["blobs"] * 4 + ["index.json", "oci-layout"]
    index = json.loads(files["index.json"] if isinstance(files["index.json"], bytes) else b"")
    (named,) = index["manifests"]
    assert named["annotations"] == {"org.opencontainers.image.ref.name": "1"}
    assert named["platform"] == {"os": "linux", "architecture": "amd64"}
    assert files["blobs/sha256/" + named["digest"].removeprefix("sha256:")] == made.manifest


def record() -> ImageRecord:
    made = image()
    package = BasePackage(name="libc6", version="1", architecture="amd64", sha256="0" * 64)
    return ImageRecord(
        name="core-backstage",
        version="1",
        digest=made.digest,
        config_digest=made.config_digest,
        size=made.size,
        layers=tuple(each.as_record() for each in made.layers),
        base=ImageBase(reference="debian:trixie", digest="sha256:0", packages=(package,)),
        platform=made.platform,
        builder=ImageBuilder(name="embutido", version="1", compression="gzip"),
        inputs=(ImageInput(name="portal", version="", digest="sha256:1"),),
        notes=(),
        recipe=ImageRecipe(commit=None, source_date_epoch=0, command="c"),
    )


def test_the_document_has_the_keys_that_others_read() -> None:
    value = json.loads(dump_record(record()))
    assert value.keys() >= {
        "name",
        "digest",
        "config_digest",
        "size",
        "layers",
        "base",
        "platform",
        "builder",
        "inputs",
    }
    assert value["layers"][0].keys() >= {"digest", "diff_id", "size", "from"}
    assert value["layers"][1]["from"] == "application"
    assert value["base"].keys() >= {"reference", "digest"}
    assert load_record(dump_record(record()), ImageRecord, where="x") == record()


def test_why_two_images_differ() -> None:
    import msgspec

    old = record()
    package = BasePackage(name="libc6", version="2", architecture="amd64", sha256="0" * 64)
    new = msgspec.structs.replace(
        old,
        inputs=(
            ImageInput(name="portal", version="", digest="sha256:2"),
            ImageInput(name="novo", version="1", digest=""),
        ),
        builder=ImageBuilder(name="embutido", version="1", compression="gzip 2"),
        base=ImageBase(reference="debian:trixie", digest="sha256:0", packages=(package,)),
        recipe=ImageRecipe(commit="a", source_date_epoch=5, command="c"),
        platform="linux/arm64",
    )
    assert list(differing_records(old, old)) == []
    assert list(differing_records(old, new)) == [
        "entrada novo: ausente → 1",
        "entrada portal: sha256:1 → sha256:2",
        "plataforma: linux/amd64 → linux/arm64",
        "compressão: gzip → gzip 2",
        "commit: None → a",
        "SOURCE_DATE_EPOCH: 0 → 5",
        "pacote da base libc6: 1 → 2",
    ]


def test_documents_are_compared_key_by_key() -> None:
    old = b'{"a": {"b": [1, 2]}, "c": "x", "same": 1}'
    new = b'{"a": {"b": [1, 3]}, "d": "\\u001b", "same": 1}'
    assert list(differing_documents("x", old, new)) == ["x.a.b[1]: 2 → 3", 'x.c: "x" → null', 'x.d: null → "\\u001b"']
    assert list(differing_documents("x", b"[1]", b"[1, 2]")) == ["x: [1] → [1, 2]"]


def entry(path: str, **changed: object) -> TarEntry:
    made = TarEntry(path=path, kind="0", mode=0o644, owner=(0, 0), mtime=0, size=1, target="", sha256="a" * 64)
    return replace(made, **changed)  # type: ignore[arg-type]  # tests name real fields


def test_layers_are_compared_name_by_name() -> None:
    old = [entry("a"), entry("b"), entry("c")]
    new = [entry("b", mode=0o755, sha256="b" * 64), entry("c"), entry("d")]
    assert list(differing_entries("base", old, new)) == [
        "camada base: a: só na gravada",
        f"camada base: b: modo 644 → 755, conteúdo {'a' * 12} → {'b' * 12}",
        "camada base: d: só na reconstrução",
    ]
    assert list(differing_entries("base", old, old[::-1])) == [
        "camada base: os mesmos arquivos em outra ordem ou com outros cabeçalhos"
    ]
