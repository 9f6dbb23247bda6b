"""What a fence holds, judged by its language, the line before it and its first keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "find_label",
    "holds_assignments",
    "holds_manifest",
    "is_shell",
    "is_yaml",
    "looks_like_file",
    "may_be_file",
    "may_be_manifest",
    "read_language",
]

_MAX_LABEL_LINE = 500  # characters; a longer line is prose

_SHELL = frozenset(
    {"bash", "sh", "shell", "zsh", "ksh", "dash", "console", "shell-session", "shellsession", "terminal"}
)
_PLAIN = frozenset({"", "text", "txt", "plaintext", "plain", "output", "log"})
_DIFF = frozenset({"diff", "patch"})
_FAMILIES = (
    (frozenset({"yaml", "yml"}), frozenset({"yaml", "yml"})),
    (frozenset({"json", "jsonc", "json5"}), frozenset({"json", "jsonc", "json5", "bpmn"})),
    (
        frozenset({"js", "jsx", "ts", "tsx", "javascript", "typescript", "mjs", "cjs"}),
        frozenset({"js", "jsx", "ts", "tsx", "mjs", "cjs"}),
    ),
    (frozenset({"css", "scss"}), frozenset({"css", "scss"})),
    (frozenset({"html", "xml", "svg"}), frozenset({"html", "xml", "svg", "bpmn", "dmn"})),
    (frozenset({"python", "py"}), frozenset({"py"})),
    (frozenset({"go", "golang"}), frozenset({"go"})),
    (frozenset({"sql"}), frozenset({"sql"})),
    (frozenset({"rego"}), frozenset({"rego"})),
    (frozenset({"hcl", "terraform", "tf"}), frozenset({"hcl", "tf", "tfvars"})),
    (frozenset({"toml"}), frozenset({"toml"})),
    (frozenset({"ini", "conf", "properties", "cfg"}), frozenset({"ini", "conf", "properties", "cfg", "env"})),
    (frozenset({"markdown", "md"}), frozenset({"md"})),
    (frozenset({"env", "dotenv"}), frozenset({"env"})),
    (frozenset({"dockerfile", "docker", "containerfile"}), frozenset({"dockerfile", "containerfile"})),
    (frozenset({"make", "makefile"}), frozenset({"makefile", "mk"})),
    (_SHELL, frozenset({"sh", "bash", "env"})),
)  # fmt: skip
_OTHER_EXTENSIONS = (
    "txt|mdx|rs|java|kt|rb|php|tpl|gotmpl|j2|csv|lock|proto|graphql|vue|svelte|service|timer|crt|pem|key|cue|ps1|bat|"
    "patch|diff|groovy|lua|njk|hbs|http|rules|example|sample|dist|template"
)
_EXTENSIONS = frozenset(_OTHER_EXTENSIONS.split("|")).union(*(extensions for _, extensions in _FAMILIES))
_NAMES = re.compile(
    r"\.(?:env|gitignore|dockerignore|containerignore|npmrc|yarnrc|editorconfig|gitattributes|helmignore|nvmrc)(?:\.[\w-]+)*"
    r"|(?:Dockerfile|Containerfile|Makefile|Procfile|Jenkinsfile|Caddyfile|Vagrantfile|Justfile|Tiltfile)(?:\.[\w-]+)?"
    r"|CODEOWNERS|LICENSE"
)
_EXTENSION = re.compile(r"[^/]\.([A-Za-z][A-Za-z0-9]{0,9})$")
_PATH = re.compile(r"[\w.~/\\$(){}<>@+ -]+")
_DOTENV = re.compile(r"(?:^|/)[\w-]*\.env(?:\.[\w-]+)*$")

_LANGUAGE = re.compile(r"[{.\s]*([\w+#-]+)")
_HEREDOC = re.compile(r"^[ \t]*(?:\$ )?(?:sudo )?(?:cat|tee)\b[^\n]*<<-?[ \t]*[^\s<]", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[ \t]*(?:#|$|(?:export[ \t]+)?[A-Za-z_][\w.]*=)")
_TOP_KEY = re.compile(r"[\"']?(apiVersion|kind|services)[\"']?[ \t]*:(?=[ \t]|$)")

_SPAN = re.compile(r"`([^`]+)`")
_TAIL = re.compile(r"[)\]*_:.\s]*(?:\([^()`]*\))?[)\]*_:.\s]*")
_NAMING = re.compile(
    r"[\W\d_]*(?:(?:o|a|no|na|em|de|do|da|e|ex|novo|como|crie|criar|create|edite|editar|salve|salvar|arquivo|ficheiro|file"
    r"|exemplo|example|conteúdo|manifesto|manifest|template)\b[\W\d_]*)*",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"[#>*\s+-]*(?:arquivo|file)?[:*_\s]*([\w.][\w./<>@+-]*?)[*_]*\s*(?:\([^()]*\))?[\s:*_]*", re.IGNORECASE
)


def is_yaml(path: str) -> bool:
    """Whether the name says YAML."""
    return path.lower().endswith((".yaml", ".yml"))


def read_language(info: str) -> str:
    """The language of an info string in lower case, "" when there is none: ``{.yaml title=x}`` → ``yaml``."""
    found = _LANGUAGE.match(info)
    return found[1].lower() if found else ""


def is_shell(language: str, content: str) -> bool:
    """Whether the fence is to be read as shell: by language, or with none when it writes by a here-document."""
    return language in _SHELL or (language in _PLAIN and _HEREDOC.search(content) is not None)


def looks_like_file(name: str) -> bool:
    """Whether ``name`` reads as a path of a file: a known extension or name, or a folder and any extension."""
    if not _PATH.fullmatch(name) or name.endswith((" ", "/")):
        return False
    base = name.rsplit("/", 1)[-1]
    if _NAMES.fullmatch(base):
        return True
    found = _EXTENSION.search(name)
    if found is None:
        return False
    return found[1].lower() in _EXTENSIONS or ("/" in name and not name.startswith(("/", "~")))


def find_label(before: Iterable[str], language: str) -> str | None:
    """The path that the last non-blank line before a fence gives it; ``before`` goes upwards from the fence.

    A line that only names the path is taken at its word; one that says more only when the path ends the sentence and
    the language is that of its extension (``Registrar rotas em `src/App.tsx`:`` before a ``tsx`` fence).
    """
    line = next((line.strip() for line in before if line.strip()), "")
    if not line or len(line) > _MAX_LABEL_LINE:
        return None
    spans = list(_SPAN.finditer(line))
    if spans:
        name, head = spans[-1][1].strip(), line[: spans[-1].start()]
        if not _TAIL.fullmatch(line, spans[-1].end()):
            return None
    else:
        found = _BARE.fullmatch(line)
        name, head = (found[1], "") if found else ("", "")
    if not looks_like_file(name) or language in _DIFF:
        return None
    if _fits(language, name):
        return name
    return name if language not in _SHELL and _NAMING.fullmatch(head) else None


def may_be_file(language: str, label: str, lines: Sequence[str]) -> bool:
    """Whether a labelled fence is the file: not when it is shell or plain text, unless it can be nothing else.

    It can be nothing else as an ``.env`` that holds assignments only, or a script that begins with ``#!``.
    """
    if language not in _SHELL and (language not in _PLAIN or language == ""):
        return True
    return (holds_assignments(lines) and _DOTENV.search(label) is not None) or bool(lines and lines[0].startswith("#!"))


def may_be_manifest(language: str) -> bool:
    """Whether an unlabelled fence of this language is searched for whole manifests."""
    return language in {"", "yaml", "yml"}


def holds_assignments(lines: Sequence[str]) -> bool:
    """Whether every line is ``NAME=value``, a comment or blank."""
    return all(_ASSIGNMENT.match(line) for line in lines)


def holds_manifest(lines: Iterable[str]) -> bool:
    """Whether some YAML document has ``apiVersion`` and ``kind``, or ``services``, among its outermost keys."""
    seen: set[str] = set()
    margin: int | None = None
    for line in lines:
        text = line.lstrip(" ")
        if line.startswith("---"):
            seen.clear()
            margin = None
            continue
        if margin is None:
            if not text or text[0] == "#":
                continue
            margin = len(line) - len(text)
        if len(line) - len(text) == margin and (found := _TOP_KEY.match(text)):
            seen.add(found[1])
            if "services" in seen or len(seen) == 2:
                return True
    return False


def _fits(language: str, name: str) -> bool:
    base = name.rsplit("/", 1)[-1].lower()
    suffix = "env" if _DOTENV.search(name) else base.rsplit(".", 1)[-1]
    kinds = {suffix, base.split(".", 1)[0]}
    return any(language in languages and kinds & extensions for languages, extensions in _FAMILIES)
