"""applicationsets/core.yaml: what is accepted, and the line of everything that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.appset.load import load_values
from pipeline.errors import InputError

_DATA = (Path(__file__).resolve().parents[2] / "applicationsets" / "core.yaml").read_text(encoding="utf-8")


def test_the_project_s_own_values() -> None:
    values = load_values(_DATA.encode(), where="core.yaml")
    assert [app.name for app in values.apps] == ["core-backstage", "core-kong", "core-openmetadata"]
    assert [(cluster.name, cluster.region, cluster.env) for cluster in values.clusters] == [
        ("ag-br-core-dev", "br", "dev"),
        ("ag-br-core-prd", "br", "prd"),
    ]
    assert values.waves == (0, 1)
    waves = {app.name: app.wave for app in values.apps}
    assert max(waves["core-kong"], waves["core-openmetadata"]) < waves["core-backstage"]
    assert values.sync.preserve_on_deletion


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ag-br-core-prd", "ag-br-suite-prd", r"clusters\[1\]\.name: deveria ser ag-<regiao>-core-<env>"),
        ("ag-br-core-prd", "ag-br-core-dev", "repetido"),
        ("ag-br-core-prd", "AG-br-core-prd", "ag-<regiao>-core-<env>"),
        ("name: core-kong", "name: core_kong", "DNS-1123"),
        ("name: core-kong", "name: '{{ .x }}'", "DNS-1123"),
        ("name: core-kong", "name: core-backstage", "repetido"),
        ("namespace: kong", "namespace: kube-system", "namespace do sistema"),
        ("namespace: kong", "namespace: '*'", "DNS-1123"),
        ("namespace: kong", "namespace: default", "namespace do sistema"),
        ("path: apps/core/kong", "path: ../kong", "caminho relativo"),
        ("path: apps/core/kong", "path: /etc", "caminho relativo"),
        ("path: apps/core/kong", "path: apps/core/backstage", "repetido"),
        ("wave: 1", "wave: '1'", "inteiro de 0 a 100"),
        ("wave: 1", "wave: -1", "inteiro de 0 a 100"),
        ("wave: 1", "wave: true", "inteiro de 0 a 100"),
        ("wave: 1", "wave: 1\n    extra: x", "chave desconhecida"),
        ("module: mod07-portal-backstage\n  - name: core-kong", "modulo: x\n  - name: core-kong", "chave desconhecida"),
        ("  prune: true\n", "", "falta a chave prune"),
        ("prune: true", "prune: 'yes'", "true ou false"),
        ("  name: core\n", "  name: default\n", "o projeto default permite tudo"),
        ("kind: Deployment", "kind: '*'", "sem curinga"),
        ("group: apps, kind: Deployment", "group: '*', kind: Deployment", "sem curinga"),
        ("https://github.com/appgear", "https://user:pw@github.com/appgear", "sem usuário"),
        ("https://github.com/appgear", "git@github.com:appgear", "https://"),
        ("appgear/appgear-gitops-core.git", "*", "curinga"),
        ("appgear/appgear-gitops-core.git", "a/b..c", "não pode conter"),
        ("  appgear.io/tenant: global\n", "", "falta o label appgear.io/tenant"),
        ("appgear.io/tenant: global", "appgear.io/tenant: 1", "valor de label"),
        ("appgear.io/tenant: global", "appgear.io/tenant: global\n  bare: x", "chave de label com prefixo"),
        ("appgear.io/tenant: global", "appgear.io/tenant: global\n  appgear.io/env: x", "calculado"),
        ("appgear.io/tenant: global", "appgear.io/tenant: '{{ .name }}'", "valor de label"),
        ("PruneLast=true", "Prune=maybe", "Opcao=valor"),
        ("PruneLast=true", "PruneLast=true\n    - PruneLast=false", "repetido"),
        ("revision: main", "revision: 'a b'", "ramo, tag ou commit"),
        ("svc\n    revision: main", "other\n    revision: main", "o seu próprio Argo CD"),
        (
            "server: https://kubernetes.default.svc\n    revision: main",
            "server: '*'\n    revision: main",
            "API do cluster",
        ),
        ("description: Aplicações", "description: '{{ x }}'\n  x: Aplicações", "chave desconhecida"),
        ("description: Aplicações do core da AppGear (", "description: (%", "texto de uma linha"),
        ("labels:\n", "labels: 1\nx:\n", "chave desconhecida"),
        ("name: core-kong", "name: [core-kong]", "DNS-1123"),
        ("repository:", "repository: a\nrepository:", "repetida"),
        ("repository:", "\trepository:", "TAB"),
        ("repository:", "---\nrepository:", "exatamente um"),
    ],
)
def test_a_bad_value_is_one_error_with_its_line(old: str, new: str, message: str) -> None:
    assert old in _DATA
    data = _DATA.replace(old, new, 1) if new != "---\nrepository:" else _DATA + "\n---\na: 1\n"
    with pytest.raises(InputError, match=message) as caught:
        load_values(data.encode(), where="core.yaml")
    assert str(caught.value).startswith("core.yaml")
    assert "\n" not in str(caught.value)


def test_the_line_is_that_of_the_value() -> None:
    data = _DATA.replace("wave: 1", "wave: x")
    line = next(number for number, text in enumerate(data.split("\n"), 1) if "wave: x" in text)
    with pytest.raises(InputError) as caught:
        load_values(data.encode(), where="core.yaml")
    assert caught.value.where == f"core.yaml:{line}"


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"apps: []", b"a: &a [*a]", _DATA.replace("labels:", "labels: []\nx:").encode()]
)
def test_no_values_at_all(data: bytes) -> None:
    with pytest.raises(InputError):
        load_values(data, where="core.yaml")


@pytest.mark.parametrize(("key", "value"), [("apps", "[]"), ("apps", "{}"), ("labels", "[]"), ("project", "[]")])
def test_sections_of_another_shape(key: str, value: str) -> None:
    lines = _DATA.split("\n")
    start = lines.index(f"{key}:")
    end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith((" ", "#")))
    data = "\n".join([*lines[:start], f"{key}: {value}", *lines[end:]])
    with pytest.raises(InputError, match=f"{key}: deveria ser"):
        load_values(data.encode(), where="core.yaml")


def test_a_single_remote_cluster_is_allowed() -> None:
    head, _, _ = _DATA.partition("clusters:")
    data = head + "clusters:\n  - {name: ag-eu-core-hml, server: 'https://10.0.0.1:6443', revision: v1.2.3}\n"
    values = load_values(data.encode(), where="core.yaml")
    assert values.clusters[0].server == "https://10.0.0.1:6443"
