"""TOOL: the tools that commands fetch have a version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import commands
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Param, Severity, TextChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import CommandView, ModuleView

__all__ = ["unpinned_tool"]

# Options that take the next word as their value.
_NPM_OPTIONS = "--prefix --registry -C --filter -w --workspace --dir -p --package"
_PIP_OPTIONS = (
    "-r --requirement -c --constraint -e --editable -i --index-url --extra-index-url -t --target --prefix -f "
    "--find-links --python --proxy --cache-dir --trusted-host"
)
_HELM_OPTIONS = (
    "-n --namespace -f --values --set --set-string --set-file --set-json --repo --timeout --kube-context --kubeconfig "
    "--description --history-max --username --password --ca-file --cert-file --key-file --post-renderer -o --output -d "
    "--destination --untardir --output-dir --name-template -l --labels --version"
)
_NPM_VALUE_FLAGS = frozenset(_NPM_OPTIONS.split())
_PIP_VALUE_FLAGS = frozenset(_PIP_OPTIONS.split())
_HELM_VALUE_FLAGS = frozenset(_HELM_OPTIONS.split())
_NPM_PACKAGE = re.compile(r"(@[a-z0-9~][\w.~-]*/)?[a-z0-9~][\w.~-]*(@(?P<version>[^\s@]*))?", re.IGNORECASE)
_PIP_PACKAGE = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,.-]*\])?(?P<version>\s*(?:[=~!<>]=?|===|@).*)?")
_MOVING = re.compile(r"(?:latest|next|canary|beta|alpha|rc|dev|edge|nightly|stable|lts|\*|x)", re.IGNORECASE)
_HOLE = re.compile(r"[$<{`]")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Package:
    """A package that a command fetches: as written, its bare name, and how a version is added to it."""

    written: str
    name: str
    template: str
    pinned: bool


def _packages(words: Sequence[str]) -> list[_Package]:
    """Packages that the command names."""
    words = _without_prefix(words)
    if not words:
        return []
    tool, rest = words[0].rpartition("/")[2], list(words[1:])
    if tool in {"npx", "bunx", "pnpx"}:
        return _npm(_executed(rest))
    if tool in {"npm", "pnpm", "yarn", "bun"}:
        return _node(tool, rest)
    if tool in {"pip", "pip3", "pipx", "uv"} or (re.fullmatch(r"python[\d.]*|py", tool) and rest[:2] == ["-m", "pip"]):
        return _python(tool, rest[2:] if rest[:2] == ["-m", "pip"] else rest)
    return _helm(rest) if tool == "helm" else []


def _without_prefix(words: Sequence[str]) -> list[str]:
    """The words from the tool on: without ``sudo``, ``env`` and variables before it."""
    kept = list(words)
    while kept and (kept[0] in {"sudo", "env", "-E", "command", "exec", "time"} or re.match(r"\w+=", kept[0])):
        kept.pop(0)
    return kept


def _node(tool: str, words: list[str]) -> list[_Package]:
    if words[:1] == ["global"] and tool == "yarn":
        words = words[1:]
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in _NPM_VALUE_FLAGS else words[1:]
    verb = words[0] if words else ""
    if verb in {"dlx", "exec", "x"}:
        return _npm(_executed(words[1:])) if verb != "exec" or tool == "npm" else []
    if verb in {"create", "init"} and len(words) > 1:
        made = _npm(_executed(words[1:]))
        return [each for each in made if not each.written.startswith("-")]
    if verb == "add" or (verb in {"install", "i", "isntall"} and tool != "yarn"):
        return _npm(_arguments(words[1:], _NPM_VALUE_FLAGS))
    return []


def _executed(words: list[str]) -> list[str]:
    """The packages that a runner fetches: those of ``-p``/``--package``, else the first word that is no option."""
    named = [words[index + 1] for index, word in enumerate(words[:-1]) if word in {"-p", "--package"}]
    named += [word.partition("=")[2] for word in words if word.startswith("--package=")]
    return named or _arguments(words, frozenset())[:1]


def _arguments(words: list[str], value_flags: frozenset[str]) -> list[str]:
    """Words that are neither options nor values of options."""
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in value_flags
        else:
            found.append(word)
    return found


def _npm(words: list[str]) -> list[_Package]:
    made: list[_Package] = []
    for word in words:
        found = _NPM_PACKAGE.fullmatch(word)
        if found is None:
            continue  # a path, an address or a variable
        version = found["version"]
        name = word if version is None else word[: found.start("version") - 1]
        pinned = bool(version) and not _MOVING.fullmatch(version)
        made.append(_Package(written=word, name=name, template=f"{name}@{{}}", pinned=pinned))
    return made


def _python(tool: str, words: list[str]) -> list[_Package]:
    if tool == "uv":
        words = words[1:] if words[:1] in (["pip"], ["tool"]) else words
    if words[:1] not in (["install"], ["add"], ["run"]):
        return []
    if words[0] == "run" and tool != "pipx":
        return []
    named = _arguments(words[1:], _PIP_VALUE_FLAGS)
    made: list[_Package] = []
    for word in named[:1] if words[0] == "run" else named:
        found = _PIP_PACKAGE.fullmatch(word)
        if found is None or word.endswith((".whl", ".txt", ".tar.gz")) or word == ".":
            continue
        name = word[: found.start("version")] if found["version"] else word
        made.append(_Package(written=word, name=name, template=f"{name}=={{}}", pinned=bool(found["version"])))
    return made


def _helm(words: list[str]) -> list[_Package]:
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in _HELM_VALUE_FLAGS else words[1:]
    verb = words[0] if words else ""
    if verb not in {"install", "upgrade", "template", "pull", "fetch"}:
        return []
    named = _arguments(words[1:], _HELM_VALUE_FLAGS)
    chart = named[-1] if named and (len(named) > 1 or verb in {"pull", "fetch"} or "--generate-name" in words) else ""
    remote = "/" in chart and not chart.startswith((".", "/", "~")) and not chart.endswith((".tgz", "/"))
    if any(word == "--repo" or word.startswith("--repo=") for word in words):
        remote = bool(chart)
    if not remote or (not chart.startswith("oci://") and chart.count("/") > 1):
        return []
    pinned = any(word == "--version" or word.startswith("--version=") for word in words)
    return [_Package(written=chart, name=chart, template=f"{chart} --version {{}}", pinned=pinned)]


def _added(module: ModuleView) -> Iterator[frozenset[str]]:
    """Names of the packages that the module's own commands install: ``npx`` runs those without fetching anything."""
    names: set[str] = set()
    for command in module.select(commands):
        words = _without_prefix(command.command.words)
        if words and words[0] in {"npm", "pnpm", "yarn", "bun"} and not {"dlx", "exec", "x"} & set(words[1:3]):
            names.update(package.name for package in _packages(words))
    yield frozenset(names)


@selects("comandos que baixam pacotes")
def _fetching(module: ModuleView) -> Iterator[CommandView]:
    """Commands that fetch a package by name."""
    yield from (command for command in module.select(commands) if _packages(command.command.words))


@rule(
    "TOOL-UNPINNED",
    Severity.BAIXA,
    over=_fetching,
    fix=FixMode.PARAM,
    title="Ferramenta baixada sem versão",
    explanation="Sem versão, o comando baixa o que estiver publicado no dia: dois ambientes feitos pelo mesmo "
    "documento não são iguais, e um pacote trocado na origem entra sem revisão.",
    remedy="Fixe a versão de cada pacote no comando, pela tabela `[parameters.tools]`.",
    sources=("REV",),
    bad=Example(document="# M\n\n```bash\npnpm dlx shadcn-ui@latest init\n```\n"),
    good=Example(document="# M\n\n```bash\npnpm dlx shadcn-ui@0.8.0 init\n```\n"),
)
def unpinned_tool(command: CommandView) -> Iterator[Breach]:
    """One breach per command, with each package that has no version or a moving one."""
    words = command.command.words
    local = command.module.select(_added)[0] if _without_prefix(words)[0] == "npx" else frozenset()
    loose = [each for each in _packages(words) if not each.pinned and not _HOLE.search(each.written)]
    loose = [each for each in loose if each.written not in local]
    if not loose:
        return
    changes: list[TextChange] = []
    for package in loose:
        param = Param(
            name=f"tools.{package.name}", template=package.template, question=f"Qual versão de `{package.name}`?"
        )
        place = command.locate_word(package.written)
        if place is not None:
            changes.append(command.document.replace(place[0], place[1], package.written, param))
    named = ", ".join(f"`{each.written}`" for each in loose)
    at = command.locate_word(loose[0].written)
    complete = len(changes) == len(loose)
    yield command.breach(f"{named} sem versão fixa", at=at, changes=tuple(changes) if complete else ())
