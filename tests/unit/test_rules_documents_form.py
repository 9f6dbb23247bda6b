"""DOC: form and references of the module document."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details, judged

HEAD = "# Módulo 07 – A\n\n"


def doc(text: str, files: dict[str, str] | None = None) -> Example:
    return Example(document=HEAD + text, files=files or {})


class TestLooseText:
    @pytest.mark.parametrize(
        "text",
        ["Define o portal.\n\n## O que é\n", "### Estado\n\n* item\n\n## O que é\n", "## A\n\n# B\n\nsolto\n\n## C\n"],
    )
    def test_text_under_a_title(self, text: str) -> None:
        assert len(details("DOC-STRUCT", doc(text))) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "> nota\n\nVersão: v0.3\n**Compatibilidade:** v0\n\n| a | b |\n\n---\n\n## O que é\n\ntexto\n",
            "## O que é\n\ntexto\n\n## Extra\n\nmais\n",
            "sem seção nenhuma\n",
            "```text\nsolto\n```\n\n## O que é\n",
        ],
    )
    def test_header_lines_and_extra_sections(self, text: str) -> None:
        assert_quiet("DOC-STRUCT", doc(text))


class TestTitles:
    def test_a_second_title_goes_down(self) -> None:
        assert_cured("DOC-H1", doc("## A\n\n# B\n\ntexto\n"))

    @pytest.mark.parametrize("text", ["sem título\n", "# A\n\nB\n=\n"])
    def test_none_or_a_setext_one_is_for_a_person(self, text: str) -> None:
        (found,) = judged("DOC-H1", Example(document=text)).non_conformities
        assert not found.correction.changes


class TestNumbers:
    @pytest.mark.parametrize("text", ["## 1. A\n\n## 3. B\n\n## 4. C\n", "## 2. A\n", "## 1. A\n\n## 1) **B**\n"])
    def test_sections_count_from_one(self, text: str) -> None:
        assert_cured("DOC-NUM", doc(text))

    def test_a_subsection_carries_its_section(self) -> None:
        (found,) = details("DOC-NUM", doc("## 1. A\n\n## 2. B\n\n### 1.3 C\n"))
        assert "seção 2" in found

    @pytest.mark.parametrize(
        "text", ["## Contexto v0.3\n\n## 1. A\n\n### 1. x\n\n#### 7.1 y\n\n## 2. B\n", "## A\n", "## 2024 em números\n"]
    )
    def test_right_or_not_numbered(self, text: str) -> None:
        assert_quiet("DOC-NUM", doc(text))


class TestRepeatedWord:
    def test_one_of_them_goes(self) -> None:
        fixed = assert_cured("DOC-TYPO", doc("mTLS STRICT STRICT em `STRICT STRICT` de  de\n"))
        assert "mTLS STRICT em `STRICT` de\n" in (fixed.document or "")

    @pytest.mark.parametrize(
        "text",
        ["muito muito bom\n", "passo a passo\n", "10 10\n", "a-b b\n", "```text\nok ok\n```\n", "Que que é isso\n"],
    )
    def test_emphasis_numbers_and_code(self, text: str) -> None:
        assert_quiet("DOC-TYPO", doc(text))


class TestReferences:
    def test_the_core_module_and_the_stack_are_cited(self) -> None:
        given = doc("## 3. Pré-requisitos\n\nNenhum.\n")
        assert "core-module-v0.3.md" in (assert_cured("DOC-CORE", given).document or "")
        assert "stack-unificada-v0.3.yaml" in (assert_cured("DOC-STACK", given).document or "")

    @pytest.mark.parametrize("rule_id", ["DOC-CORE", "DOC-STACK"])
    def test_without_the_section_a_person_writes_it(self, rule_id: str) -> None:
        (found,) = judged(rule_id, doc("texto\n")).non_conformities
        assert not found.correction.changes

    def test_premises_are_not_repeated(self) -> None:
        (found,) = details(
            "DOC-CORE", doc("## Pré-requisitos\n\n`core-module-v0.3.md`\n\n### Premissas padrão (v0.3)\n")
        )
        assert "repete" in found

    def test_a_used_module_is_declared(self) -> None:
        files = {"a.yaml": "a: core-redis.x\nb: core-vault\n"}
        (found,) = details("DOC-DEPS", doc("* **M05** – Vault\n", files))
        assert "M04" in found
        assert_quiet("DOC-DEPS", doc("Módulo 04 e M05\n", files))

    def test_the_document_has_a_canonical_place(self) -> None:
        fixed = assert_cured("DOC-SAVE", doc("## 7. Onde salvar\n\n* `Módulo 07 v0.1.md`\n"))
        assert "`development/v0.3/module-07-v0.3.md`" in (fixed.document or "")
        assert_cured("DOC-SAVE", doc("## 7. Onde salvar\n\nNo lugar de sempre, `docs/a.md`.\n"))

    def test_references_into_the_tree_exist(self) -> None:
        files = {"docs/a.md": "x"}
        assert details("DOC-PATH", doc("`docs/b.md` e `archive/c.md`\n", files)) == ["`docs/b.md` não existe na árvore"]
        assert_quiet("DOC-PATH", doc("`docs/a.md`, `guides/b.md`\n", files))
        assert judged("DOC-PATH", doc("`docs/b.md`\n")).examined == {"DOC-PATH": 0}
