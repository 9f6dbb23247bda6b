"""A run, launched: adapters meet the pure rooms here, and the execution is recorded however it ends."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.ci import branch_of_job, pipeline_name
from pipeline.adapters.files import DiskReader
from pipeline.adapters.git import SafeGit
from pipeline.adapters.host import describe_host
from pipeline.adapters.runner import SealedRunner
from pipeline.codec import sha256_hex
from pipeline.inputs import Inputs
from pipeline.ledger import Execution
from pipeline.records import dump_record
from pipeline.report.console import Console
from pipeline.stages import AppsetState, Trail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pipeline.domain.opinion import Consultation
    from pipeline.evidence_commands import EvidenceCommands
    from pipeline.store import Store

__all__ = ["Launcher", "Started"]


@dataclass(kw_only=True)
class Started:
    """A run that has begun, and what its index line will say."""

    trail: Trail
    verdict: str = "sem-veredito"


class Launcher:
    """What every command works with: the options, the console, and the adapters behind their ports."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.console = Console(sys.stdout, sys.stderr, quiet=options.quiet, colour=colour)
        self.reader = DiskReader()
        runner = SealedRunner(search_path=_search_path())
        self.git = SafeGit(runner)
        self.inputs = Inputs(options, reader=self.reader, git=self.git, runner=runner, today=_today())

    @cached_property
    def evidence(self) -> EvidenceCommands:
        from pipeline.evidence_commands import EvidenceCommands  # noqa: PLC0415  # other commands must not pay for it

        return EvidenceCommands(self.options, self.console, self.reader)

    @contextmanager
    def started(self, *, judged: bool = False) -> Iterator[Started]:
        """Open the artifacts, begin the run, and record the execution however it ends.

        ``judged`` commands give a verdict, and so take a consultation of the gateway as an input where there is one.
        """
        inputs, begun = self.inputs.of_run(), datetime.now(UTC)
        asked = self._consultation(inputs) if judged else None
        if asked is not None:
            inputs["consultation"] = sha256_hex(dump_record(asked))
        with self.inputs.open_store() as store:
            run = store.begin(inputs)
            started = Started(trail=self.trail(run, store, asked))
            try:
                yield started
            except BaseException as error:
                started.verdict = "erro" if isinstance(error, Exception) else "interrompido"
                raise
            finally:
                self._record(started, store, begun)

    def trail(self, run: str, store: Store, asked: Consultation | None = None) -> Trail:
        return Trail(
            source=self.inputs.source,
            rules=self.inputs.rules,
            config=self.inputs.config,
            run=run,
            store=store,
            baseline=self.inputs.baseline[0],
            base=self.inputs.base,
            waivers=self.inputs.waivers[0],
            references=self.inputs.references[0],
            version=pipeline.__version__,
            appset=self._appset_state(),
            tests=self.inputs.tests[0],
            consultation=asked,
            author=self._author,
            told=self.console.progress,
        )

    def _consultation(self, inputs: dict[str, str]) -> Consultation | None:
        from pipeline.asking import obtain_consultation  # noqa: PLC0415  # only a verdict needs it

        return obtain_consultation(
            self.inputs.config.opinion,
            replay=self.options.replay,
            offline=self.options.offline,
            reader=self.reader,
            environment=os.environ,
            make_trail=lambda store: self.trail(store.begin(inputs), store),
        )

    def _author(self) -> str:
        commit, root = self.inputs.source.snapshot.source.commit, self.inputs.source.repository
        found = self.git.commit_author(root, commit) if root is not None and commit is not None else None
        return found.name if found is not None else ""

    def _appset_state(self) -> AppsetState | None:
        if self.inputs.appsets is None:
            return None
        return AppsetState(drift=self.inputs.appsets.drifted, applications=self.inputs.appsets.applications())

    def _record(self, started: Started, store: Store, begun: datetime) -> None:
        from pipeline.measuring import measure  # noqa: PLC0415  # after the work, which may have been refused

        state = self.inputs.source.snapshot.source
        done = started.verdict not in ("erro", "interrompido")
        store.append(
            Execution(
                run=started.trail.run,
                module=self.inputs.source.snapshot.id,
                command=self.options.command,
                pipeline=pipeline_name(os.environ),
                branch=state.branch or branch_of_job(os.environ, state.commit),
                commit=state.commit,
                verdict=started.verdict,
                manifest_sha256=store.digests(started.trail.run, "reports").get("manifest.json"),
                started=begun,
                finished=datetime.now(UTC),
                details=describe_host(os.environ),
                retention_days=self.inputs.config.retention_days,
                measures=measure(store, started.trail.run, started.trail.tests) if done else None,
            )
        )

    def epoch(self) -> int:
        """``SOURCE_DATE_EPOCH``, else the time of the commit that was read."""
        given = os.environ.get("SOURCE_DATE_EPOCH", "")
        if given.isascii() and given.isdigit():
            return int(given)
        commit, root = self.inputs.source.snapshot.source.commit, self.inputs.source.repository
        author = self.git.commit_author(root, commit) if root is not None and commit is not None else None
        return author.timestamp if author is not None else 0


def _search_path() -> str:
    """The user's PATH without what depends on the current folder, where an audited tree could put a program."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())


def _today() -> date:
    """The day that waivers are held against: of ``SOURCE_DATE_EPOCH`` where it is set, else this one in UTC."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(given), UTC) if given.isascii() and given.isdigit() else datetime.now(UTC)
    return moment.date()
