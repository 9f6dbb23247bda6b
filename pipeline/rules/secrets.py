"""SEC-CLEAR: no secret stands in the clear in what a module gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.select import commands
from pipeline.audit.selecting import selects
from pipeline.audit.texts import FenceView, ValuesView, sources, syntax_of, values
from pipeline.audit.views import CommandView, FileView, ObjectView
from pipeline.codec import hidden
from pipeline.domain.finding import FixMode, Severity, TextChange
from pipeline.rules.secrets_shell import in_words
from pipeline.rules.secrets_text import Secret, in_text
from pipeline.rules.secrets_values import breaches_in_values, hide, severity_of
from pipeline.rules.secrets_words import name_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.texts import Syntax
    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import Change

__all__ = ["clear_secret"]

_Subject = ObjectView | ValuesView | FileView | FenceView | CommandView

# Kinds whose literals are encrypted, or are a schema.
_SKIPPED_KINDS = frozenset({"SealedSecret", "CustomResourceDefinition"})
_EXAMPLE = re.compile(r"(?:^|[._-])(?:example|exemplo|sample|template|dist|tpl)(?:[._-]|$)", re.IGNORECASE)
_COUNTER_EXAMPLES = re.compile(r"erros? comu", re.IGNORECASE)


@selects("todo objeto, texto e comando")
def _holders(module: ModuleView) -> Iterator[_Subject]:
    """Every object and YAML document, every text that is neither, every command."""
    for found in module.select(values):
        if not isinstance(found, ObjectView) or found.kind not in _SKIPPED_KINDS:
            yield found
    for source in module.select(sources):
        if isinstance(source, FenceView) or not source.is_yaml or not source.yaml.parsed:
            yield source
    yield from module.select(commands)


@rule(
    "SEC-CLEAR",
    Severity.CRITICA,
    over=_holders,
    fix=FixMode.PARAM,
    title="Segredo em claro",
    explanation="Quem lê o repositório, a imagem ou o ConfigMap fica com a credencial, e trocá-la no Vault não apaga o "
    "que já foi copiado.",
    remedy="Guarde o valor no Vault e leia-o por referência (ExternalSecret, Vault Agent, `secretKeyRef`, `${VAR}` do "
    "`.env` central); troque a credencial que foi exposta.",
    sources=("CON §4.1", "CON §4.2", "COO §7", "AUD §5.3"),
    reading="CRITICA em objetos, ConfigMaps, código, imagens e comandos; ALTA em `.env` e Compose da topologia A; "
    "valores de exemplo (`changeme`, `<...>`) são MEDIA, e em `.env.example` não são apontados.",
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      env:
        - name: DB_PASSWORD
          value: s3nh4-forte
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:1.2.3
      env:
        - name: DB_PASSWORD
          valueFrom: {secretKeyRef: {name: db, key: password}}
        - name: DB_PASSWORD_PATH
          value: /vault/secrets/db
""",
)
def clear_secret(found: _Subject) -> Iterator[Breach]:
    """Literal secrets; what is shown never holds the value."""
    if isinstance(found, CommandView):
        for secret in in_words(found.command.words):
            yield _in_command(found, secret)
    elif isinstance(found, FileView | FenceView):
        yield from _in_source(found)
    else:
        yield from breaches_in_values(found)


_ENV_WRITE = re.compile(r"(?:>|\btee\s)\s{0,9}[\"']?(?:\S{0,200}/)?\.env(?:\.[\w-]+)?\b")


def _in_command(found: CommandView, secret: Secret) -> Breach:
    made = found.breach(
        f"{secret.what} no comando",
        at=found.locate(secret.literal) if secret.literal else None,
        key=secret.name,
        changes=_variable(found, secret),
        severity=severity_of(secret, topology_a=_ENV_WRITE.search(found.command.text) is not None),
    )
    return hide(made, secret)


def _variable(found: CommandView, secret: Secret) -> tuple[Change, ...]:
    """The literal of ``name=literal`` or ``--name literal`` as a shell variable, where the quoting lets one expand."""
    if not secret.name or not secret.literal or not _whole_word(found, secret):
        return ()
    reference = f"${{{'_'.join(name_words(secret.name)).upper()}}}"
    for before in (f"{secret.name}=", f"--{secret.name} "):
        for quote in ("", '"', "'"):
            written = f"{quote}{secret.literal}{quote}"
            at = found.locate(before + written)
            if at is None:
                continue
            opened = found.document.document.lines[at[0] - 1][max(at[1] - 2, 0) : at[1] - 1]
            if opened == "'" or (opened == '"' and quote):
                return ()
            quoted = reference if opened == '"' else f'"{reference}"'
            change = found.document.replace(at[0], at[1] + len(before), written, quoted)
            return (_hidden_change(change),)
    return ()


def _whole_word(found: CommandView, secret: Secret) -> bool:
    """Whether the literal is the end of a word of its own, and not a part of a script or of quoted text."""
    ends = (f"{secret.name}={secret.literal}", secret.literal)
    return any(word.removeprefix("--from-literal=").lstrip("-") in ends for word in found.command.words)


def _hidden_change(change: TextChange) -> TextChange:
    from msgspec.structs import replace as changed  # noqa: PLC0415  # one use

    return changed(change, old=hidden(change.old))


def _in_source(source: FileView | FenceView) -> Iterator[Breach]:
    language, section = "", ""
    if isinstance(source, FenceView):
        language, section = source.fence.language, source.fence.section
    syntax: Syntax = syntax_of(source.name, language)
    example = bool(_EXAMPLE.search(source.name))
    if _COUNTER_EXAMPLES.search(section):
        syntax = "prose"
    topology_a = syntax == "env" or (source.is_yaml and re.search(r"^services:", source.text, re.MULTILINE) is not None)
    for secret in in_text(source.text, syntax):
        if example and secret.weak:
            continue
        severity = Severity.MEDIA if example else severity_of(secret, topology_a=topology_a)
        changes: tuple[Change, ...] = ()
        if syntax == "env" and secret.literal:
            change = source.replace(secret.row + 1, secret.column + 1, secret.literal, "")
            changes = (_hidden_change(change),)
        made = source.breach(
            f"{secret.what}{_where(source)}",
            line=secret.row + 1,
            column=secret.column + 1,
            key=secret.name,
            changes=changes,
            severity=severity,
        )
        yield hide(made, secret)


def _where(source: FileView | FenceView) -> str:
    return f" em `{source.name}`" if source.name and not source.name.startswith("doc@") else ""
