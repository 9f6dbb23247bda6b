"""SEC-PRINT, SEC-IMPERATIVE: commands that show secrets, or create them by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.rule import Example, rule
from pipeline.audit.select import commands
from pipeline.audit.selecting import selects
from pipeline.domain.finding import FixMode, Severity
from pipeline.rules.secrets_words import is_sensitive
from pipeline.rules.vault_shared import provided_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import CommandView, ModuleView
    from pipeline.domain.finding import Change

__all__ = ["imperative_secret", "printed_secret"]

_TOOLS = frozenset(
    {"kubectl", "oc", "vault", "sudo", "cat", "head", "tail", "less", "more", "echo", "printenv", "env", "docker"}
)
_CAT = re.compile(
    r"\b(?:cat|head|tail|less|more|bat|strings)((?:\s+-\w+)*(?:\s+(?:/vault/secrets|/var/run/secrets|/run/secrets)/[\w./*-]+)+)"
)
_PUBLIC = re.compile(r"/(?:ca\.crt|tls\.crt|namespace)$")
_SHOWS = re.compile(r"[\"']?(?:ya?ml|json)[\"']?$|(?:jsonpath|go-template|custom-columns).{0,400}\.data", re.IGNORECASE)
_HARMLESS = re.compile(r"\.metadata|\bkeys\b|range \$k")
# What may follow without the value reaching the terminal.
_SINK = re.compile(
    r"\s*(?:2?>&?\d?\s*/dev/null|>{1,2}\s*\S|\|\s*(?:(?:sudo\s+)?(?:kubectl|oc)\s+(?:apply|create|replace)|kubeseal|wc\b|"
    r"grep\s+(?:-\w+\s+)*-\w*[cq]|sha\d+sum|md5sum|cut\s+-d\s?['\"]?=['\"]?\s+-f\s?1\b|jq\s+(?:-\w+\s+)*['\"]?[^'\"]*keys|"
    r"docker\s+login|vault\s|psql|base64\s+(?:-d|--decode)\s*(?:\|\s*(?:kubectl|wc|psql)|>))|&>\s*/dev/null)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shown:
    """What prints a secret: the text to point at, the reason, and what to write instead, if that is known."""

    text: str
    why: str
    instead: str = ""


@selects("comandos que podem mostrar um segredo")
def _printing(module: ModuleView) -> Iterator[CommandView]:
    """Commands of tools that can print a secret."""
    for command in module.select(commands):
        if any(word.rpartition("/")[2] in _TOOLS for word in command.command.words[:2]):
            yield command


@rule(
    "SEC-PRINT",
    Severity.MEDIA,
    over=_printing,
    fix=FixMode.AUTO,
    title="Comando que mostra um segredo",
    explanation="O que um comando imprime fica no terminal, no histórico e nos logs de CI de quem o roda.",
    remedy="Verifique que o segredo existe sem mostrá-lo: `test -s`, `-o name`, `vault kv metadata get`.",
    sources=("CON §4.1",),
    bad=Example(document="# M\n\n```bash\nkubectl exec deploy/a -- cat /vault/secrets/db\n```\n"),
    good=Example(document="# M\n\n```bash\nkubectl exec deploy/a -- ls /vault/secrets\n```\n"),
)
def printed_secret(command: CommandView) -> Iterator[Breach]:
    """Injected files, Secret objects and Vault entries that reach the terminal; captured or piped away they do not."""
    shown = [each for each in _shown(command.command.words) if not _captured(command, each.text)]
    if not shown:
        return
    changes: list[Change] = []
    for each in shown:
        place = command.locate(each.text)
        if place is not None and each.instead:
            changes.append(command.document.replace(place[0], place[1], each.text, each.instead))
    complete = len(changes) == len(shown)
    whys = "; ".join(dict.fromkeys(each.why for each in shown))
    yield command.breach(whys, at=command.locate(shown[0].text), changes=tuple(changes) if complete else ())


def _shown(words: Sequence[str]) -> Iterator[_Shown]:
    words = [word for word in words if word != "sudo"]
    text = " ".join(words)
    seen: set[str] = set()
    for found in _CAT.finditer(text):
        paths = [path for path in found[1].split() if path.startswith("/") and not _PUBLIC.search(path)]
        if paths and found[0] not in seen:
            seen.add(found[0])
            tests = " && ".join(f"test -s {path}" for path in paths)
            yield _Shown(
                text=found[0], why=f"mostra o conteúdo de `{paths[0]}`", instead=tests if "*" not in tests else ""
            )
    tool, rest = (words[0].rpartition("/")[2], words[1:]) if words else ("", [])
    if tool in {"kubectl", "oc"}:
        yield from _kubectl(rest)
    elif tool == "vault":
        yield from _vault(rest)
    elif tool == "echo":
        for word in rest:
            name = re.fullmatch(r"\$\{?([A-Za-z_]\w*)\}?", word)
            if name and is_sensitive(name[1]):
                yield _Shown(text=word, why=f"mostra o valor de `{name[1]}`")


def _kubectl(words: list[str]) -> Iterator[_Shown]:
    if "exec" in words and "--" in words:
        inner = words[words.index("--") + 1 :]
        if inner[:1] == ["printenv"] and any(is_sensitive(word) for word in inner[1:]):
            yield _Shown(text=" ".join(inner), why=f"mostra o valor de `{inner[-1]}`")
        return
    verbs = [word for word in words if not word.startswith("-")]
    if "get" not in verbs:
        return
    kind = verbs[verbs.index("get") + 1] if verbs.index("get") + 1 < len(verbs) else ""
    if kind.split("/")[0] not in {"secret", "secrets"}:
        return
    for index, word in enumerate(words):
        value = ""
        if word in {"-o", "--output"} and index + 1 < len(words):
            value = words[index + 1]
        elif word.startswith(("-o=", "--output=", "-o")) and word != "-o":
            value = word.removeprefix("--output").removeprefix("-o").lstrip("=")
        if value and _SHOWS.search(value) and not _HARMLESS.search(value):
            plain = value in {"yaml", "json", "yml"}
            separator = " " if word in {"-o", "--output"} else ""
            written = f"{word}{separator}{value}" if separator else word
            yield _Shown(
                text=written if plain else word,
                why="mostra os dados de um Secret, que base64 não protege",
                instead=written.replace(value, "name") if plain else "",
            )


def _vault(words: list[str]) -> Iterator[_Shown]:
    if words[:2] == ["kv", "get"]:
        field = any(word.startswith("-field") for word in words)
        instead = "" if field else "kv metadata get"
        yield _Shown(text="kv get", why="mostra os segredos de um caminho do Vault", instead=instead)
    elif words[:1] == ["read"] and any("creds/" in word for word in words):
        yield _Shown(text="read", why="mostra uma credencial dinâmica do Vault")


def _captured(command: CommandView, text: str) -> bool:
    """Whether the output goes into a variable, a file or another program."""
    lines = command.document.document.lines
    raw = _joined(lines, command.command.line)
    at = raw.find(text)
    if at < 0:
        return False
    before = raw[:at]
    if before.rfind("$(") > before.rfind(")") or before.count("`") % 2:
        return True
    rest = re.split(r"(?<!\|)\|\|(?!\|)|&&|;", raw[at + len(text) :], maxsplit=1)[0]
    pipes = re.search(r"(?:2?>|\||&>).*", rest)
    return bool(pipes and _SINK.match(pipes[0]))


def _joined(lines: Sequence[str], line: int) -> str:
    """The line and those that continue it, as one."""
    parts: list[str] = []
    for number in range(line, min(line + 40, len(lines)) + 1):
        part = lines[number - 1].rstrip("\r")
        parts.append(part.removesuffix("\\"))
        if not part.endswith("\\"):
            break
    return " ".join(parts)


_BOOTSTRAP = re.compile(
    r"argocd-repo|repo-creds?$|sealed-secrets-key|vault-(?:unseal|token|bootstrap)|bootstrap", re.IGNORECASE
)
_DECLARED = re.compile(r"\|\s*kubeseal|--dry-run(?:=\w{1,20})?[^|]{0,400}>\s*\S|\|\s*(?:sops|tee\s)")


@selects("comandos que criam segredos")
def _creating(module: ModuleView) -> Iterator[CommandView]:
    """Commands that create a Secret or write to Vault."""
    for command in module.select(commands):
        words = [word for word in command.command.words if word != "sudo"]
        tool = words[0].rpartition("/")[2] if words else ""
        verbs = [word for word in words[1:] if not word.startswith("-")]
        if (tool in {"kubectl", "oc"} and "create" in verbs and {"secret", "secrets"} & set(verbs)) or (
            tool == "vault" and verbs[:1] == ["kv"] and verbs[1:2] in (["put"], ["patch"])
        ):
            yield command


def _pushed(module: ModuleView) -> Iterator[frozenset[str]]:
    """Vault paths that a PushSecret of the module writes."""
    paths = (value for found in module.by_kind.get("PushSecret", ()) for path, value in found.scalars)
    yield frozenset(value for value in paths if isinstance(value, str) and "/" in value)


@rule(
    "SEC-IMPERATIVE",
    Severity.MEDIA,
    over=_creating,
    title="Segredo criado por comando",
    explanation="Um segredo criado à mão não está em Git nem é reconstruído pelo GitOps: some com o cluster, e ninguém "
    "sabe quem o pôs lá.",
    remedy="Declare-o (ExternalSecret, SealedSecret, PushSecret); se for do bootstrap, diga-o no documento.",
    sources=("COO §4.2",),
    reading="`argocd-repo-cred` e outros segredos do bootstrap são a exceção documentada.",
    bad=Example(document="# M\n\n```bash\nvault kv put kv/appgear/a b=@c\n```\n"),
    good=Example(
        document="# M\n\n```bash\nkubectl create secret generic a --from-file=b --dry-run=client | kubeseal\n```\n"
    ),
)
def imperative_secret(command: CommandView) -> Iterator[Breach]:
    """No declarative object of the module makes the same Secret or writes the same path."""
    words = [word for word in command.command.words if not word.startswith("-") and word != "sudo"]
    raw = _joined(command.document.document.lines, command.command.line)
    if words[0].rpartition("/")[2] == "vault":
        path = words[3] if len(words) > 3 else ""  # vault kv put PATH
        known = path in command.module.select(_pushed)[0]
        detail = f"`vault kv {words[2]} {path}` grava um segredo à mão"
    else:
        path = words[words.index("create") + 3] if len(words) > words.index("create") + 3 else ""
        known = path in command.module.select(provided_secrets)[0] or bool(_DECLARED.search(raw))
        detail = f"`kubectl create secret` faz o Secret `{path}` à mão"
    if not known and not _BOOTSTRAP.search(path):
        yield command.breach(detail, key=path)
