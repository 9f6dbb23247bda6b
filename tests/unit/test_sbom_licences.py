"""Licences as packages declare them, and the policy on them."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.sbom.licences import UNKNOWN, judge_licences, licences_in, normalise
from pipeline.sbom.settings import SbomSettings, verify_settings
from sbomkit import component, sbom


@pytest.mark.parametrize(
    ("declared", "expression"),
    [
        (["MIT"], "MIT"),
        (["mit"], "MIT"),
        (["(MIT OR Apache-2.0)"], "MIT OR Apache-2.0"),
        (["Apache-2.0", "MIT", "MIT"], "Apache-2.0 AND MIT"),
        (["MIT OR Apache-2.0", "ISC"], "ISC AND (Apache-2.0 OR MIT)"),
        (["GPL-2.0"], "GPL-2.0-only"),
        (["GPL-2.0+"], "GPL-2.0-or-later"),
        (["GPL-2.0-or-later WITH Classpath-exception-2.0"], "GPL-2.0-or-later WITH Classpath-exception-2.0"),
        (["SEE LICENSE IN LICENSE"], "LicenseRef-SEE-LICENSE-IN-LICENSE"),
        (["Foo-2+"], "LicenseRef-Foo-2-plus"),
        (["Foo-2"], "LicenseRef-Foo-2"),
        (["Apa AND Apache-2.0"], "LicenseRef-Apa AND Apache-2.0"),
        (["MIT WITH no-such-exception"], "LicenseRef-MIT-WITH-no-such-exception"),
        (["Classpath-exception-2.0"], "LicenseRef-Classpath-exception-2.0"),
        (["LicenseRef-own OR MIT"], "LicenseRef-own OR MIT"),
        (["(MIT"], "LicenseRef-MIT"),
        (["AND"], "LicenseRef-AND"),
        (["", "NOASSERTION", "Unknown"], ""),
        ([], ""),
        (["(" * 5000], ""),
        (["\x1b[31mMIT\x1b[0m"], "LicenseRef-x1b-31mMIT-x1b-0m"),
    ],
)
def test_what_is_declared_becomes_spdx(declared: list[str], expression: str) -> None:
    assert normalise(declared) == expression


def test_long_texts_stay_apart() -> None:
    one, other = normalise(["a" * 3000 + "b"]), normalise(["a" * 3000 + "c"])
    assert one != other
    assert len(one) < 80


def test_licences_are_named_once() -> None:
    assert licences_in("MIT AND (ISC OR MIT)") == ("ISC", "MIT")
    assert licences_in("") == ()


@pytest.mark.parametrize(
    ("licence", "deny", "matched"),
    [
        ("AGPL-3.0-only", ["AGPL-3.0-only"], ("AGPL-3.0-only",)),
        ("AGPL-3.0-or-later", ["AGPL-3.0-only"], ()),
        ("MIT OR GPL-3.0-only", ["GPL-3.0-only"], ()),
        ("ISC OR GPL-3.0-only", ["GPL-3.0-only", "ISC"], ("GPL-3.0-only", "ISC")),
        ("MIT AND GPL-3.0-only", ["GPL-3.0-only"], ("GPL-3.0-only",)),
        ("MIT AND (ISC OR GPL-3.0-only)", ["GPL-3.0-only"], ()),
        ("(MIT OR ISC) AND (ISC OR GPL-3.0-only)", ["GPL-3.0-only", "ISC"], ("GPL-3.0-only", "ISC")),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ["GPL-2.0-only"], ()),
        (
            "GPL-2.0-only WITH Classpath-exception-2.0",
            ["GPL-2.0-only WITH Classpath-exception-2.0"],
            ("GPL-2.0-only WITH Classpath-exception-2.0",),
        ),
        ("LicenseRef-own", ["LicenseRef-own"], ("LicenseRef-own",)),
        ("", [UNKNOWN], (UNKNOWN,)),
        ("", ["MIT"], ()),
    ],
)
def test_a_choice_is_refused_only_whole(licence: str, deny: list[str], matched: tuple[str, ...]) -> None:
    found = judge_licences(sbom(component("a", licence=licence)), deny=deny, warn=[])
    assert [each.matched for each in found] == ([matched] if matched else [])


def test_denied_comes_before_warned_and_is_said_once() -> None:
    graph = sbom(component("b", licence="ISC"), component("a", licence="MIT"), component("c", licence="0BSD"))
    found = judge_licences(graph, deny=["MIT"], warn=["ISC", "MIT"])
    assert [(each.rule, each.severity, each.component) for each in found] == [
        ("deny", "CRITICA", "a"),
        ("warn", "MEDIA", "b"),
    ]


@pytest.mark.parametrize("wrong", ["GPL-3.0", "gpl-3.0-only", "MIT OR ISC", "Classpath-exception-2.0", "", "MTI"])
def test_a_policy_names_licences_that_exist(wrong: str) -> None:
    with pytest.raises(UsageError, match="não é um identificador SPDX"):
        verify_settings(SbomSettings(warn=(wrong,)), where="appgear.toml")


def test_a_policy_may_name_these() -> None:
    known = ("MIT", UNKNOWN, "LicenseRef-own", "GPL-2.0-only WITH Classpath-exception-2.0")
    verify_settings(SbomSettings(deny=known), where="appgear.toml")
