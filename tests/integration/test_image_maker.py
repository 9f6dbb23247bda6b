"""The whole image from a small bundle and a small base: documents, refusals, its twin, its way to a registry."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagekit import MirrorFiles, base_debs, layer_entries, layout_documents, portal_bundle, signing_key
from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.cache import BlobCache
from pipeline.adapters.download import Downloads
from pipeline.adapters.image_base import DebianBase, MadeBase, RegistryBase
from pipeline.adapters.image_cache import LayerCache
from pipeline.adapters.image_compare import compare_images
from pipeline.adapters.image_engine import build_with_engine
from pipeline.adapters.image_maker import BuiltImage, ImageMaker, Provenance
from pipeline.adapters.image_mirror import Mirrors
from pipeline.adapters.image_press import find_press
from pipeline.adapters.image_push import Attachment, push_image
from pipeline.adapters.openpgp import Keyring
from pipeline.adapters.registry import open_registry, parse_reference
from pipeline.adapters.runner import SealedRunner
from pipeline.commands.image_stage import publish_image
from pipeline.errors import InputError, IntegrityError, ToolError, UsageError
from pipeline.image.containerfile import render_containerfile
from pipeline.image.oci import Image, Runtime
from pipeline.image.portal import PortalBundle
from pipeline.image.settings import ImageSettings
from pipeline.ports import Tool
from pipeline.store import Store
from registrykit import serving_registry

EPOCH = 1_795_000_000
RUNTIME = Runtime(
    user="1000:1000",
    folder="/app",
    entrypoint=("node",),
    arguments=("packages/backend",),
    environment={"A": "1"},
    ports=("7007/tcp",),
)
Engine = Callable[[Image, Runtime, Mapping[str, str]], tuple[Image, Tool]]


@dataclass
class Bench:
    """A maker with everything that it needs, in a folder of its own."""

    folder: Path
    epoch: int = EPOCH
    compression: str = "gzip"
    threads: int = 2
    libc: str = "2.41-1"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cache = BlobCache(self.folder / "cache")
        self.layers = LayerCache(self.cache, find_press(self.compression), threads=self.threads)
        self.bundle: PortalBundle = portal_bundle(self.folder / "portal")
        self.provenance = Provenance(commit="c" * 40, dirty=False, epoch=self.epoch, source="https://exemplo.org/r")
        mirrors = Mirrors(
            urls=(MirrorFiles(packages=base_debs(libc=self.libc)).write(self.folder / "mirror"),),
            keyring=Keyring([signing_key().extract_certificate()]),
            downloads=Downloads(),
            cache=self.cache,
            now=datetime(2026, 11, 23, tzinfo=UTC),
            told=lambda _line: None,
        )
        self.base = DebianBase(
            suite="trixie",
            epoch=self.epoch,
            architecture="amd64",
            lock_file=self.folder / "base.lock",
            mirrors=mirrors,
            cache=self.cache,
            layers=self.layers,
            told=lambda _line: None,
        )

    def make(self, base: MadeBase | None = None, engine: Engine | None = None) -> BuiltImage:
        maker = ImageMaker(
            settings=ImageSettings(modules=("M07",), compression=self.compression),
            folder=self.folder / "portal/source",
            platform="linux/amd64",
            layers=self.layers,
            provenance=self.provenance,
            told=lambda _line: None,
            engine=engine,
        )
        return maker.make(self.bundle, base or self.base.make())

    def write(self, path: str, content: bytes) -> None:
        place = self.folder / "portal" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def publish(self, built: BuiltImage) -> Path:
        """The layout in an artifacts folder."""
        with open_artifacts(self.folder / "artifacts") as folder:
            store = Store(folder)
            run = store.begin({"module": "m07", "image": built.image.digest})
            publish_image(store, run, built)
        return self.folder / "artifacts/docker" / run / "core-backstage"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "um")


def test_layers_stand_in_the_order_of_their_change(bench: Bench) -> None:
    built = bench.make()
    assert [each.origin for each in built.record.layers] == ["base", "node", "modules", "application"]
    names = [{member.name for member in layer_entries(each.path)} for each in built.image.layers]
    assert "usr/local/bin/node" in names[1]
    assert {"app/node_modules/express/index.js", "app/node_modules/express/link.js"} <= names[2]
    assert {"app/app-config.yaml", "app/packages/backend/dist/index.cjs.js"} <= names[3]
    for first, second in ((2, 3), (1, 2)):
        shared = names[first] & names[second]
        assert {each for each in shared if each != "app"} == set()


def test_only_the_application_bears_the_time_of_the_commit(bench: Bench) -> None:
    first = bench.make()
    times = [{member.mtime for member in layer_entries(each.path)} for each in first.image.layers]
    assert times == [{EPOCH}, {315_532_800}, {315_532_800}, {EPOCH}]  # the archive is younger than this commit
    bench.write("application/packages/app/dist/static/main.js", b"console.log('outra')\n")
    bench.provenance = replace(bench.provenance, epoch=EPOCH + 5000, commit="d" * 40)
    bench.base = replace(bench.base, epoch=EPOCH + 5000)
    second = bench.make()
    same = [was.digest == now.digest for was, now in zip(first.record.layers, second.record.layers, strict=True)]
    assert same == [False, True, True, False]


def test_a_source_date_bounds_every_time(tmp_path: Path) -> None:
    built = Bench(tmp_path, epoch=0).make()
    for each in built.image.layers:
        assert {member.mtime for member in layer_entries(each.path)} == {0}
    assert json.loads(built.image.config)["created"] == "1970-01-01T00:00:00Z"


def test_two_clones_with_two_caches_give_one_image(tmp_path: Path) -> None:
    first, second = Bench(tmp_path / "um", threads=1), Bench(tmp_path / "outra-pasta/dois", threads=5)
    for path in (tmp_path / "outra-pasta").rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1, 1))
    one, two = first.make(), second.make()
    assert one.record == two.record
    layouts = [first.publish(one), second.publish(two)]
    files = [
        {path.relative_to(each): path.read_bytes() for path in each.rglob("*") if path.is_file()} for each in layouts
    ]
    assert files[0] == files[1]


def test_the_record_says_what_the_image_is(bench: Bench) -> None:
    record = bench.make().record
    assert (record.name, record.version, record.platform) == ("core-backstage", "1.2.3", "linux/amd64")
    assert [each.name for each in record.inputs] == ["appgear.toml [image]", "base.lock", "portal"]
    assert record.recipe.commit == "c" * 40
    assert record.recipe.source_date_epoch == EPOCH
    assert record.builder.compression.startswith("gzip isal")
    assert record.base.digest == record.layers[0].digest
    assert record.notes == ("não há base.lock: foram usados os pacotes mais novos",)


def test_manifest_and_configuration(bench: Bench) -> None:
    layout = bench.publish(bench.make())
    manifest, config = layout_documents(layout)
    annotations = manifest["annotations"]
    prefix = "org.opencontainers.image."
    assert {key.removeprefix(prefix): value for key, value in annotations.items()} == {
        "base.digest": manifest["layers"][0]["digest"],
        "base.name": "debian:trixie",
        "created": "2026-11-18T11:06:40Z",
        "licenses": "Apache-2.0",
        "revision": "c" * 40,
        "source": "https://exemplo.org/r",
        "title": "core-backstage",
        "version": "1.2.3",
    }
    assert config["config"]["User"] == "1000:1000"
    assert config["config"]["Entrypoint"] == ["node"]
    assert config["config"]["Labels"] == annotations


def test_a_changed_tree_is_named(bench: Bench) -> None:
    bench.provenance = replace(bench.provenance, dirty=True)
    assert json.loads(bench.make().image.manifest)["annotations"]["org.opencontainers.image.revision"].endswith(
        "-dirty"
    )


def test_publishing_links_what_the_cache_has(bench: Bench) -> None:
    built = bench.make()
    layout = bench.publish(built)
    for each in built.image.layers:
        blob = layout / "blobs/sha256" / each.digest
        assert blob.stat().st_ino == each.path.stat().st_ino
    sums = layout.parent / "SHA256SUMS"
    done = subprocess.run(["sha256sum", "--strict", "-c", sums.name], cwd=sums.parent, capture_output=True, check=False)
    assert done.returncode == 0
    assert sorted(path.name for path in layout.parent.iterdir()) == [
        "SHA256SUMS",
        "core-backstage",
        "core-backstage.image.json",
    ]


def test_a_blob_that_rots_between_cache_and_artifacts_is_refused(bench: Bench) -> None:
    built = bench.make()
    built.image.layers[0].path.write_bytes(b"x")
    with pytest.raises(InputError, match="mudou durante a cópia"):
        bench.publish(built)
    assert not list((bench.folder / "artifacts/docker").glob("m07-*"))


# --- what may not go into an image

CASES: list[tuple[str, bytes, str]] = [
    ("application/.npmrc", b"x", r"app/\.npmrc"),
    ("modules/express/.npmrc", b"x", r"app/node_modules/express/\.npmrc"),
    ("application/packages/backend/.env", b"A=1", r"\.env"),
    ("application/app-config.yaml", b"auth:\n  clientSecret: 4f9a-Real-Looking-77\n", r"app-config\.yaml:2"),
    ("application/packages/app/dist/a.js", b"t='ghp_" + b"a1B2" * 9 + b"'", r"a\.js:1"),
    ("application/chave.txt", b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0B" * 8, r"chave\.txt"),
    ("modules/x/key.pem", b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0B" * 8, r"key\.pem"),
    ("modules/native/new.node", b"\x7fELF GLIBC_2.99\0", r"new\.node: pede a glibc 2\.99, e a base tem a 2\.41"),
    ("modules/express/.wh.x", b"", "reservado"),
]


@pytest.mark.parametrize(("path", "content", "match"), CASES)
def test_what_gives_something_away_or_cannot_run_is_refused(
    bench: Bench, path: str, content: bytes, match: str
) -> None:
    bench.write(path, content)
    with pytest.raises(InputError, match=match):
        bench.make()
    assert not any((bench.cache.root / "drafts").iterdir())


def test_references_to_the_environment_are_no_secrets(bench: Bench) -> None:
    bench.write("application/app-config.production.yaml", b"auth:\n  clientSecret: ${BACKSTAGE_OIDC_CLIENT_SECRET}\n")
    bench.make()


@pytest.mark.parametrize(
    ("remove", "match"),
    [("modules", "módulos de produção"), ("application/packages/backend", "packages/backend"), ("node/bin", "node")],
)
def test_an_incomplete_bundle_is_refused(bench: Bench, remove: str, match: str) -> None:
    shutil.rmtree(bench.folder / "portal" / remove)
    (bench.folder / "portal" / remove).mkdir()
    with pytest.raises(InputError, match=match):
        bench.make()


@pytest.mark.parametrize("content", [b"{", b"[]"])
def test_a_manifest_that_is_none(bench: Bench, content: bytes) -> None:
    bench.write("source/package.json", content)
    if content == b"[]":
        assert bench.make().record.version == "0.0.0"
    else:
        with pytest.raises(InputError, match=r"package\.json"):
            bench.make()


# --- the twin


def test_the_same_inputs_are_reproduced(bench: Bench, tmp_path: Path) -> None:
    built = bench.make()
    assert compare_images(built.record, bench.publish(built), Bench(tmp_path / "dois").make()) == []


def test_each_difference_is_named_with_its_reason(bench: Bench, tmp_path: Path) -> None:
    built = bench.make()
    other = Bench(tmp_path / "dois", epoch=EPOCH + 1, libc="2.41-2")
    other.write("modules/express/index.js", b"module.exports = 2\n")
    found = compare_images(built.record, bench.publish(built), other.make())
    text = "\n".join(found)
    assert "pacote da base libc6: 2.41-1 → 2.41-2" in text
    assert f"SOURCE_DATE_EPOCH: {EPOCH} → {EPOCH + 1}" in text
    assert "camada modules: app/node_modules/express/index.js: conteúdo" in text
    assert f"camada application: app: hora {EPOCH} → {EPOCH + 1}" in text
    assert not [line for line in found if line.startswith("camada node")]


def test_another_compression_is_told_from_another_content(bench: Bench, tmp_path: Path) -> None:
    built = bench.make()
    found = compare_images(built.record, bench.publish(built), Bench(tmp_path / "dois", compression="zstd").make())
    assert "camada modules: o mesmo conteúdo com outra compressão" in found


def test_a_layout_that_was_tampered_with_is_no_reference(bench: Bench) -> None:
    built = bench.make()
    layout = bench.publish(built)
    blob = layout / "blobs/sha256" / built.image.layers[3].digest
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data[:-1])
    with pytest.raises(IntegrityError, match="não confere"):
        compare_images(built.record, layout, built)


# --- engines


def with_engine(bench: Bench, name: str, built: BuiltImage) -> tuple[BuiltImage, Image]:
    """The image by an engine, and its layers from there."""

    def engine(image: Image, runtime: Runtime, annotations: Mapping[str, str]) -> tuple[Image, Tool]:
        return build_with_engine(
            name, image, runtime, annotations, epoch=EPOCH, runner=SealedRunner(), cache=bench.cache
        )

    made = bench.make(engine=engine)
    assert made.record.recipe == built.record.recipe
    return made, made.image


@pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="buildah without root wants subordinate ids")
def test_buildah_makes_the_same_files_twice_the_same(bench: Bench) -> None:
    built = bench.make()
    first, image = with_engine(bench, "buildah", built)
    second, _ = with_engine(bench, "buildah", built)
    assert first.record == second.record
    assert first.record.builder.name == "buildah"
    assert first.record.digest == image.digest != built.record.digest
    layout = bench.publish(first)
    manifest, config = layout_documents(layout)
    assert config["config"]["Entrypoint"] == ["node"]
    assert config["config"]["User"] == "1000:1000"
    assert manifest["annotations"]["org.opencontainers.image.version"] == "1.2.3"
    for ours, theirs in zip(built.image.layers, image.layers, strict=True):
        names = [{member.name.rstrip("/") for member in layer_entries(each.path)} for each in (ours, theirs)]
        assert names[0] == names[1]


@pytest.mark.parametrize("name", ["buildah", "podman", "docker"])
def test_an_engine_that_is_missing_or_fails_is_one_error(bench: Bench, name: str, tmp_path: Path) -> None:
    built = bench.make()
    program = tmp_path / "bin" / name
    for script, said in (
        (None, "não encontrada"),
        ("#!/bin/sh\n[ $1 = --version ] && exit\nexit 7\n", "terminou com 7"),
    ):
        if script is not None:
            program.parent.mkdir()
            program.write_text(script, encoding="ascii")
            program.chmod(0o755)
        with pytest.raises(ToolError, match=said):
            build_with_engine(
                name,
                built.image,
                RUNTIME,
                {},
                epoch=EPOCH,
                runner=SealedRunner(search_path=str(program.parent)),
                cache=bench.cache,
            )


def test_an_engine_that_writes_nothing_is_one_error(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "podman"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    runner = SealedRunner(search_path=str(program.parent))
    with pytest.raises(InputError, match="não existe"):
        build_with_engine("podman", bench.make().image, RUNTIME, {}, epoch=EPOCH, runner=runner, cache=bench.cache)


def test_engines_take_gzip(tmp_path: Path) -> None:
    bench = Bench(tmp_path, compression="zstd")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/podman").write_text("#!/bin/sh\n", encoding="ascii")
    (tmp_path / "bin/podman").chmod(0o755)
    runner = SealedRunner(search_path=str(tmp_path / "bin"))
    with pytest.raises(UsageError, match="gzip"):
        build_with_engine("podman", bench.make().image, RUNTIME, {}, epoch=EPOCH, runner=runner, cache=bench.cache)


def test_the_containerfile_runs_and_fetches_nothing() -> None:
    text = render_containerfile(["0-base.tar.gz"], RUNTIME, {"a.b": 'x "y"'}).decode()
    assert text.splitlines() == [
        "FROM scratch", "ADD 0-base.tar.gz /", 'ENV A="1"', "USER 1000:1000", "WORKDIR /app", "EXPOSE 7007/tcp",
        "STOPSIGNAL SIGTERM", 'LABEL a.b="x \\"y\\""', 'ENTRYPOINT ["node"]', 'CMD ["packages/backend"]',
    ]  # fmt: skip


# --- registries


def send(host: str, built: BuiltImage, *attachments: Attachment, tag: str = ":1.2.3", **given: str) -> str:
    reference = parse_reference(f"{host}/appgear/core-backstage{tag}")
    return push_image(reference, built.image, attachments, environment=given, offline=False, told=lambda _line: None)


SBOM = Attachment(
    name="core-backstage.cdx.json", media_type="application/vnd.cyclonedx+json", data=b'{"bomFormat": "CycloneDX"}\n'
)


def test_an_image_goes_to_a_registry_and_comes_back_as_a_base(bench: Bench, tmp_path: Path) -> None:
    built = bench.make()
    with serving_registry(tmp_path / "registry") as running:
        pushed = send(running.host, built, SBOM)
        assert pushed == f"{running.host}/appgear/core-backstage@{built.image.digest}"
        assert send(running.host, built, SBOM, tag="") == pushed
        with open_registry(parse_reference(pushed), {}) as registry:
            (referrer,) = registry.referrers(built.image.digest)
            assert referrer.artifact_type == SBOM.media_type
            found = registry.pull_manifest(referrer.digest)
            assert found is not None
            assert json.loads(found.data)["subject"]["digest"] == built.image.digest
        cache = BlobCache(tmp_path / "other")
        base = RegistryBase(
            reference=pushed,
            platform="linux/amd64",
            cache=cache,
            environment={},
            offline=False,
            told=lambda _line: None,
        )
        made = base.make()
    assert made == replace(base, offline=True).make()
    assert [each.digest for each in made.layers] == [each.digest for each in built.image.layers]
    assert made.environment["NODE_ENV"] == "production"
    assert (made.digest, made.libc) == (built.image.digest, None)
    other = Bench(tmp_path / "dois")
    on_top = other.make(made)
    assert [each.origin for each in on_top.record.layers] == ["base"] * 4 + ["node", "modules", "application"]
    assert on_top.record.base.reference == f"oci:{pushed.partition('@')[0]}"
    assert (
        json.loads(on_top.image.manifest)["annotations"]["org.opencontainers.image.base.digest"] == built.image.digest
    )


def test_a_registry_that_is_not_there_is_one_error(bench: Bench) -> None:
    with pytest.raises(ToolError, match="não aceita conexão"):
        send("127.0.0.1:1", bench.make())


def put(cache: BlobCache, value: object) -> str:
    return f"sha256:{cache.put(json.dumps(value).encode())}"


def described(
    digest: str, cache: BlobCache, kind: str = "application/vnd.oci.image.layer.v1.tar+gzip"
) -> dict[str, object]:
    size = (cache.root / "blobs" / digest.removeprefix("sha256:")).stat().st_size
    return {"mediaType": kind, "digest": digest, "size": size}


Change = Callable[[dict[str, object], BlobCache], object]
BROKEN: list[tuple[Change, str]] = [
    (lambda manifest, _: manifest.pop("config"), "não é de uma imagem"),
    (lambda manifest, _: manifest.update(layers=[]), "não é de uma imagem"),
    (lambda manifest, _: manifest.update(layers=[{"digest": "x"}]), "não é de uma imagem"),
    (
        lambda manifest, cache: manifest.update(layers=[described(put(cache, 1), cache, "application/x")]),
        "tipo que não",
    ),
    (lambda manifest, cache: manifest.update(config=described(put(cache, [1]), cache)), "não é um documento"),
    (
        lambda manifest, _: manifest.update(manifests=[{"platform": {"os": "linux", "architecture": "s390x"}}]),
        "linux/amd64",
    ),
]


@pytest.mark.parametrize(("change", "match"), BROKEN)
def test_a_base_that_is_no_image_is_refused(tmp_path: Path, change: Change, match: str) -> None:
    cache = BlobCache(tmp_path / "cache")
    layer = described(put(cache, "camada"), cache)
    config = described(put(cache, {"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}, "config": {"Env": ["A=1"]}}), cache)
    manifest: dict[str, object] = {"config": config, "layers": [layer]}
    change(manifest, cache)
    reference = f"127.0.0.1:1/a@{put(cache, manifest)}"
    base = RegistryBase(
        reference=reference, platform="linux/amd64", cache=cache, environment={}, offline=True, told=lambda _line: None
    )
    with pytest.raises(InputError, match=match):
        base.make()


def test_an_index_leads_to_the_image_of_the_platform(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "cache")
    docker = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    config = described(put(cache, {"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}}), cache)
    manifest = {"config": config, "layers": [described(put(cache, "camada"), cache, docker)]}
    index = {"manifests": [{"digest": put(cache, manifest), "platform": {"os": "linux", "architecture": "arm64"}}]}
    base = RegistryBase(
        reference=f"127.0.0.1:1/a@{put(cache, index)}",
        platform="linux/arm64",
        cache=cache,
        environment={},
        offline=True,
        told=lambda _line: None,
    )
    (layer,) = base.make().layers
    assert layer.media_type == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert hashlib.sha256(layer.path.read_bytes()).hexdigest() == layer.digest


# --- other readers


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_skopeo_reads_the_layout(tmp_path: Path, compression: str) -> None:
    bench = Bench(tmp_path, compression=compression)
    built = bench.make()
    done = subprocess.run(
        ["skopeo", "inspect", f"oci:{bench.publish(built)}"],
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path)},
    )
    said = json.loads(done.stdout)
    assert said["Digest"] == built.image.digest
    assert said["Layers"] == [each.digest for each in built.record.layers]


@pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="umoci wants root to give files to root")
def test_umoci_unpacks_the_layout(bench: Bench, tmp_path: Path) -> None:
    layout = bench.publish(bench.make())
    subprocess.run(
        ["umoci", "unpack", "--image", f"{layout}:1.2.3", tmp_path / "aberta"], capture_output=True, check=True
    )
    root = tmp_path / "aberta/rootfs"
    assert (root / "app/app-config.yaml").is_file()
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (root / "lib").readlink() == Path("usr/lib")
