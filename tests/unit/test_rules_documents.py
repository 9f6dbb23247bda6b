"""DOC: the seven sections, and marks of unfinished work."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from pipeline.domain.finding import Severity
from pipeline.rules.documents import SECTIONS
from rulecheck import assert_cured, assert_quiet, details, judged


def document(*headings: str) -> Example:
    return Example(document="# Módulo 01 – A\n\n" + "".join(f"{heading}\n\nTexto.\n\n" for heading in headings))


WHOLE = [f"## {title}" for title in SECTIONS]


class TestSections:
    @pytest.mark.parametrize(
        "headings",
        [
            WHOLE,
            [f"## {number}. {title}" for number, title in enumerate(SECTIONS, 1)],
            [f"## {number}) **{title}**" for number, title in enumerate(SECTIONS, 1)],
            [heading.upper() for heading in WHOLE],
            ["## Contexto", *WHOLE, "## 8. Dependências", "## Metadados"],
            ["## O QUE E", *WHOLE[1:3], "## 4 - Como fazer", *WHOLE[4:6], "## 7. Onde salvar os arquivos"],
            [*WHOLE[:4], "#### Por que", "#### 1. O que é", *WHOLE[4:]],
        ],
    )
    def test_every_form_that_the_platform_writes(self, headings: list[str]) -> None:
        assert_quiet("DOC-SEC", document(*headings))

    def test_each_missing_section_is_named(self) -> None:
        found = judged("DOC-SEC", document("## O que é", "## Porque sim")).non_conformities
        assert len(found) == 6
        assert {each.severity for each in found} == {Severity.MEDIA}

    def test_headings_in_fences_do_not_count(self) -> None:
        text = "\n\n".join(WHOLE[:-1]) + "\n\n```md\n## Onde salvar\n```\n"
        assert details("DOC-SEC", Example(document=f"# M\n\n{text}")) == ["falta a seção de nível 2 “Onde salvar”"]

    @pytest.mark.parametrize("mark", ["#", "###"])
    def test_a_numbered_section_at_another_level_is_moved(self, mark: str) -> None:
        headings = [*WHOLE[:4], f"{mark} 5. Como verificar", *WHOLE[5:]]
        (found,) = judged("DOC-SEC", document(*headings)).non_conformities
        assert found.severity is Severity.BAIXA
        assert_cured("DOC-SEC", document(*headings))

    def test_a_setext_heading_is_for_a_person(self) -> None:
        headings = ["1. O que é\n==========", *WHOLE[1:]]
        (found,) = judged("DOC-SEC", document(*headings)).non_conformities
        assert not found.correction.changes

    def test_the_fewest_sections_are_out_of_order(self) -> None:
        (found,) = judged("DOC-SEC", document(WHOLE[6], *WHOLE[:6])).non_conformities
        assert "Onde salvar" in found.description
        assert found.severity is Severity.BAIXA

    @pytest.mark.parametrize("title", ["Módulo Core – v0.3", "Adendo ao Módulo 07", "Core Module"])
    def test_the_core_module_and_addenda_have_another_form(self, title: str) -> None:
        assert judged("DOC-SEC", Example(document=f"# {title}\n")).examined == {"DOC-SEC": 0}


class TestUnfinished:
    @pytest.mark.parametrize(
        "line",
        [
            "TODO: escrever",
            "- [ ] TODO escrever",
            "<!-- TODO rever -->",
            "FIXME",
            "Texto (TODO: rever).",
            "**TODO**",
            "- TODO",
            "```bash\n# TODO rever a rota\n```",
            "```ts\n  // FIXME sem isto não funciona\n```",
            "```yaml\nresources: # TODO(ana) rever\n```",
        ],
    )
    def test_marks(self, line: str) -> None:
        assert len(details("DOC-TODO", Example(document=f"# M\n\n{line}\n"))) == 1

    @pytest.mark.parametrize(
        "line",
        [
            "TODO o tráfego passa pela malha.",
            "TODO tráfego passa pela malha.",
            "# TODO módulo tem sete seções",
            "em TODO ambiente, todos os dias, TODOS",
            "O texto não pode ter TODO nem FIXME.",
            "Não deixe `TODO` no documento.",
            "sem TODO: nada por fazer",
            "Use o formato TODO/FIXME nunca.",
            "```bash\ngrep -rn 'TODO' docs/\n```",
            "```bash\n# TODO o tráfego passa aqui\n```",
            "metodo TODO_LIST src/TODO.md",
        ],
    )
    def test_the_portuguese_word_and_the_rule_itself(self, line: str) -> None:
        assert_quiet("DOC-TODO", Example(document=f"# M\n\n{line}\n"))

    def test_files_of_the_tree_are_read_and_embedded_ones_only_once(self) -> None:
        assert len(details("DOC-TODO", Example(files={"a.yaml": "a: 1 # TODO: b\n", "b.txt": "x"}))) == 1
        embedded = "# M\n\n```bash\ncat > a.yaml << 'EOF'\na: 1 # TODO: b\nEOF\n```\n"
        assert len(details("DOC-TODO", Example(document=embedded))) == 1
