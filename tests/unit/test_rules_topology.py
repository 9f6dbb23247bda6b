"""TOPOA: Compose files and what the document says of them."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details, judged


def compose(text: str) -> Example:
    return Example(files={"docker-compose.yml": text})


class TestNetwork:
    @pytest.mark.parametrize(
        "text",
        [
            "services: {core-a: {image: a}, core-b: {image: b}}\n",
            "services: {core-a: {image: a, networks: [x]}}\nnetworks: {x: {}}\n",
            "services: {core-a: {image: a, networks: {x: {}}}}\nnetworks: {x: {}, appgear-net-core: {}}\n",
            "services: {core-a: {image: a, networks: null}}\nnetworks: null\n",
        ],
    )
    def test_each_service_joins(self, text: str) -> None:
        assert_cured("TOPOA-NET", compose(text))

    @pytest.mark.parametrize(
        "text",
        [
            "services: {core-a: {image: a, networks: [appgear-net-core]}}\nnetworks: {appgear-net-core: {}}\n",
            "services: {core-a: {image: a, networks: [um]}}\nnetworks: {um: {name: appgear-net-core}}\n",
            "services: {core-a: {image: a}}\nnetworks: {default: {external: true, name: appgear-net-core}}\n",
            "services: {core-a: {image: a, network_mode: host}}\nnetworks: {appgear-net-core: {}}\n",
        ],
    )
    def test_declared_and_used(self, text: str) -> None:
        assert_quiet("TOPOA-NET", compose(text))

    @pytest.mark.parametrize("text", ["services: {core-a: {labels: [x]}, core-b: {image: b}}\n", "a: 1\n"])
    def test_fragments_are_no_whole_file(self, text: str) -> None:
        assert judged("TOPOA-NET", compose(text)).examined == {"TOPOA-NET": 0}


class TestFolders:
    @pytest.mark.parametrize(
        ("entry", "wanted"),
        [
            ("'/srv/pg:/var/lib/postgresql/data:rw'", "/opt/appgear/data/pg:/var/lib/postgresql/data:rw"),
            ("'/opt/appgear/pg:/var/lib/postgresql/data'", "/opt/appgear/data/pg:"),
            ("'/etc/app.conf:/etc/app.conf:ro'", "/opt/appgear/app.conf:/etc/app.conf:ro"),
            ("{type: bind, source: /srv/a, target: /x}", "source: /opt/appgear/a"),
        ],
    )
    def test_a_foreign_folder_moves(self, entry: str, wanted: str) -> None:
        fixed = assert_cured("TOPOA-DIR", compose(f"services: {{core-a: {{image: a, volumes: [{entry}]}}}}\n"))
        assert wanted in fixed.files["docker-compose.yml"]

    @pytest.mark.parametrize(
        "entry",
        [
            "'/opt/appgear/data/pg:/var/lib/postgresql/data'",
            "'/opt/appgear/config/a:/etc/a'",
            "'pgdata:/var/lib/postgresql/data'",
            "'./a:/a'",
            "'/var/run/docker.sock:/var/run/docker.sock'",
            "{type: volume, source: a, target: /a}",
            "/anonimo",
            "7",
        ],
    )
    def test_the_platform_s_own_named_and_host_tables(self, entry: str) -> None:
        assert_quiet("TOPOA-DIR", compose(f"services: {{core-a: {{image: a, volumes: [{entry}]}}}}\n"))


def test_names_have_a_prefix() -> None:
    text = "services: {n8n: {image: a}, core-a: {image: a}, addon-b: {image: b}}\n"
    assert details("TOPOA-NAMES", compose(text)) == ["o serviço `n8n` não começa por `core-` nem por `addon-`"]


@pytest.mark.parametrize(("other", "count"), [("b/docker-compose.yml", 1), ("docker-compose.override.yml", 0)])
def test_a_service_is_defined_once(other: str, count: int) -> None:
    text = "services: {core-a: {image: a}}\n"
    assert len(details("TOPOA-SHADOW", Example(files={"docker-compose.yml": text, other: text}))) == count


def test_the_version_key_goes() -> None:
    assert_cured("TOPOA-COMPOSE", compose("version: '3.8'\nservices: {core-a: {image: a}}\n"))


class TestProductionClaims:
    @pytest.mark.parametrize(
        "line",
        [
            "A Topologia A pode ser usada em produção por clientes pequenos.",
            "Este docker-compose está pronto e atende produção.",
        ],
    )
    def test_an_offer(self, line: str) -> None:
        assert len(details("TOPOA-PROD", Example(document=f"# M\n\n{line}\n"))) == 1

    @pytest.mark.parametrize(
        "line",
        [
            "A Topologia A nunca pode ser usada em produção.",
            "Apenas dev. Produção deve usar Topologia B, e não a Topologia A.",
            "Topologia A é só para PoC; produção usa a Topologia B.",
            "**Uso de Topologia A como se fosse produção**",
            "## 6. Erros comuns\n\nA Topologia A é usada em produção.",
            "A Topologia A serve para demonstrações. A produção é outra coisa.",
        ],
    )
    def test_what_forbids_or_tells_an_error(self, line: str) -> None:
        assert_quiet("TOPOA-PROD", Example(document=f"# M\n\n{line}\n"))


class TestLimits:
    PART = "## 4. Como fazer\n\n### Topologia A\n\nSuba.\n\n"

    @pytest.mark.parametrize("section", ["## 6. Erros comuns\n\nNenhum.\n", "## 2. Por que\n\nPorque sim.\n"])
    def test_a_limit_is_added(self, section: str) -> None:
        assert_cured("TOPOA-LIMITS", Example(document=f"# M\n\n{self.PART}{section}"))

    @pytest.mark.parametrize(
        "section",
        [
            "## 2. Por que\n\nA Topologia A não vale para produção.\n",
            "## 6. Erros comuns\n\n7. **Uso de Topologia A**\n\n   * Correção: restringir a dev.\n",
        ],
    )
    def test_a_limit_is_there(self, section: str) -> None:
        assert_quiet("TOPOA-LIMITS", Example(document=f"# M\n\n{self.PART}{section}"))

    def test_without_either_section_a_person_writes_it(self) -> None:
        (found,) = judged("TOPOA-LIMITS", Example(document=f"# M\n\n{self.PART}")).non_conformities
        assert not found.correction.changes

    def test_no_topology_a_no_limit(self) -> None:
        assert judged("TOPOA-LIMITS", Example(document="# M\n")).examined == {"TOPOA-LIMITS": 0}
