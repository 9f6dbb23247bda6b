"""SEC-ENVPATH, SEC-ENVEXAMPLE, SEC-DISK, SEC-HASH: files that hold secrets, and where they may be."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.audit.hints import hint
from pipeline.audit.rule import Example, rule
from pipeline.audit.select import commands
from pipeline.audit.selecting import selects
from pipeline.audit.texts import FenceView, sources
from pipeline.audit.views import CommandView, FileView, ObjectView
from pipeline.domain.finding import CreateFile, FixMode, Severity
from pipeline.rules.secrets_words import is_sensitive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView
    from pipeline.domain.finding import Change

__all__ = ["credential_on_disk", "env_example", "env_path", "password_hash"]

_EXAMPLE = re.compile(r"(?:^|[._-])(?:example|exemplo|sample|template|dist|tpl)(?:[._-]|$)", re.IGNORECASE)
_ENV_NAME = re.compile(r"\.env(?:\.[\w-]+)*|[\w-]+\.env")
_ENV_WORD = re.compile(r"(?:^|(?<=[\s=\"']))((?:[\w./-]+/)?\.env(?:\.[\w-]+)*)(?=$|[\s\"';)])")
_READS = re.compile(
    r"--env-file\b|^\s*(?:source|\.)\s|\bset -a\b.{0,200}\.env|>>?\s{0,9}[\"']?\S{0,200}\.env|"
    r"^\s*(?:sudo\s+)?(?:cp|mv|touch|tee)\s"
)
_HEREDOC_WRITE = re.compile(r"(?P<verb>cat)\s*>{1,2}\s*(?P<target>[^\s<>]+)\s*<<-?\s*(?:[\"']\w+[\"']|\w+)\s*$")


def _is_env(name: str) -> bool:
    return bool(_ENV_NAME.fullmatch(name)) and not _EXAMPLE.search(name)


@selects("arquivos `.env`")
def _env_files(module: ModuleView) -> Iterator[FileView | FenceView]:
    """``.env`` files, those under a name that became no file too."""
    yield from (source for source in module.select(sources) if _is_env(source.name))


def _resolved(source: FileView | FenceView) -> str:
    """Absolute path of a file that a ``cd`` put outside the tree; its path in the tree otherwise."""
    if isinstance(source, FenceView):
        return source.fence.label or source.name
    outside = source.source.directory
    if not outside:
        return source.path
    moved = re.sub(r"[^A-Za-z0-9]", "", source.folder) == re.sub(r"[^A-Za-z0-9]", "", outside)
    return posixpath.normpath(posixpath.join(outside, source.name if moved else source.path))


def _central(module: ModuleView) -> frozenset[str]:
    policy = module.policy
    return frozenset({policy.central_env, "/config/.env.core", f"{policy.appgear_root}/config/.env.core"})


@selects("arquivos `.env` e comandos que os usam")
def _env_uses(module: ModuleView) -> Iterator[FileView | FenceView | CommandView]:
    """``.env`` files, and the commands that read or write one."""
    yield from module.select(_env_files)
    yield from (command for command in module.select(commands) if any(_named_envs(command)))


def _named_envs(command: CommandView) -> Iterator[tuple[str, str]]:
    """``.env`` paths that the command uses, as written and resolved; those under an unknown folder left out."""
    text = command.command.text
    if not _READS.search(text):
        return
    words = _ENV_WORD.findall(text)
    for written in words[-1:] if re.match(r"\s*(?:sudo\s+)?(?:cp|mv)\s", text) else words:
        resolved = posixpath.normpath(posixpath.join(command.command.directory, written))
        if resolved.startswith("/") and _is_env(posixpath.basename(resolved)):
            yield written, resolved


@rule(
    "SEC-ENVPATH",
    Severity.MEDIA,
    over=_env_uses,
    fix=FixMode.AUTO,
    title="`.env` fora do caminho central",
    explanation="Cada `.env` a mais é uma cópia das credenciais que diverge das outras e fica de fora da rotação.",
    remedy="Acrescente as variáveis ao `.env` central e aponte os comandos para ele.",
    sources=("STK integration_actions.env", "STK configuration", "CORE §2.3", "CON §3.1"),
    reading="O central é `/opt/appgear/.env` (CON §3.1, STK); `/config/.env.core` (CORE §2.3) também é aceito. O "
    "caminho vale depois de seguir o `cd`.",
    bad=Example(document="# M\n\n```bash\ncd /opt/appgear/x\ncat > .env << 'EOF'\nA=1\nEOF\n```\n"),
    good=Example(document="# M\n\n```bash\ncd /opt/appgear\ncat > .env << 'EOF'\nA=1\nEOF\n```\n"),
)
def env_path(found: FileView | FenceView | CommandView) -> Iterator[Breach]:
    """The resolved path is not a central one. A command on a file that the module itself writes is mended with it."""
    module = found.module
    central = _central(module)
    if not isinstance(found, CommandView):
        resolved = _resolved(found)
        if resolved not in central:
            detail = f"`{resolved}` não é o `.env` central (`{module.policy.central_env}`)"
            yield found.breach(detail, key=resolved, changes=_moved(found, resolved))
        return
    written_here = {_resolved(file) for file in module.select(_env_files)}
    for written, resolved in _named_envs(found):
        if resolved not in central and resolved not in written_here:
            detail = f"o comando usa `{resolved}`, que não é o `.env` central"
            yield found.breach(detail, at=found.locate_word(written), key=resolved, changes=_pointed(found, written))


def _pointed(command: CommandView, written: str) -> tuple[Change, ...]:
    """The command made to name the central file."""
    place = command.locate_word(written)
    if place is None:
        return ()
    return (command.document.replace(place[0], place[1], written, command.module.policy.central_env),)


def _moved(source: FileView | FenceView, resolved: str) -> tuple[Change, ...]:
    """The here-document appended to the central file, and every command that named the old one."""
    view = source.module.document
    if view is None or isinstance(source, FenceView):
        return ()
    line = source.source.origin.document_line
    if line is None or source.source.origin.kind != "heredoc" or not source.source.directory:
        return ()
    written = _HEREDOC_WRITE.search(view.document.lines[line - 2])
    if written is None:
        return ()
    folder, _, name = source.module.policy.central_env.rpartition("/")
    rest = written[0].rstrip()[written.end("target") - written.start() :]
    old = written[0].rstrip()
    new = f"cd {folder} && cat >> {name}{rest} && cd -"
    changes: list[Change] = [view.replace(line - 1, written.start() + 1, old, new)]
    for command in source.module.select(commands):
        for word, path in _named_envs(command):
            if path == resolved and command.command.line != line - 1:
                changes += _pointed(command, word)
    return tuple(changes)


def _examples(module: ModuleView) -> Iterator[str]:
    """Names of example files that the module has, or that its commands copy."""
    yield from (file.name for file in module.files if ".env" in file.name and _EXAMPLE.search(file.name))
    for command in module.select(commands):
        yield from (word for word in command.command.words if ".env" in word and _EXAMPLE.search(word))


@rule(
    "SEC-ENVEXAMPLE",
    Severity.MEDIA,
    over=_env_files,
    fix=FixMode.AUTO,
    title="`.env` real no documento, sem `.env.example`",
    explanation="Só o `.env.example` é versionado: um `.env` real no documento acaba em Git com os valores dentro.",
    remedy="Versione um `.env.example` com os nomes das variáveis e deixe os valores no `.env` central, fora do Git.",
    sources=("STK integration_actions.env", "CORE §2.3", "CON §4.1"),
    bad=Example(files={".env": "A=1\n"}),
    good=Example(files={".env": "A=1\n", ".env.example": "A=\n"}),
)
def env_example(source: FileView | FenceView) -> Iterator[Breach]:
    """No example file stands beside it, nor anywhere in the module."""
    if any(_examples(source.module)):
        return
    detail = f"`{_resolved(source)}` tem valores reais e não há `.env.example`"
    yield source.breach(detail, key="example", changes=_with_example(source))


def _with_example(source: FileView | FenceView) -> tuple[Change, ...]:
    """A file beside one of the tree; beside one that the document writes, a here-document that writes the example."""
    content = "\n".join(_blanked(line) for line in source.text.rstrip("\n").split("\n")) + "\n"
    if isinstance(source, FenceView) or source.source.origin.kind == "fence":
        return ()
    if source.source.origin.kind == "tree":
        return (CreateFile(path=f"{source.folder}/.env.example".lstrip("/"), content=content),)
    view, segments = source.module.document, source.source.segments
    if view is None or len(segments) != 1 or any(segments[0].dropped):
        return ()
    end = segments[0].document_line + segments[0].line_count
    delimiter = view.document.lines[end - 1]
    folder = "" if source.source.directory or not source.folder else f"{source.folder}/"
    block = f"{delimiter}\n\ncat > {folder}.env.example << '{delimiter}'\n{content}{delimiter}"
    return (view.replace(end, 1, delimiter, block),)


def _blanked(line: str) -> str:
    """The line without its value where the name is sensitive, or the value holds a password."""
    name, equals, value = line.partition("=")
    if not equals or line.lstrip().startswith("#"):
        return line
    secret = is_sensitive(name.strip().removeprefix("export ")) or ("://" in value and "@" in value)
    return f"{name}=" if secret else line


_DISK_NAME = re.compile(
    r"(?:[\w.-]*[-_.])?(?:credentials?|credenciais|credencial)(?:[-_.][\w.-]*)?\.?(?:txt|json|ini|csv|env|ya?ml|conf)?|"
    r"credentials?-[\w-]+|(?:senhas?|passwords?|secrets?|tokens?|api[-_]?keys?)\.(?:txt|json|csv|ini)|"
    r"(?:vault|unseal|root)[-_](?:init|keys?|token|unseal)[\w-]*\.(?:txt|json)|init\.(?:txt|json)",
    re.IGNORECASE,
)
_LONGEST_NAME = 255
_MOUNTS = ("/vault/secrets", "/var/run/secrets", "/run/secrets", "/etc/", "/tmp/.X", "kv/", "secret/", "database/")  # noqa: S108
_SAFE_ENDS = (".md", ".rego", ".ts", ".tsx", ".py", ".js", ".go", ".java", ".sh", ".html", "/")


@selects("arquivos e comandos")
def _writers(module: ModuleView) -> Iterator[FileView | CommandView]:
    yield from module.files
    yield from module.select(commands)


@rule(
    "SEC-DISK",
    Severity.MEDIA,
    over=_writers,
    title="Arquivo de credenciais em disco",
    explanation="Um arquivo de credenciais fica no disco, no histórico e nos backups de quem o criou, fora do Vault.",
    remedy="Leia a credencial do Vault por referência (ExternalSecret) ou por entrada padrão, sem gravar arquivo.",
    sources=("COO §7.2",),
    bad=Example(document="# M\n\n```bash\nvelero install --secret-file ./credentials-velero\n```\n"),
    good=Example(document="# M\n\n```bash\ncat /vault/secrets/credentials.txt\n```\n"),
)
def credential_on_disk(found: FileView | CommandView) -> Iterator[Breach]:
    """A path such as ``credentials-*.txt``; a mounted path is none."""
    if isinstance(found, FileView):
        if (
            _DISK_NAME.fullmatch(found.name[-_LONGEST_NAME:])
            and not found.objects
            and not found.name.endswith(_SAFE_ENDS)
        ):
            yield found.breach(f"`{found.name}` é um arquivo de credenciais", key=found.name)
        return
    targets = re.findall(r">>?\s*([^\s<>|;&\"']+)", found.command.text)
    for word in dict.fromkeys([*found.command.words, *targets]):
        path = word.partition("=")[2] or word
        if "://" in path or "$(" in path or path.startswith(_MOUNTS) or path.endswith(_SAFE_ENDS) or " " in path:
            continue
        path = path.removeprefix("@").removeprefix("cloud=")
        name = posixpath.basename(path[-_LONGEST_NAME:])
        plain = "/" in path or "." in name or path in targets or word.startswith("--")
        if plain and _DISK_NAME.fullmatch(name) and not word.startswith(("vault:", "secret/")):
            yield found.breach(f"o comando usa o arquivo de credenciais `{path}`", at=found.locate(path), key=path)


_HASH = re.compile(
    r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{20,60}|\$argon2(?:id|i|d)\$v=[^\s\"']{10,200}|\$[56]\$[^\s$\"']{1,20}\$[./A-Za-z0-9]{20,90}|"
    r"\$(?:apr1|1)\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{20,24}|\{S?SHA(?:256|512)?\}[A-Za-z0-9+/=]{16,120}|"
    r"pbkdf2[_:-]sha\d+[$:][^\s\"']{16,200}"
)
_HASHED = hint("$2", "$argon2", "$5$", "$6$", "$apr1$", "$1$", "SHA}", "SHA256}", "SHA512}", "pbkdf2", "$$")
_HASH_SAID = "há um hash de senha; quem lê o repositório pode quebrá-lo fora da plataforma"
_ROTATION = re.compile(r"rotaç|rotacion|rotat|trocad[ao] no primeiro|troque", re.IGNORECASE)


@selects("todo texto, Secrets e comandos")
def _texts(module: ModuleView) -> Iterator[FileView | FenceView | ObjectView | CommandView]:
    """Every text; Secret objects once more, for their encoded values; commands."""
    yield from module.select(sources)
    yield from (found for found in module.by_kind.get("Secret", ()) if not found.group)
    yield from module.select(commands)


@rule(
    "SEC-HASH",
    Severity.MEDIA,
    over=_texts,
    title="Hash de senha em Git",
    explanation="Um hash versionado pode ser quebrado fora da plataforma, sem limite de tentativas nem rastro.",
    remedy="Guarde o hash no Vault; se for do bootstrap, escreva no documento a política que o troca.",
    sources=("COO §7.3",),
    reading="No bootstrap o hash é aceito quando o documento fala da rotação dele.",
    bad=Example(files={"users.txt": "admin:$2a$10$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234\n"}),
    good=Example(files={"users.txt": "admin:${ADMIN_HASH}\n"}),
)
def password_hash(found: FileView | FenceView | ObjectView | CommandView) -> Iterator[Breach]:
    """bcrypt, argon2, crypt, SSHA and PBKDF2 hashes, as they stand or in base64."""
    if _rotates(found.module):
        return
    if isinstance(found, ObjectView):
        data = found.get("data")
        for name, value in data.items() if isinstance(data, dict) else ():
            if isinstance(value, str) and _HASH.search(_decoded(value)):
                yield replace(found.breach(_HASH_SAID, "data", name, key=name), secrets=(value,))
    elif isinstance(found, CommandView):
        for held in _HASH.finditer(found.command.text):
            yield replace(found.breach(_HASH_SAID, at=found.locate(held[0]), key="hash"), secrets=(held[0],))
    elif found.hints & _HASHED:
        for number, line in enumerate(found.lines, 1):
            for held in _HASH.finditer(line.replace("$$", "$")):
                made = found.breach(_HASH_SAID, line=number, column=max(line.find(held[0]), 0) + 1, key="hash")
                yield replace(made, secrets=(held[0], held[0].replace("$", "$$")))


def _rotates(module: ModuleView) -> bool:
    view = module.document
    return view is not None and bool(module.select(_rotation_lines))


def _rotation_lines(module: ModuleView) -> Iterator[str]:
    """Prose that speaks of rotating a hash or an initial password."""
    view = module.document
    for _, line in view.document.prose() if view is not None else ():
        if _ROTATION.search(line) and re.search(r"hash|bcrypt|htpasswd|senha|admin|bootstrap", line, re.IGNORECASE):
            yield line


def _decoded(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return text
