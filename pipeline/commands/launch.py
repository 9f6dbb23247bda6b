"""A run, launched: adapters meet the pure rooms here, and the execution is recorded however it ends."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pipeline
from pipeline.adapters.ci import branch_of_job, pipeline_name, stop_word
from pipeline.adapters.files import DiskReader
from pipeline.adapters.git import SafeGit
from pipeline.adapters.host import describe_host, has_colour
from pipeline.adapters.recording import Notes, RecordingGit, RecordingReader
from pipeline.adapters.runner import SealedRunner
from pipeline.adapters.spool import open_spool
from pipeline.codec import sha256_hex
from pipeline.commands.again import asked_digest, given_epoch, search_path, today
from pipeline.errors import PipelineError
from pipeline.evidence.manifest import RAPID
from pipeline.flow.answers import ImageState
from pipeline.inputs import Inputs
from pipeline.ledger import Execution
from pipeline.outcomes import NO_VERDICT, Outcome, Repeat
from pipeline.records import dump_record
from pipeline.report.console import Console
from pipeline.stages import AppsetState, Trail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from datetime import date

    from pipeline.adapters.image_maker import BuiltImage
    from pipeline.commands.evidence import EvidenceCommands
    from pipeline.commands.image_stage import ImageStage
    from pipeline.commands.verify import VerifyCommands
    from pipeline.domain.opinion import Consultation
    from pipeline.errors import ExitCode
    from pipeline.store import Store

__all__ = ["Launcher", "Started"]

_FAILED = "não construída: "


@dataclass(kw_only=True)
class Started:
    """A run that has begun, and what its index line will say."""

    trail: Trail
    verdict: str = NO_VERDICT
    outcome: Outcome | None = None
    failed: PipelineError | None = None  # a stage that could not run, told once everything else is done

    def ends(self, code: ExitCode, *, named: str, report: str) -> ExitCode:
        """The end of a command that came to its end; what it reports is below the artifacts folder."""
        mapa = self.trail.mapa
        self.outcome = Outcome(
            named=named,
            exit_code=code,
            module=mapa.module.id,
            title=mapa.module.title,
            run=self.trail.run,
            verdict=self.verdict,
            severities={str(each): count for each, count in mapa.summary.by_severity.items()},
            report=report,
        )
        return code


class Launcher:
    """What every command works with: the options, the console, and the adapters behind their ports."""

    def __init__(self, options: argparse.Namespace, *, day: date | None = None, out: TextIO | None = None) -> None:
        """``day`` is the one that waivers are held against, where it is not this one."""
        self.options = options
        colour, stop = has_colour(sys.stdout, os.environ), stop_word(os.environ)
        self.console = Console(out or sys.stdout, sys.stderr, quiet=options.quiet, colour=colour, stop=stop)
        self.outcome: Outcome | None = None
        self._notes = Notes(search_path())
        self.reader = RecordingReader(DiskReader(), self._notes)
        self.runner = SealedRunner(search_path=search_path())
        self.git = RecordingGit(SafeGit(self.runner), self._notes)
        self.inputs = Inputs(
            options,
            reader=self.reader,
            git=self.git,
            runner=self.runner,
            today=day or today(),
            notes=self._notes,
            epoch=given_epoch(),
        )

    @cached_property
    def evidence(self) -> EvidenceCommands:
        from pipeline.commands.evidence import EvidenceCommands  # noqa: PLC0415  # other commands must not pay for it

        return EvidenceCommands(self.options, self.console, self.reader)

    @cached_property
    def verification(self) -> VerifyCommands:
        from pipeline.commands.verify import VerifyCommands  # noqa: PLC0415  # as above

        return VerifyCommands(self.options, self.console, self.evidence.trust)

    @cached_property
    def image(self) -> ImageStage:
        from pipeline.commands.image_stage import ImageStage  # noqa: PLC0415  # as above

        return ImageStage(
            self.options, self.inputs, reader=self.reader, git=self.git, runner=self.runner, console=self.console
        )

    @contextmanager
    def started(self, *, judged: bool = False, built: BuiltImage | None = None, image: str = "") -> Iterator[Started]:
        """Open the artifacts, begin the run, and record the execution however it ends.

        ``judged`` commands give a verdict, and so take a consultation of the gateway as an input where there is one.
        The image is an input too, ``built`` or to be judged: the run that it is published in is named by its document,
        or by why there is none. ``image`` is that document's digest, for a run that has the image already.
        """
        begun, asked_for = datetime.now(UTC), asked_digest(self.options, os.environ)
        inputs = self.inputs.of_run()
        made: BuiltImage | PipelineError | None = built
        if judged and self._has_image():
            made = self._attempt_image()
        if made is not None or image:
            inputs["image"] = image if made is None else _named(made)
            inputs |= self.scanner_input()
        state = self.image_state(inputs) if judged else None
        asked = self._consultation(inputs, state) if judged else None
        if asked is not None:
            inputs["consultation"] = sha256_hex(dump_record(asked))
        with self.inputs.open_store() as store, open_spool() as put_away:
            run = store.begin(inputs)
            started = Started(trail=self.trail(run, store, asked, state))
            started.trail.put_away = put_away
            try:
                if isinstance(made, PipelineError):
                    started.failed = made
                elif made is not None:
                    self._publish_image(store, run, made)
                yield started
            except BaseException as error:
                started.verdict = "erro" if isinstance(error, Exception) else "interrompido"
                raise
            finally:
                self._record(started, store, begun, asked_for)

    def scanner_input(self) -> dict[str, str]:
        """What lists an image's components is an input where it is not the locked syft."""
        from pipeline.adapters.syft import newer_version  # noqa: PLC0415  # as above

        outside = [Path.cwd(), self.options.artifacts]
        version = newer_version(self.runner, search_path=search_path(), outside=outside)
        return {"syft": version} if version else {}

    @staticmethod
    def _publish_image(store: Store, run: str, built: BuiltImage) -> None:
        from pipeline.commands.image_stage import publish_image  # noqa: PLC0415  # as above

        publish_image(store, run, built)

    def _attempt_image(self) -> BuiltImage | PipelineError:
        """The image, or why there is none. What it was made from is noted, so that a later launch can tell it again."""
        made = self.image.attempt()
        try:
            self.reader.read_tree(self.image.folder)
        except PipelineError:  # more than is read otherwise, such as packages installed there by hand
            self._notes.lost = True
        if isinstance(made, PipelineError) or made.record.notes:  # what mirrors answer is not read again
            self._notes.lost = True
        return made

    def _has_image(self) -> bool:
        return self.inputs.source.snapshot.id in self.inputs.config.image.modules

    def image_state(self, inputs: Mapping[str, str]) -> ImageState | None:
        """What the checklist is told of the image; None where none releases the module."""
        if not self._has_image():
            return None
        named = inputs.get("image", "")
        failure = named.removeprefix(_FAILED) if named.startswith(_FAILED) else ""
        return ImageState(name=self.inputs.config.image.name, sha256="" if failure else named, failure=failure)

    def trail(
        self, run: str, store: Store, asked: Consultation | None = None, image: ImageState | None = None
    ) -> Trail:
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
            image=image,
            author=self._author,
            told=self.console.progress,
        )

    def _consultation(self, inputs: dict[str, str], image: ImageState | None) -> Consultation | None:
        from pipeline.commands.asking import obtain_consultation  # noqa: PLC0415  # only a verdict needs it

        return obtain_consultation(
            self.inputs.config.opinion,
            replay=self.options.replay,
            offline=self.options.offline,
            reader=self.reader,
            environment=os.environ,
            make_trail=lambda store: self.trail(store.begin(inputs), store, image=image),
        )

    def _author(self) -> str:
        commit, root = self.inputs.source.snapshot.source.commit, self.inputs.source.repository
        found = self.git.commit_author(root, commit) if root is not None and commit is not None else None
        return found.name if found is not None else ""

    def _appset_state(self) -> AppsetState | None:
        if self.inputs.appsets is None:
            return None
        return AppsetState(drift=self.inputs.appsets.drifted, applications=self.inputs.appsets.applications())

    def _record(self, started: Started, store: Store, begun: datetime, asked: str | None) -> None:
        from pipeline.measuring import measure  # noqa: PLC0415  # after the work, which may have been refused

        self.outcome = started.outcome
        repeat = None if asked is None else self._repeat(started, store)
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
                details={**describe_host(os.environ), **(repeat.details() if repeat else {})},
                retention_days=self.inputs.config.retention_days,
                measures=measure(store, started.trail.run, started.trail.tests) if done else None,
                asked=asked if repeat else None,
            )
        )

    def _repeat(self, started: Started, store: Store) -> Repeat | None:
        """What lets a later launch tell this one again; None where it must be done each time."""
        trail, tests = started.trail, self.inputs.tests[0]
        asked = trail.consultation
        if started.outcome is None or (asked is not None and self.options.replay is None):
            return None  # what a gateway says is no content that could be read again
        if store.has(trail.run, "reports", RAPID):  # a decision expires
            return None
        cited = {} if tests is None else {each.path: each.sha256 for each in tests.evidence}
        wrote = store.state(trail.run, *self.inputs.tests_places)
        read = self._notes.rows()
        if read is None or any(_listed(store, path) != digest for path, digest in cited.items()):
            return None
        return Repeat(read=read, wrote=wrote, outcome=started.outcome, days=self.inputs.config.retention_days)

    def epoch(self) -> int:
        """``SOURCE_DATE_EPOCH``, else the time of the commit that was read."""
        given = given_epoch()
        if given:
            return int(given)
        commit, root = self.inputs.source.snapshot.source.commit, self.inputs.source.repository
        author = self.git.commit_author(root, commit) if root is not None and commit is not None else None
        return author.timestamp if author is not None else 0


def _named(made: BuiltImage | PipelineError) -> str:
    """The image as an input of the run: its document's digest, or why there is none."""
    return _FAILED + str(made) if isinstance(made, PipelineError) else sha256_hex(dump_record(made.record))


def _listed(store: Store, path: str) -> str | None:
    category, run, name = path.split("/", 2)
    return store.digests(run, category).get(name)
