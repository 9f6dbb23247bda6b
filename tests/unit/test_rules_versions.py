"""VER: declared lines and versions, and sentences about the past."""

from __future__ import annotations

import pytest

from pipeline.audit.rule import Example
from rulecheck import assert_cured, assert_quiet, details, judged

OLD = "{appgear.io/contract-version: v0.1}"


def annotated(value: str, more: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n"
        f"    appgear.io/contract-version: {value}\n{more}"
    )


class TestAnnotation:
    @pytest.mark.parametrize("value", ['"v0.1"', "v0.2", "'0'", "0.3", "v1", "v0.3.1", "null", "{a: b}"])
    def test_other_lines_become_the_contracts(self, value: str) -> None:
        if value == "{a: b}":
            assert_quiet("VER-ANN", annotated("v0"))
            return
        fixed = assert_cured("VER-ANN", annotated(value))
        assert "appgear.io/contract-version: v0\n" in fixed.files["a.yaml"]

    @pytest.mark.parametrize("value", ["v0", "v0.3", "'{{ version }}'", "'<linha>'"])
    def test_both_lines_and_holes_are_right(self, value: str) -> None:
        assert_quiet("VER-ANN", annotated(value))

    def test_a_declared_exception(self) -> None:
        assert_quiet("VER-ANN", annotated("v0.1", "  labels: {appgear.io/version-override: piloto}\n"))
        assert details("VER-ANN", annotated("v0.1", "  labels: {appgear.io/version-override: false}\n"))

    @pytest.mark.parametrize(
        "text",
        [
            f"apiVersion: apps/v1\nkind: Deployment\nspec: {{template: {{metadata: {{annotations: {OLD}}}}}}}\n",
            f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\ncommonAnnotations: {OLD}\n",
        ],
    )
    def test_wherever_it_stands(self, text: str) -> None:
        assert_cured("VER-ANN", text)

    def test_excerpts_in_the_document(self) -> None:
        document = '# M\n\n```yaml\nannotations:\n  appgear.io/contract-version: "v0.1"\n  x: y\n```\n'
        (found,) = judged("VER-ANN", Example(document=document)).non_conformities
        assert (found.location.line, found.location.column) == (5, 33)
        assert_cured("VER-ANN", Example(document=document))
        assert_quiet("VER-ANN", Example(document=document.replace("v0.1", "v0")))

    def test_objects_without_it_are_not_counted(self) -> None:
        assert judged("VER-ANN", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n").examined["VER-ANN"] == 0


def document(header: str, metadata: str, middle: str = "") -> Example:
    return Example(document=f"# M\n\n{header}\n\n## 1. O que é\n\n{middle}\n\n## 9. Metadados\n\n{metadata}\n")


class TestHeader:
    @pytest.mark.parametrize(
        ("header", "metadata"),
        [
            ("Versão do módulo: v0.3", "- Versão do módulo: v0.2"),
            ("**Compatibilidade**: linha v0 / v0.3", "- Compatibilidade: full"),
            ("> Versão: v0.3", "* **Versão:** v0.1"),
        ],
    )
    def test_the_header_wins(self, header: str, metadata: str) -> None:
        assert_cured("VER-DOC", document(header, metadata))

    @pytest.mark.parametrize(
        ("header", "metadata"),
        [
            ("Versão do módulo: v0.3", "- Versão do módulo: `v0.3`"),
            ("Versão do contrato: v0", "- Versão do módulo: v0.3"),
            ("Versão: v0.3", "- Data: 2025"),
            ("Isto é uma frase que termina em dois-pontos:", "- Nota: x"),
        ],
    )
    def test_agreement_and_other_keys(self, header: str, metadata: str) -> None:
        assert_quiet("VER-DOC", document(header, metadata))

    def test_fields_of_other_sections_are_not_the_header(self) -> None:
        assert_quiet("VER-DOC", document("x", "- Versão: v0.3", "Versão: v0.1"))

    def test_a_document_without_metadata(self) -> None:
        assert_quiet("VER-DOC", Example(document="# M\n\nVersão: v0.3\n\n## 1. O que é\n\nx\n"))


class TestLegacy:
    @pytest.mark.parametrize(
        ("line", "current"),
        [
            ("* `Módulo 07 – Portal v0.1.md`", "v0.3"),
            ("Baseline: recomendações de interoperabilidade v0.1 (Traefik → Coraza)", "v0"),
            ("Siga o contrato v0.2 e `auditoria v0.1`.", "v0"),
            ("Documento de referência: `module-05-v0.2.md`", "v0.3"),
        ],
    )
    def test_archived_lines_named_as_current(self, line: str, current: str) -> None:
        fixed = assert_cured("VER-LEGACY", Example(document=f"# M\n\n{line}\n"))
        assert f"{current}" in (fixed.document or "")

    @pytest.mark.parametrize(
        "line",
        [
            "Substitui o artefato legado `Módulo 07 v0.py` por `Módulo 07 v0.1.md`.",
            "O módulo v0.1 foi arquivado.",
            "Migração do módulo v0.2 para v0.3.",
            "Diferenças entre v0.1 e v0.3 do módulo.",
            "Módulo v0.1 → v0.3",
            "O chart do módulo usa a versão v0.1.5.",
            "Módulo v0.10.",
            "O SDK v0.1 é pequeno.",
            "Contrato v0 e módulo v0.3.",
            "V0.3 do módulo.",
        ],
    )
    def test_history_comparison_and_other_versions(self, line: str) -> None:
        assert_quiet("VER-LEGACY", Example(document=f"# M\n\n{line}\n"))

    def test_fences_are_no_prose(self) -> None:
        assert_quiet("VER-LEGACY", Example(document="# M\n\n```text\nmodule-07-v0.1.md\n```\n"))
