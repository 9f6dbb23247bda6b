"""READ: every problem of reading is a finding, at its place."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.snapshot import ReadProblem
from rulecheck import assert_cured, assert_quiet, details, judged

RULES = {
    "unsafe-target": "READ-TARGET",
    "expansion": "READ-EXPAND",
    "conflict": "READ-CONFLICT",
    "collision": "READ-COLLISION",
    "unsupported": "READ-UNSUPPORTED",
    "unclosed": "READ-UNCLOSED",
    "encoding": "READ-ENCODING",
    "special": "READ-SPECIAL",
    "limit": "READ-LIMIT",
}


def problem(code: str, path: str | None, line: int | None = None) -> ReadProblem:
    return ReadProblem(code=code, message="aconteceu", path=path, document_line=line)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "rule_id"), RULES.items())
def test_each_code_has_its_rule_and_only_that_one(code: str, rule_id: str) -> None:
    given = Example(document="# M\n\ntexto\n", files={"a.yaml": "a: 1\n"}, problems=(problem(code, "a.yaml", 3),))
    assert details(rule_id, given) == ["`a.yaml`: aconteceu"]
    for other in set(RULES.values()) - {rule_id}:
        assert_quiet(other, given)


@pytest.mark.parametrize(
    ("path", "line", "where"),
    [
        ("a.yaml", 3, ("doc", 3)),
        (None, None, ("doc", 1)),
        ("a.yaml", None, ("a.yaml", 1)),
        ("x/link", None, ("x/link", 1)),
    ],
)
def test_places(path: str | None, line: int | None, where: tuple[str, int]) -> None:
    given = Example(document="# M\n\ntexto\n", files={"a.yaml": "a: 1\n"}, problems=(problem("special", path, line),))
    (found,) = judged("READ-SPECIAL", given).non_conformities
    assert (found.location.path, found.location.line) == where


def test_a_tree_without_a_document() -> None:
    given = Example(files={"a.yaml": "a: 1\n"}, problems=(problem("limit", "\x1b[31mb"), problem("limit", None)))
    found = judged("READ-LIMIT", given)
    assert [each.location.path for each in found.non_conformities] == ["\\x1b[31mb", "doc"]
    assert found.examined == {"READ-LIMIT": 3}


class TestDeceptiveText:
    @pytest.mark.parametrize(
        ("line", "column"),
        [
            ("aprovado\u202e", 9),
            ("a\u200bb", 2),
            ("a\u2028b", 2),
            ("abc\x1b[0m", 4),
            ("\u00adx", 1),
            ("x\U000e0041", 2),
            ("x\ufeff", 2),
            ("a\u200db", 2),
            ("\u2066a\u2069 b\u200b", 1),
        ],
    )
    def test_hidden_characters_are_removed(self, line: str, column: int) -> None:
        given = Example(document=f"# M\n\n{line}\n")
        (found,) = judged("READ-BIDI", given).non_conformities
        assert (found.location.document_line, found.location.column) == (3, column)
        assert "U+" in found.description
        assert_cured("READ-BIDI", given)

    @pytest.mark.parametrize("word", ["c\u043ere", "appgear.io/ti\u0435r", "\u0410dmin", "ex\uff41mple"])
    def test_twins_of_latin_letters_are_for_a_person(self, word: str) -> None:
        (found,) = judged("READ-BIDI", Example(files={"a.yaml": f"a: 1\n{word}: b\n"})).non_conformities
        assert found.location.line == 2
        assert not found.correction.changes

    @pytest.mark.parametrize(
        "text",
        [
            "\ufefftexto",
            "ação – “aspas” … → ✅ ☁️ 👩‍💻 ❤️‍🔥",
            "latência de 10 µs, 5 kΩ, Δt, β e λ",
            "Привет мир",
            "não-quebra\u00a0aqui\tTAB\r",
        ],
    )
    def test_what_is_plain_to_see(self, text: str) -> None:
        assert_quiet("READ-BIDI", Example(files={"a.txt": f"{text}\n"}))

    def test_a_flood_is_bounded(self) -> None:
        assert len(details("READ-BIDI", Example(files={"a.txt": "a\u200b\n" * 500}))) == 100
