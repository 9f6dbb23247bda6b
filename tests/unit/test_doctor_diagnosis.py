"""What follows from what a machine has."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from pipeline.config import Config
from pipeline.diagnosis import LIBRARIES, Facts, Found, diagnose
from pipeline.domain.doctor import Check, DoctorReport
from pipeline.image.settings import ImageSettings
from pipeline.opinion.settings import OpinionSettings
from pipeline.report.doctor import doctor_lines
from trailcli import ROOT

PROGRAMS = (
    "git", "opa", "conftest", "nox", "uv", "kubectl", "kustomize", "syft", "node", "chromium", "docker-registry",
)  # fmt: skip
WHOLE = Facts(
    python=(3, 13, 1),
    programs={name: Found(place=f"/usr/bin/{name}", version="2.39.5") for name in PROGRAMS},
    packages=dict.fromkeys((*LIBRARIES, "gordon-to-regorus", "zstandard", "weasyprint", "sigstore", "pykcs11"), "1.0"),
    git_version=(2, 39),
    in_git=True,
    installer="apt-get",
    isolated=True,
    key="a do usuário",
    variables={"LITELLM_BASE_URL": True, "LITELLM_API_KEY": True, "APPGEAR_TRUST_FILE": True},
    portal=True,
)
BARE = replace(
    WHOLE,
    programs=dict.fromkeys(PROGRAMS, Found()),
    packages=dict.fromkeys(WHOLE.packages, ""),
    git_version=None,
    isolated=False,
    key="",
    variables=dict.fromkeys(WHOLE.variables, False),
    portal=False,
)

NO_REGO = {**WHOLE.packages, "gordon-to-regorus": ""}


def check(report: DoctorReport, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


def test_the_libraries_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[\[>=<]", each)[0].lower() for each in project["dependencies"]}
    assert set(LIBRARIES) == named


def test_a_whole_machine_lacks_nothing() -> None:
    report = diagnose(Config(), WHOLE)
    assert report.ok
    assert {each.state for each in report.checks} == {"ok"}
    assert not any(each.mend for each in report.checks)
    assert "tudo o que está em uso pode rodar" in next(doctor_lines(report))


def test_a_bare_machine_is_told_what_it_lacks_and_what_mends_it() -> None:
    report = diagnose(Config(), BARE)
    assert not report.ok
    assert {each.name for each in report.checks if each.state == "falta"} == {"bibliotecas", "git"}
    assert check(report, "git").mend == "apt-get install -y git (2.32 ou mais novo)"
    assert "requirements/pipeline.txt" in check(report, "bibliotecas").mend
    assert check(report, "node").mend == "apt-get install -y nodejs"
    assert all(each.mend for each in report.checks if each.state != "ok")
    stages = {each.name: each for each in report.stages}
    assert stages["mapa_nc"].missing == ("bibliotecas", "git")
    assert (stages["image"].in_use, stages["image"].missing) == (False, ())
    lines = list(doctor_lines(report))
    assert lines[0] == "DOCTOR            2 faltas"


@pytest.mark.parametrize(
    ("config", "facts", "lost"),
    [
        (Config(), replace(WHOLE, git_version=(2, 30)), "git"),
        (Config(), replace(BARE, in_git=False, packages=WHOLE.packages), ""),
        (Config(opa_policies=("p",)), replace(BARE, packages=NO_REGO, in_git=False), "rego"),
        (Config(opa_policies=("p",)), replace(WHOLE, programs=BARE.programs, in_git=False), ""),
        (Config(opinion=OpinionSettings(engine="litellm")), replace(WHOLE, variables=BARE.variables), "gateway"),
        (Config(opinion=OpinionSettings(engine="litellm", mode="off")), replace(WHOLE, variables=BARE.variables), ""),
        (Config(image=ImageSettings(modules=("M07",))), replace(WHOLE, portal=False), "portal"),
        (
            Config(image=ImageSettings(modules=("M07",), compression="zstd")),
            replace(WHOLE, packages={**WHOLE.packages, "zstandard": ""}),
            "zstandard",
        ),
        (Config(), replace(WHOLE, python=(3, 10, 9)), "python"),
    ],
)  # fmt: skip
def test_only_what_is_in_use_is_missed(config: Config, facts: Facts, lost: str) -> None:
    report = diagnose(config, facts)
    assert [each.name for each in report.checks if each.state == "falta"] == ([lost] if lost else [])
    assert report.ok is not bool(lost)


def test_what_the_audited_tree_offers_does_not_count() -> None:
    planted: dict[str, Any] = {**WHOLE.programs, "opa": Found(place="/m/opa", audited=True), "conftest": Found()}
    facts = replace(WHOLE, programs=planted, packages={**WHOLE.packages, "gordon-to-regorus": ""})
    report = diagnose(Config(opa_policies=("p",)), facts)
    assert check(report, "rego").state == "ignorado"
    assert "não foi executado" in check(report, "rego").detail
    assert not report.ok
    assert diagnose(Config(), facts).ok


def test_an_unknown_system_has_no_installer() -> None:
    assert check(diagnose(Config(), replace(BARE, installer="")), "git").mend.startswith("instale git")
