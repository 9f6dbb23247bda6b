"""``verificar``: an artifacts folder, a run, a pack as zip or folder; every wrong thing on a line of its own."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.adapters.archive import open_archive
from pipeline.adapters.artifacts import open_artifacts_to_check
from pipeline.codec import visible
from pipeline.errors import ExitCode, IntegrityError, UsageError
from pipeline.evidence.verify import SEAL, PackFiles, PackQuestion, verify_pack
from pipeline.report.text import counted
from pipeline.store_verify import verify_store
from pipeline.unpacking import check_run, folder_files, run_files, runs_with_packs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.evidence.trust import Trust
    from pipeline.evidence.verify import PackAnswer
    from pipeline.report.console import Console

__all__ = ["VerifyCommands"]


class VerifyCommands:
    """One verification; ``trust`` reads the trust file when it is first needed."""

    def __init__(self, options: argparse.Namespace, console: Console, trust: Callable[[], Trust | None]) -> None:
        self._options = options
        self._console = console
        self._trust = trust
        self._path: Path = options.folder or options.artifacts

    def run(self) -> ExitCode:
        """Check everything; IntegrityError after the last fault was told."""
        return self._pack() if self._is_pack else self._store()

    @contextmanager
    def opened(self) -> Iterator[PackFiles]:
        """The files of the one pack that was named: a zip, its folder, a run, or the newest run of a folder."""
        if self._path.is_file():
            with open_archive(self._path) as archive:
                yield PackFiles(digests=archive.digests, read=archive.read)
        elif self._is_pack:
            with open_artifacts_to_check(self._path) as folder:
                yield folder_files(folder)
        else:
            root, run = self._run_of_store
            with open_artifacts_to_check(root) as folder:
                packs = runs_with_packs(folder)
                latest = folder.read("LATEST", limit=64) or b""
                chosen = run or latest.decode("ascii", "replace").strip()
                if chosen not in packs:
                    raise UsageError(
                        f"{visible(chosen) or 'a pasta'} não tem pacote de evidências",
                        where=visible(str(root)),
                        mend="aponte para o zip, ou para reports/<run>",
                    )
                yield run_files(folder, chosen)

    @property
    def _is_pack(self) -> bool:
        """Whether the path is a zip or an extracted pack, and no artifacts folder."""
        return self._path.is_file() or (self._path / SEAL).exists()

    @property
    def _run_of_store(self) -> tuple[Path, str | None]:
        """The artifacts folder, and the one run that was named."""
        path = self._path
        return (path.parent.parent, path.name) if path.parent.name == "reports" else (path, None)

    def _pack(self) -> ExitCode:
        with self.opened() as files:
            answer = verify_pack(files, self._question)
        self._tell(answer)
        if not answer.ok:
            raise self._broken(len(answer.problems), "peça a cópia original")
        by = "assinaturas conferidas" if self._options.trust else "assinatura sem arquivo de confiança"
        run = answer.manifest.run if answer.manifest else "?"
        self._console.lines([f"íntegro: {answer.files} arquivos, run {run}, {by}"])
        return ExitCode.OK

    def _store(self) -> ExitCode:
        root, run = self._run_of_store
        with open_artifacts_to_check(root) as folder:
            result = verify_store(folder, now=datetime.now(UTC))
        for note in result.notes:
            self._console.lines([f"nota: {note}"])
        for problem in result.problems:
            self._console.warn(str(problem))
        count = len(result.problems) + self._runs(root, run)
        if count:
            raise self._broken(count, "restaure a cópia original")
        counts = f"{result.runs} execuções distintas, {result.files} arquivos, {result.executions} linhas de índice"
        self._console.lines([f"íntegro: {counts}"])
        return ExitCode.OK

    def _runs(self, path: Path, only: str | None) -> int:
        """Signed sets and decisions of the runs of an artifacts folder; how many things do not hold."""
        count = 0
        with open_artifacts_to_check(path) as folder:
            for run in runs_with_packs(folder):
                if only in (None, run):
                    answer = check_run(folder, run, self._question)
                    self._tell(answer)
                    count += len(answer.problems)
        return count

    @property
    def _question(self) -> PackQuestion:
        return PackQuestion(
            now=datetime.now(UTC),
            environment=self._options.environment,
            trust=self._trust(),
            strict=self._options.strict,
            commit=self._options.commit,
        )

    def _tell(self, answer: PackAnswer) -> None:
        for note in answer.notes:
            self._console.lines([f"nota: {note}"])
        for problem in answer.problems:
            self._console.warn(str(problem))

    def _broken(self, count: int, mend: str) -> IntegrityError:
        problems = counted(count, "problema", "problemas")
        return IntegrityError(f"{problems} de integridade", where=visible(str(self._path)), mend=mend)
