"""GIT: what changes the cluster is in Git, not in a command of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import commands
from pipeline.audit.selecting import selects
from pipeline.domain.finding import Severity
from pipeline.rules.prose import heading_above, is_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import CommandView, ModuleView

__all__ = ["imperative_state", "mutating_command"]

_MUTATING = frozenset(("apply", "edit", "patch", "scale", "replace", "set", "autoscale", "expose", "create", "delete"))
_HELM = frozenset(("install", "upgrade", "uninstall", "delete", "rollback"))
_VALUED = frozenset(("-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "-s", "--server"))
_PREFIXES = frozenset(("sudo", "env", "time", "xargs", "watch"))
_BOOTSTRAP_TITLES = ("bootstrap", "desastre", "disaster", "restaura", "restore", "dr drill", "rollback manual")
_IMPERATIVE: dict[str, tuple[tuple[str, ...], ...]] = {
    "vault": (("write",), ("auth", "enable"), ("policy", "write"), ("secrets", "enable")),
    "velero": (("install",), ("schedule", "create"), ("backup-location", "create")),
    "istioctl": (("install",), ("operator", "init")),
    "argocd": (("app", "create"), ("repo", "add"), ("proj", "create"), ("app", "set"), ("cluster", "add")),
    "kcadm.sh": (("create",), ("update",)),
}


def _program(command: CommandView) -> tuple[str, list[str]]:
    """Program and its words without options, ``sudo`` and variable assignments left out."""
    words = list(command.command.words)
    while words and (words[0] in _PREFIXES or ("=" in words[0] and not words[0].startswith("-"))):
        words.pop(0)
    if not words:
        return "", []
    plain: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in _VALUED:
            next(rest, None)
        elif not word.startswith("-"):
            plain.append(word)
    return words[0].rpartition("/")[2], plain


def _tried_only(command: CommandView) -> bool:
    """A dry run, or YAML printed and not applied."""
    return any(word.startswith("--dry-run") and word != "--dry-run=none" for word in command.command.words)


def _is_bootstrap(command: CommandView) -> bool:
    """Argo CD itself, and drills, have no Git before them."""
    if any(title in heading_above(command.document, command.command.line) for title in _BOOTSTRAP_TITLES):
        return True
    about_argo = any("argocd" in word or "argo-cd" in word for word in command.command.words)
    return about_argo and (command.module.snapshot.id == "M01" or "bootstrap" in command.command.text)


@selects("comandos que mudam o cluster")
def _changing(module: ModuleView) -> Iterator[CommandView]:
    """Commands of the section that says how to do it."""
    yield from (each for each in module.select(commands) if is_in(each, "como fazer"))


@rule(
    "GIT-BYPASS",
    Severity.CRITICA,
    over=_changing,
    title="Comando que muda o cluster por fora do GitOps",
    explanation="O que se aplica à mão não está no Git: o Argo CD o desfaz, ou ninguém sabe que existe.",
    remedy="Entregue o manifest no repositório GitOps e deixe o Argo CD sincronizá-lo.",
    sources=("AUD §5.3", "AUD §6.6", "COO §4.1"),
    bad=Example(document="# M\n\n## 4. Como fazer\n\n```bash\nkubectl apply -f a.yaml\n```\n"),
    good=Example(document="# M\n\n## 4. Como fazer\n\n```bash\nkubectl kustomize apps/a\n```\n"),
)
def mutating_command(command: CommandView) -> Iterator[Breach]:
    """``kubectl`` or ``helm`` with a verb that changes state, outside bootstrap, drills and dry runs."""
    program, words = _program(command)
    verb = words[0] if words else ""
    if program == "kubectl" and verb == "rollout":
        changes = words[1:2] in (["restart"], ["undo"])
    elif program == "kubectl":
        secret = verb == "create" and words[1:2] in (["secret"], ["token"])
        changes = verb in _MUTATING and not secret
    else:
        changes = program == "helm" and verb in _HELM
    if not changes or _tried_only(command) or _is_bootstrap(command):
        return
    yield command.breach(f"`{program} {' '.join(words[:2])}` muda o cluster sem passar pelo Git")


@rule(
    "GIT-IMPERATIVE",
    Severity.MEDIA,
    over=_changing,
    title="Configuração crítica feita só por comando",
    explanation="Sem um objeto versionado, ninguém revê, compara nem refaz esta configuração.",
    remedy="Declare a configuração em YAML (operador, CRD ou Job versionado) e deixe o comando só como bootstrap.",
    sources=("COO §4.1",),
    bad=Example(document="# M\n\n## 4. Como fazer\n\n```bash\nvault write auth/kubernetes/role/a ttl=1h\n```\n"),
    good=Example(document="# M\n\n## 4. Como fazer\n\n```bash\nvault read auth/kubernetes/role/a\n```\n"),
)
def imperative_state(command: CommandView) -> Iterator[Breach]:
    """A command that configures a platform service, with no object of the module that declares the same."""
    program, words = _program(command)
    known = _IMPERATIVE.get(program, ())
    verb = next((verb for verb in known if tuple(words[: len(verb)]) == verb), None)
    if verb is None or _is_bootstrap(command):
        return
    subject = words[len(verb)] if len(words) > len(verb) else ""
    if subject and _declared(command.module, subject.rstrip("/").rpartition("/")[2], program):
        return
    yield command.breach(f"`{program} {' '.join((*verb, subject)).strip()}` não tem equivalente declarado no módulo")


def _declared(module: ModuleView, name: str, program: str) -> bool:
    """Whether an object of the program's own API is called so."""
    topic = {"argocd": "argoproj", "kcadm.sh": "keycloak"}.get(program, program.removesuffix("ctl"))
    return any(each.name == name and (topic in each.group or topic in each.kind.lower()) for each in module.objects)
