"""The configuration is closed."""

from __future__ import annotations

import pytest

from pipeline.config import load_config
from pipeline.errors import UsageError


def test_defaults_are_the_norms() -> None:
    config = load_config(b"", where="appgear.toml")
    assert config.retention_days == 90
    assert config.policy.contract_version == "v0"
    assert not config.parameters


def test_every_table_is_read() -> None:
    text = """
[module]
path = "m"
[retention]
days = 400
[opa]
policies = ["policies/a.rego"]
[applicationset]
values = "v.yaml"
folder = "sets"
[waivers]
file = "excecoes.toml"
[references]
matrix = "modulos.yaml"
stack = "stack.yaml"
tree = "../gitops"
[policy]
kubernetes_version = "1.33"
central_env = "/x/.env"
edge_services = ["kong"]
[parameters.images]
"ghcr.io/x/y" = ":1.2.3"
"""
    config = load_config(text.encode(), where="appgear.toml")
    assert (config.module, config.policy.kubernetes_version, config.retention_days) == ("m", "1.33", 400)
    assert config.waivers == "excecoes.toml"
    assert (config.reference_matrix, config.reference_stack) == ("modulos.yaml", "stack.yaml")
    assert config.reference_tree == "../gitops"
    assert config.opa_policies == ("policies/a.rego",)
    assert (config.applicationset_values, config.applicationset_folder) == ("v.yaml", "sets")
    assert config.policy.central_env == "/x/.env"
    assert config.policy.edge_services == ("kong",)
    assert config.parameters == {"images": {"ghcr.io/x/y": ":1.2.3"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[modul]\n", "tabela desconhecida"),
        ("[module]\npat = 'x'\n", "chave desconhecida `pat`"),
        ("[module]\npath = 3\n", "deve ser do tipo str"),
        ("module = 3\n", "deve ser uma tabela"),
        ("[retention]\ndays = true\n", "deve ser do tipo int"),
        ("[retention]\ndays = 89\n", "mínimo é 90"),
        ("[opa]\npolicies = [1]\n", "lista de textos"),
        ("[policy]\nedge_services = [1]\n", "lista de textos"),
        ("parameters = 3\n", "deve ser uma tabela"),
        ("[parameters]\nx = 'y'\n", "[parameters.images]"),
        ("[parameters.images]\nx = 3\n", "texto entre aspas"),
        ("a = \n", "TOML"),
        ("\ud800", "TOML"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(text.encode("utf-8", "surrogatepass"), where="appgear.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("appgear.toml")
