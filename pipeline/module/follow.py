"""Follows the shell fences of a document as its reader would: where each command runs, which files it writes.

State carries over from fence to fence. Only what has one meaning is taken as a file: a here-document through ``cat`` or
``tee``. Every other way to write a file is reported, none is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.domain.snapshot import Command
from pipeline.module.collector import Collector, Passage, quote_name
from pipeline.module.kinds import holds_manifest, looks_like_file
from pipeline.module.navigator import Navigator
from pipeline.module.paths import UnsafePathError, safe_path
from pipeline.module.script import Redirection, Scope, SimpleCommand, Word
from pipeline.module.shell import read_script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.module.script import Script

__all__ = ["Follower", "Place"]

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_WRAPPERS = frozenset({"sudo", "doas", "env", "command", "builtin", "exec", "nohup", "time"})
_WRAPPER_VALUES = frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U"})  # options of sudo that take a word
_SHELLS = frozenset({"sh", "bash", "zsh", "ksh", "dash", "eval"})
_INPUTS = frozenset({"<", "<<", "<<-", "<<<", "<>", "<&"})
_OUTPUTS = frozenset({">", ">>", ">|", "&>", "&>>", ">&"})
_PIPES = frozenset({"|", "|&"})
# folders of the machine, not of the module: output that lands here is no artefact
_SCRATCH = ("/dev/", "/tmp/", "/proc/", "/sys/", "/var/log/", "/var/tmp/")  # noqa: S108  # compared, never opened


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a script stands in the document: line of its first line, characters cut before each, section."""

    first_line: int
    dropped: tuple[int, ...]
    section: str

    def line(self, line: int) -> int:
        return self.first_line + line - 1


class Follower:
    """Feeds ``collector`` and gathers ``commands``, script after script."""

    def __init__(self, collector: Collector) -> None:
        self.commands: list[Command] = []
        self._collector = collector
        self._navigator = Navigator()
        self._place = Place(first_line=1, dropped=(), section="")
        self._script: Script | None = None

    def follow(self, script: Script, place: Place, *, isolated: bool = False) -> None:
        """Go through one script; ``isolated``: the folder afterwards is the one before, as with a script file."""
        self._script, self._place = script, place
        depth = self._navigator.depth
        if isolated:
            self._navigator.enter()
        flows: list[Passage | None] = []
        flow: Passage | None = None
        for item in script.items:
            if isinstance(item, SimpleCommand):
                if item.before not in _PIPES:
                    self._keep_loose(flow)  # piped into a group
                    flow = None
                flow = self._take(item, flow)
            elif item.enter:
                self._navigator.enter()
                flows.append(flow)
                flow = None
            else:
                self._navigator.leave()
                flow = flows.pop()
        for left in (*flows, flow):
            self._keep_loose(left)
        self._navigator.unwind(depth)
        for problem in script.problems:
            self._collector.report(problem.code, problem.message, place.line(problem.line))

    def _take(self, command: SimpleCommand, incoming: Passage | None) -> Passage | None:
        """Record the command and what it writes; returns the here-document that it hands on through a pipe."""
        line = self._place.line(command.line)
        words = command.words[1:] if command.words and command.words[0].value == "$" else command.words  # a prompt
        if words:
            recorded = Command(
                line=line, text=command.text.removeprefix("$ "), words=tuple(word.value for word in words),
                directory=str(self._navigator.folder), section=self._place.section,
            )  # fmt: skip
            self.commands.append(recorded)
        program, arguments = _split_program(words)
        data = self._standard_input(command, incoming)
        outputs = [output for output in command.redirections if _is_output(output)]
        if any(item.heredoc is not None for item in command.redirections) or outputs:
            self._report_holes(command, line)
        handed = self._write(program, arguments, data, outputs, line, piped=command.after in _PIPES)
        if program in _SHELLS:
            self._look_inside(program, arguments, data, line)
        if command.before != "||" and command.after != "&" and not _PIPES & {command.before, command.after}:
            self._navigator.take(program, arguments)
        return handed

    def _standard_input(self, command: SimpleCommand, incoming: Passage | None) -> Passage | None:
        """The here-document that is the command's input; those that it does not read are looked at for manifests."""
        data = incoming
        for item in command.redirections:
            passage = self._passage(item)
            if item.operator in _INPUTS and item.descriptor in (None, 0):
                self._keep_loose(data)
                data = passage
            else:
                self._keep_loose(passage)
        return data

    def _passage(self, item: Redirection) -> Passage | None:
        if item.heredoc is None or self._script is None:
            return None
        heredoc = self._script.heredocs[item.heredoc]
        first = heredoc.first_line - 1
        own = self._place.dropped[first : first + len(heredoc.lines)]
        dropped = [fence + tabs for fence, tabs in zip(own, heredoc.dropped, strict=True)]
        return Passage(
            kind="heredoc",
            lines=heredoc.lines,
            opened=self._place.line(heredoc.line),
            document_line=self._place.line(heredoc.first_line),
            dropped=tuple(dropped),
            expands=heredoc.expands,
            altered=heredoc.altered,
        )

    def _write(
        self,
        program: str,
        arguments: Sequence[Word],
        data: Passage | None,
        outputs: list[Redirection],
        line: int,
        *,
        piped: bool,
    ) -> Passage | None:
        """Write what ``cat`` and ``tee`` write; report every other output. Returns what goes into the pipe."""
        copies = program == "cat" and all(word.value == "-" for word in arguments)
        if data is None or not (copies or program == "tee"):
            targets = [word for word in arguments if program == "tee" and not word.value.startswith("-")]
            for target in [*targets, *(output.target for output in outputs)]:
                self._report_unread(target, line)
            self._keep_loose(data)
            return None
        written = False
        if program == "tee":
            append = any(re.fullmatch(r"--append|-[A-Za-z]*a[A-Za-z]*", word.value) for word in arguments)
            for word in arguments:
                if not word.value.startswith("-"):
                    written |= self._put(word, data, append=append)
        for output in outputs[:-1]:
            self._report_unread(output.target, line)
        if outputs:
            written |= self._put(outputs[-1].target, data, append=outputs[-1].operator.endswith(">>"))
        if piped and not outputs:
            return None if written else data
        if not written:
            self._keep_loose(data)
        return None

    def _put(self, target: Word, data: Passage, *, append: bool) -> bool:
        """Write ``data`` to ``target``; False when that makes no file."""
        if target.value.startswith("/dev/") or not target.value:
            return False
        folder = self._navigator.folder
        try:
            path = safe_path(target.value, folder, expands=target.active)
        except UnsafePathError as error:
            message = f"o alvo {quote_name(target.value)} {error}; o arquivo não foi criado"
            self._collector.report("unsafe-target", message, data.opened, target.value)
            return False
        self._collector.put(path, data, directory=folder.outside, append=append)
        if not folder.outside:
            self._navigator.note(path.rpartition("/")[0])
        self._report_expansion(data, path)
        return True

    def _keep_loose(self, data: Passage | None) -> None:
        if data is not None and holds_manifest(data.lines):
            self._collector.put_fragment(data)
            self._report_expansion(data, f"doc@{data.document_line}")

    # Reports

    def _report_expansion(self, data: Passage, path: str) -> None:
        if data.altered:
            message = "o delimitador sem aspas deixa o shell expandir “$”, crases ou barras invertidas do conteúdo"
            self._collector.report("expansion", message, data.opened, path)

    def _report_holes(self, command: SimpleCommand, line: int) -> None:
        words = [*command.words, *(item.target for item in command.redirections)]
        hole = next((word.value for word in words if word.hole), None)
        if hole is not None:
            message = f"um shell lê a lacuna em {quote_name(hole)} como redirecionamento; foi tomada como texto"
            self._collector.report("unsupported", message, line)

    def _report_unread(self, target: Word, line: int) -> None:
        if _is_artefact(target.value):
            message = f"a escrita em {quote_name(target.value)} não é lida: só heredocs por cat ou tee são"
            self._collector.report("unsupported", message, line, target.value)

    def _look_inside(self, program: str, arguments: Sequence[Word], data: Passage | None, line: int) -> None:
        """Report files that a script inside the script writes."""
        texts = [word.value for word in arguments if program == "eval" or not word.value.startswith("-")]
        if program != "eval" and "-c" not in {word.value for word in arguments}:
            texts = []
        if data is not None:
            texts.append("\n".join(data.lines))
        for text in texts:
            for item in read_script(text, max_words=10_000).items:
                if not isinstance(item, Scope):
                    inner, words = _split_program(item.words)
                    targets = [output.target for output in item.redirections if _is_output(output)]
                    for target in [*targets, *(word for word in words if inner == "tee")]:
                        self._report_unread(target, line)


def _split_program(words: Sequence[Word]) -> tuple[str, Sequence[Word]]:
    """The program's name without folder, and its arguments, past assignments and ``sudo``-like wrappers."""
    index, wrapped = 0, False
    while index < len(words):
        value = words[index].value
        if wrapped and value in _WRAPPER_VALUES:
            index += 1
        elif value in _WRAPPERS:
            wrapped = True
        elif not _ASSIGNMENT.match(value) and not (wrapped and value.startswith("-")):
            return value.rsplit("/", 1)[-1], words[index + 1 :]
        index += 1
    return "", ()


def _is_output(item: Redirection) -> bool:
    if item.operator not in _OUTPUTS or item.descriptor not in (None, 1):
        return False
    return item.operator != ">&" or not (item.target.value.isdigit() or item.target.value == "-")


def _is_artefact(name: str) -> bool:
    """Whether a file of this name would belong to the module rather than to the machine."""
    if not name or name.startswith((*_SCRATCH, "-", "(", ">(")):
        return False
    return looks_like_file(name) if name[0] in "/~" or "$" in name else True
