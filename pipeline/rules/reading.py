"""READ: what reading the module could not take over. Rules of this project: their source is its threat model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.audit.rule import Example, rule
from pipeline.audit.selecting import selects
from pipeline.audit.views import DocumentView, FileView
from pipeline.codec import sha256_hex, visible
from pipeline.domain.finding import Severity
from pipeline.domain.snapshot import Origin, ReadProblem, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ModuleView

__all__ = [
    "colliding_path",
    "conflicting_blocks",
    "expanded_heredoc",
    "over_limit",
    "special_file",
    "unclosed_block",
    "undecodable",
    "unsafe_target",
    "unsupported_write",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    """The document or a file, with the problems of one kind that reading it met."""

    view: DocumentView | FileView
    problems: tuple[ReadProblem, ...]

    @property
    def object(self) -> object:
        """Where it stands, for the engine."""
        return self.view


def _with(code: str) -> Callable[[ModuleView], Iterator[_Read]]:
    """The document and every file, each with its problems of this code; files that were not read count too."""

    @selects("documento e arquivos")
    def select(module: ModuleView) -> Iterator[_Read]:
        left = [problem for problem in module.snapshot.problems if problem.code == code]
        document = module.document
        if document is not None:
            here = tuple(each for each in left if each.document_line is not None or each.path in (None, "doc"))
            yield _Read(view=document, problems=here)
            left = [each for each in left if each not in here]
        by_path: dict[str, list[ReadProblem]] = {}
        for problem in left:
            by_path.setdefault(problem.path or "doc", []).append(problem)
        (clean,) = module.select(_clean)
        if not by_path:
            yield from clean.values()
            return
        for path, read in clean.items():
            yield _Read(view=read.view, problems=tuple(by_path.pop(path))) if path in by_path else read
        for path, problems in sorted(by_path.items()):
            yield _Read(view=_unread(module, path), problems=tuple(problems))

    return select


def _clean(module: ModuleView) -> Iterator[dict[str, _Read]]:
    """Every file without a problem; that is nearly all, and nine rules ask."""
    yield {file.path: _Read(view=file, problems=()) for file in module.files}


def _unread(module: ModuleView, path: str) -> FileView:
    """A stand-in for a file that was refused, so that the breach names its path."""
    return FileView(
        source=SourceFile(path=visible(path), content=b"", sha256=sha256_hex(b""), origin=Origin(kind="tree")),
        module=module,
    )


def _breaches(read: _Read) -> Iterator[Breach]:
    for problem in read.problems:
        named = f"`{problem.path}`: " if problem.path and isinstance(read.view, DocumentView) else ""
        line = problem.document_line if isinstance(read.view, DocumentView) and problem.document_line else 1
        yield read.view.breach(f"{named}{problem.message}", line=line, key=problem.path or "")


_GOOD = Example(document="# Módulo 01 – A\n\n```bash\ncat > apps/a.txt << 'EOF'\ntexto\nEOF\n```\n")


def _shell(body: str) -> Example:
    return Example(document=f"# Módulo 01 – A\n\n```bash\n{body}\n```\n")


@rule(
    "READ-TARGET",
    Severity.ALTA,
    over=_with("unsafe-target"),
    title="Bloco que grava fora da árvore do módulo",
    explanation=(
        "O caminho de destino sai da árvore (`..`, `~`, variável, barra invertida…): o arquivo não foi criado, e quem "
        "seguisse o documento gravaria onde não deve."
    ),
    remedy="Use um caminho relativo, dentro da árvore do módulo.",
    sources=("Modelo de ameaças T01",),
    bad=_shell("cat > ../../fora.yaml << 'EOF'\na: 1\nEOF"),
    good=_GOOD,
)
def unsafe_target(read: _Read) -> Iterator[Breach]:
    """A target that the reader refused."""
    yield from _breaches(read)


@rule(
    "READ-EXPAND",
    Severity.MEDIA,
    over=_with("expansion"),
    title="Heredoc que o shell expande",
    explanation=(
        "Com o delimitador sem aspas o shell troca `$` e crases pelo que há na máquina de quem copia: o arquivo "
        "gravado não é o que está no documento."
    ),
    remedy="Ponha o delimitador entre aspas (`<< 'EOF'`) ou escape cada `$` que deve ficar.",
    sources=("Modelo de ameaças T02",),
    bad=_shell("cat > a.txt << EOF\nusuario=$USER\nEOF"),
    good=_GOOD,
)
def expanded_heredoc(read: _Read) -> Iterator[Breach]:
    """An unquoted delimiter with something to expand in the body."""
    yield from _breaches(read)


@rule(
    "READ-CONFLICT",
    Severity.MEDIA,
    over=_with("conflict"),
    title="Dois blocos gravam o mesmo arquivo com conteúdos diferentes",
    explanation="Vale o último, como no shell; o leitor do primeiro bloco não tem como saber.",
    remedy="Deixe um só bloco por arquivo, ou use `cat >>` onde a intenção é acrescentar.",
    sources=("Modelo de ameaças T03",),
    bad=_shell("cat > a.txt << 'EOF'\num\nEOF\ncat > a.txt << 'EOF'\ndois\nEOF"),
    good=_GOOD,
)
def conflicting_blocks(read: _Read) -> Iterator[Breach]:
    """Two contents for one path."""
    yield from _breaches(read)


@rule(
    "READ-COLLISION",
    Severity.ALTA,
    over=_with("collision"),
    title="Caminhos que só diferem por maiúsculas ou forma Unicode",
    explanation="Em parte dos sistemas de arquivos os dois são o mesmo arquivo: um apaga o outro em silêncio.",
    remedy="Dê nomes diferentes aos dois arquivos.",
    sources=("Modelo de ameaças T01",),
    bad=_shell("cat > a.txt << 'EOF'\num\nEOF\ncat > A.txt << 'EOF'\num\nEOF"),
    good=_GOOD,
)
def colliding_path(read: _Read) -> Iterator[Breach]:
    """Twins of one path."""
    yield from _breaches(read)


@rule(
    "READ-UNSUPPORTED",
    Severity.MEDIA,
    over=_with("unsupported"),
    title="Gravação que a leitura não acompanha",
    explanation="O conteúdo gravado por este comando não foi auditado: nenhum veredito o cobre.",
    remedy="Grave o arquivo com `cat > caminho << 'EOF'` ou num bloco rotulado com o caminho.",
    sources=("Modelo de ameaças T02",),
    bad=_shell("printf 'a: 1' > apps/a.yaml"),
    good=_GOOD,
)
def unsupported_write(read: _Read) -> Iterator[Breach]:
    """A redirection that is not read."""
    yield from _breaches(read)


@rule(
    "READ-UNCLOSED",
    Severity.ALTA,
    over=_with("unclosed"),
    title="Bloco ou heredoc sem fim",
    explanation="Não se sabe onde o arquivo termina: o que vem depois pode ter sido lido como parte dele.",
    remedy="Feche o bloco, com o delimitador sozinho na linha.",
    sources=("Modelo de ameaças T02",),
    bad=_shell("cat > a.txt << 'EOF'\num"),
    good=_GOOD,
)
def unclosed_block(read: _Read) -> Iterator[Breach]:
    """A heredoc or fence without end."""
    yield from _breaches(read)


def _met(code: Any, message: str) -> Example:
    """A problem that only reading from disk can meet."""
    return Example(files={"a.yaml": "a: 1\n"}, problems=(ReadProblem(code=code, message=message, path="b"),))


@rule(
    "READ-ENCODING",
    Severity.ALTA,
    over=_with("encoding"),
    title="Texto que não é UTF-8",
    explanation="Cada ferramenta leria estes bytes de um modo; o que se auditou pode não ser o que se aplica.",
    remedy="Grave o arquivo em UTF-8, sem bytes inválidos.",
    sources=("Modelo de ameaças T08",),
    bad=_met("encoding", "não é UTF-8: byte 3 (0xff)"),
    good=_GOOD,
)
def undecodable(read: _Read) -> Iterator[Breach]:
    """Bytes or a name that are not UTF-8."""
    yield from _breaches(read)


@rule(
    "READ-SPECIAL",
    Severity.ALTA,
    over=_with("special"),
    title="Link, dispositivo ou submódulo no lugar de um arquivo",
    explanation="O que está por trás dele não foi lido, de propósito: pode estar fora da árvore ou mudar sem aviso.",
    remedy="Ponha no lugar um arquivo comum, com o conteúdo.",
    sources=("Modelo de ameaças T06", "Modelo de ameaças T07"),
    bad=_met("special", "link simbólico; não foi lido"),
    good=_GOOD,
)
def special_file(read: _Read) -> Iterator[Breach]:
    """Anything that is no regular file."""
    yield from _breaches(read)


@rule(
    "READ-LIMIT",
    Severity.ALTA,
    over=_with("limit"),
    title="Conteúdo acima dos limites de leitura",
    explanation="O que passa do limite não foi lido, e por isso não foi auditado.",
    remedy="Divida o conteúdo, ou retire do módulo o que não é texto de configuração.",
    sources=("Modelo de ameaças T04", "Modelo de ameaças T06"),
    bad=_met("limit", "30000000 bytes, acima do limite de 20000000; não foi lido"),
    good=_GOOD,
)
def over_limit(read: _Read) -> Iterator[Breach]:
    """Size, count or depth beyond the bound."""
    yield from _breaches(read)
