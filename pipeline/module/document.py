"""Reads a module document: bytes in, lines, headings, fences, commands and embedded files out. No I/O."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from pipeline.codec import sha256_hex
from pipeline.domain.snapshot import Document, Fence, Heading
from pipeline.errors import InputError
from pipeline.module.blocks import Block, scan_blocks
from pipeline.module.collector import Collector, Passage, quote_name
from pipeline.module.follow import Follower, Place
from pipeline.module.kinds import (
    find_label,
    holds_assignments,
    holds_manifest,
    is_shell,
    may_be_file,
    may_be_manifest,
    read_language,
)
from pipeline.module.paths import UnsafePathError, safe_path
from pipeline.module.shell import MAX_WORDS, read_script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.module.script import Script

__all__ = ["MAX_BYTES", "MAX_LINES", "read_document"]

MAX_BYTES = 20 * 1024 * 1024
MAX_LINES = 1_000_000
_MAX_FENCES = 50_000

_BOM = "\ufeff"
# the UTF-32 mark begins with that of UTF-16
_FOREIGN_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def read_document(data: bytes, *, path: str, max_bytes: int = MAX_BYTES, max_lines: int = MAX_LINES) -> Document:
    """The document as a value; ``path`` is only for messages.

    ``text`` is the exact content, byte order mark and CRs included; ``lines`` are its LF-separated lines without one
    trailing CR each. Embedded files are the lines of the document less what ``Segment.dropped`` says, joined by LF.
    InputError for more than ``max_bytes`` or ``max_lines``, text that is not UTF-8 or holds NUL, and for documents
    with absurd numbers of files or shell words. Everything else that cannot be taken over is in ``problems``.
    """
    if len(data) > max_bytes:
        raise InputError(f"o documento passa de {max_bytes} bytes", where=path, mend="divida o módulo")
    text = _decode(data, path)
    lines = tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")) if text else ()
    if len(lines) > max_lines:
        raise InputError(f"o documento passa de {max_lines} linhas", where=path, mend="divida o módulo")
    headings, blocks = scan_blocks((lines[0].removeprefix(_BOM), *lines[1:]) if lines else ())
    if len(blocks) > _MAX_FENCES:
        raise InputError(f"o documento passa de {_MAX_FENCES} blocos de código", where=path, mend="divida o módulo")
    reader = _FenceReader(path, lines, headings)
    for block in blocks:
        reader.read(block)
    return Document(
        path=path,
        text=text,
        sha256=sha256_hex(data),
        lines=lines,
        headings=headings,
        fences=tuple(reader.fences),
        commands=tuple(reader.follower.commands),
        fenced_lines=frozenset(line for block in blocks for line in range(block.line, block.last_line + 1)),
        files=reader.collector.files(),
        problems=tuple(reader.collector.problems),
    )


def _decode(data: bytes, path: str) -> str:
    mend = "grave o documento em UTF-8"
    for mark, name in _FOREIGN_MARKS:
        if data.startswith(mark):
            raise InputError(f"está em {name}, não em UTF-8 (marca no byte 0)", where=path, mend=mend)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"não é UTF-8 válido: byte 0x{data[error.start]:02X} na posição {error.start}"
        raise InputError(message, where=f"{path}:{line}", mend=mend) from error
    offset = data.find(b"\0")
    if offset >= 0:
        line = data.count(b"\n", 0, offset) + 1
        raise InputError(f"contém um byte NUL na posição {offset}", where=f"{path}:{line}", mend="retire o byte")
    return text


class _FenceReader:
    """Turns blocks into fences, and their content into files and commands, in document order."""

    def __init__(self, path: str, lines: Sequence[str], headings: Sequence[Heading]) -> None:
        self.fences: list[Fence] = []
        self.collector = Collector(path)
        self.follower = Follower(self.collector)
        self._path = path
        self._lines = lines
        self._sections = [heading for heading in headings if heading.level <= 2]
        self._section_lines = [heading.line for heading in self._sections]
        self._words_left = MAX_WORDS
        self._last_line = 0  # of the block before

    def read(self, block: Block) -> None:
        fence, script = self._build(block)
        self.fences.append(fence)
        self._last_line = block.last_line
        if not block.closed:
            self.collector.report("unclosed", "bloco de código sem a cerca final", block.line)
        passage = Passage(
            kind="fence",
            lines=block.content,
            opened=block.line,
            document_line=fence.first_line,
            dropped=block.dropped,
        )
        is_file = fence.label is not None and may_be_file(fence.language, fence.label, block.content)
        placed = is_file and fence.label is not None and self._put(fence.label, passage)
        if script is not None:
            if not (is_file and holds_assignments(block.content)):
                place = Place(first_line=fence.first_line, dropped=block.dropped, section=fence.section)
                self.follower.follow(script, place, isolated=is_file)
        elif not placed and may_be_manifest(fence.language) and holds_manifest(block.content):
            self.collector.put_fragment(passage)

    def _build(self, block: Block) -> tuple[Fence, Script | None]:
        content = "".join(f"{line}\n" for line in block.content)
        language = read_language(block.info)
        script = self._read_script(content) if is_shell(language, content) else None
        label = None
        if script is None or not script.heredocs:  # before a fence that itself writes, the line names what it writes
            above = (self._lines[index - 1] for index in range(block.line - 1, self._last_line, -1))
            label = find_label(above, language)
        fence = Fence(
            language=language,
            info=block.info,
            line=block.line,
            first_line=block.line + 1,
            line_count=len(block.content),
            indent=block.indent,
            content=content,
            label=label,
            section=self._section(block.line),
            dropped=block.dropped,
        )
        return fence, script

    def _read_script(self, content: str) -> Script:
        script = read_script(content, max_words=self._words_left)
        self._words_left -= script.word_count
        if self._words_left < 0:
            message = f"mais de {MAX_WORDS} palavras em blocos de shell"
            raise InputError(message, where=self._path, mend="divida o módulo")
        return script

    def _section(self, line: int) -> str:
        index = bisect_right(self._section_lines, line) - 1
        return self._sections[index].text if index >= 0 and self._sections[index].level == 2 else ""

    def _put(self, label: str, passage: Passage) -> bool:
        try:
            self.collector.put(safe_path(label), passage)
        except UnsafePathError as error:
            message = f"o rótulo {quote_name(label)} {error}; o arquivo não foi criado"
            self.collector.report("unsafe-target", message, passage.opened, label)
            return False
        return True
