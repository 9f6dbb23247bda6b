"""The page says what the run's files say: what changes, what is not there, who answers for what until when."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from packplace import NAMESPACE, Place
from pipeline.adapters.artifacts import open_artifacts
from pipeline.codec import dump_json
from pipeline.report.pack_change import compare_components, read_components, read_image, read_sbom, show_value
from pipeline.report.pack_iso import ISO_ROWS
from pipeline.report.pack_pictures import likelihood
from pipeline.store import Store
from trailcli import write_tree

WAIVERS = """[[waiver]]
rule = "{rule}"
module = "LOJA"
object = "Namespace/loja"
owner = "Ana <b>"
reason = "migração em curso"
residual_risk = "médio"
start = 2025-01-01
end = {end}
approval = "CCB-17"
"""


def application(name: str, revision: str, *finalizers: str) -> str:
    held = json.dumps(list(finalizers))
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd, "
        f"finalizers: {held}}}\nspec: {{source: {{targetRevision: {revision}}}}}\n"
    )


def image(digest: str) -> dict[str, Any]:
    return {
        "name": "core-backstage",
        "digest": f"sha256:{digest * 64}",
        "config_digest": f"sha256:{'c' * 64}",
        "size": 3 * 1024 * 1024,
        "layers": [{}, {}],
        "base": {"reference": "debian:12", "digest": f"sha256:{'b' * 64}"},
        "platform": {"os": "linux", "architecture": "amd64"},
        "builder": "appgear",
        "inputs": [],
    }


def sbom(*components: dict[str, Any]) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components)}


def npm(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"type": "library", "name": name, "version": version, "purl": f"pkg:npm/{name}@{version}", **more}


def publish(place: Place, *, apps: str, picture: dict[str, Any], bom: dict[str, Any]) -> None:
    """What the stages of image, SBOM and ApplicationSets leave."""
    with open_artifacts(place.artifacts.root) as folder:
        store, run = Store(folder), place.artifacts.run
        store.publish(run, "reports", {"applications.yaml": apps.encode()}, stage="applicationset")
        store.publish(run, "docker", {"core-backstage.image.json": dump_json(picture)}, stage="image")
        files = {"core-backstage.cdx.json": dump_json(bom), "core-backstage.spdx.json": b"{}\n"}
        store.publish(run, "sbom", files, stage="sbom")


def shown(place: Place) -> str:
    """The page's text, without markup and with its spaces made one."""
    page = place.artifacts.text("evidencias.html")
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A second pack of a module, with everything that can change changed."""
    place = Place(tmp_path_factory.mktemp("changed"))
    place.pack()
    finalizer = "resources-finalizer.argocd.argoproj.io"
    publish(
        place,
        apps="---\n".join([application("loja", "v1"), application("velha", "v1", finalizer)]),
        picture=image("1"),
        bom=sbom(npm("left", "1.0.0"), npm("gone", "2.0.0"), npm("same", "3.0.0")),
    )
    place.pack()
    write_tree(place.module, {"base/outro.yaml": NAMESPACE.replace("loja", "outra")})
    place.pack()
    publish(
        place,
        apps="---\n".join([application("loja", "v2"), application("nova", "v1")]),
        picture=image("2"),
        bom=sbom(
            npm("left", "1.1.0", licenses=[{"license": {"id": "MIT"}}]),
            npm("fresh", "0.1.0", hashes=[{"alg": "SHA-256", "content": "0"}]),
            npm("same", "3.0.0"),
        ),
    )
    place.pack()
    return place


def test_what_changes_is_told_name_by_name(changed: Place) -> None:
    text = shown(changed)
    assert "2 Applications: 1 a mais, 1 com mudança, 1 a menos." in text
    assert "removida argocd/velha , e com ela os seus recursos no cluster" in text
    assert "mudou argocd/loja spec.source.targetRevision : v1 → v2" in text
    assert "nova argocd/nova" in text
    assert f"core-backstage sha256:{'2' * 64} mudou , era sha256:{'1' * 64}" in text
    assert f"debian:12 sha256:{'b' * 64}" in text
    assert "3,0 MiB em 2 camadas, linux/amd64, por appgear" in text
    assert "3 componentes: 1 a mais, 1 com outra versão, 1 a menos." in text
    assert "gone sai 2.0.0" in text
    assert "left muda 1.0.0 1.1.0" in text
    assert "fresh entra 0.1.0" in text
    assert "core-backstage 3 100 % 33 % 33 % core-backstage.cdx.json core-backstage.spdx.json" in text


def test_the_base_image_is_a_material_of_the_provenance(changed: Place) -> None:
    import base64

    payload = json.loads(base64.b64decode(changed.artifacts.json("manifest.dsse.json")["payload"]))
    materials = payload["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {"name": "base image", "uri": "debian:12", "digest": {"sha256": "b" * 64}} in materials


def test_the_modules_packs_are_a_trend(changed: Place) -> None:
    page = changed.artifacts.text("evidencias.html")
    assert "Como este módulo chegou até aqui" in page
    assert page.count('<svg class="chart"') == 4  # two matrices, the trend, the line of time


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pack()
    text = shown(place)
    for said in (
        "Não fazem parte desta execução",
        "Esta execução não tem imagem",
        "Esta execução não tem SBOM da imagem: não se sabe",
        "Esta execução não tem SBOM: a etapa sbom não rodou",
        "Os testes desta versão da esteira não foram registrados",
        "não há: é o primeiro deste módulo nesta pasta",
    ):
        assert said in text
    assert "Como este módulo chegou até aqui" not in text


def test_every_exception_has_owner_risk_and_end(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pack()
    rule = place.artifacts.findings()[0]["rule"]
    (tmp_path / "w.toml").write_text(WAIVERS.format(rule=rule, end="2999-12-31"), encoding="utf-8")
    (tmp_path / "c.toml").write_text('[waivers]\nfile = "w.toml"\n', encoding="utf-8")
    place.pack("--config", tmp_path / "c.toml")
    place.say("recommend", "--exception", "LOJA-NC-900;Bruno;baixo;2099-01-02")
    place.pack("--config", tmp_path / "c.toml", "--trust", place.trust)
    text = shown(place)
    assert "Motivo: migração em curso Ana <b> médio 31/12/2999 arquivo de exceções (CCB-17)" in text
    assert "LOJA-NC-900 Aceita na decisão recommend Bruno baixo 02/01/2099 Ana Souza" in text
    assert "Exceção LOJA-NC-900" in text  # the line of time
    (tmp_path / "w.toml").write_text(WAIVERS.format(rule=rule, end="2025-06-30"), encoding="utf-8")
    place.pack("--config", tmp_path / "c.toml")
    assert "Exceções escritas que não contam" in shown(place)


def test_norms_that_disagree_are_told_as_they_were_read(changed: Place) -> None:
    text = shown(changed)
    assert "12. Como as normas foram lidas" in text
    assert "EDGE-TLS" in text
    assert "Contradição 4" in text


def test_the_order_is_the_boards(changed: Place) -> None:
    page = changed.artifacts.text("evidencias.html")
    heads = re.findall(r"<h2 id=\"[a-z]+\">(\d+)\. ([^<]+)</h2>", page)
    assert [int(number) for number, _ in heads] == list(range(1, 14))
    anchors = set(re.findall(r'<h2 id="([a-z]+)"', page))
    assert set(re.findall(r'<a href="#([a-z]+)"', page)) == anchors


def test_controls_are_of_2022_with_those_of_2013_beside_them() -> None:
    assert {"5.3", "5.21", "5.28", "5.33", "5.36", "8.4", "8.8", "8.9", "8.15", "8.24", "8.25", "8.28", "8.29"} <= {
        row[0] for row in ISO_ROWS
    }
    assert all(re.fullmatch(r"A\.\d+\.\d+\.\d+.*|novo em 2022", row[1]) for row in ISO_ROWS)
    assert all(len(row) == 5 and all(row) for row in ISO_ROWS)


# --- documents of other stages, as they are found


def test_a_component_of_two_versions_is_no_update() -> None:
    now = read_components(sbom(npm("a", "1"), npm("a", "2"), npm("b", "1")))
    before = read_components(sbom(npm("a", "1"), npm("b", "1")))
    change = compare_components(now, before)
    assert [each.version for each in change.added] == ["2"]
    assert (change.removed, change.updated, change.total) == ((), (), 3)
    assert compare_components(now, None).known is False


def test_components_without_a_purl_are_told_apart_by_kind_and_name() -> None:
    found = read_components(sbom({"type": "file", "name": "x"}, {"name": "y", "group": "g"}, "nonsense"))  # type: ignore[arg-type]
    assert [(each.key, each.name) for each in found] == [("file x", "x"), (" y", "g/y")]
    assert read_components({"components": "none"}) == ()
    assert read_sbom("s", ["a"], sbom({"name": "x"})).named == 0
    locked = {"name": "x", "externalReferences": ["nonsense", {"hashes": [{"alg": "SHA-256", "content": "0"}]}]}
    assert read_sbom("s", ["a"], sbom(locked, {"name": "y"})).hashed == 1


@pytest.mark.parametrize("document", [{}, {"digest": 3}, {"digest": ""}])
def test_an_image_without_a_digest_is_none(document: dict[str, Any]) -> None:
    assert read_image(document, {}) is None


def test_an_image_says_what_it_can() -> None:
    found = read_image({"digest": "sha256:1", "platform": "linux/arm64", "size": "big", "layers": 3, "base": []}, {})
    assert found is not None
    assert (found.platform, found.size, found.layers, found.base) == ("linux/arm64", "", 0, "")


def test_values_are_one_short_line() -> None:
    assert show_value(None) == "ausente"
    assert show_value({"b": 1, "a": [True]}) == '{"a": [true], "b": 1}'
    assert len(show_value("x" * 500)) == 80


def test_likelihood_has_four_columns() -> None:
    assert [likelihood(count) for count in (1, 2, 3, 4, 9, 10, 500)] == [0, 1, 1, 2, 2, 3, 3]
