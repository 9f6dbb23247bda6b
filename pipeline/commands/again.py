"""Nothing is done twice: a launch that is asked the same, reads the same and finds its files whole is told again.

Only contents decide (ADR 0050). What an earlier execution read and wrote stands in its JSON, which the chained index
names by digest; here every one of those bytes is read and hashed again. Whatever cannot be read again the same way —
a branch of a remote repository, a decision that expires, a new branch to write — is never told from memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.build import builder_name, lock_digests, toolkit_lock_digest
from pipeline.adapters.ci import pipeline_name
from pipeline.adapters.host import describe_host
from pipeline.adapters.keys import key_bytes
from pipeline.adapters.recording import Places
from pipeline.errors import PipelineError
from pipeline.ledger import INDEX, Execution
from pipeline.outcomes import load_repeat
from pipeline.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from pipeline.ledger import IndexLine
    from pipeline.outcomes import Outcome, Repeat

__all__ = ["asked_digest", "find_again", "given_epoch", "search_path", "today"]

_CANDIDATES = 16  # executions that were asked the same: the newest that still fits counts
# What a launch is told without its result changing by it.
_PRESENTATION = frozenset({"artifacts", "quiet", "verbose", "no_cache", "jobs", "json", "summary", "key"})
_VARIABLES = ("SOURCE_DATE_EPOCH", "APPGEAR_TRUST_FILE", "LITELLM_BASE_URL")


def asked_digest(options: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    """Digest of what a launch is asked to do, and by whom; None where it must not be told again.

    Every option counts unless it is known to change nothing. The signing key is in it by its bytes, which no digest
    gives away: the rest is not known to who does not hold the key.
    """
    if getattr(options, "branch", None) is not None or getattr(options, "dry_run", False):
        return None
    try:
        key = key_bytes(getattr(options, "key", None), environment)
    except PipelineError:
        return None
    if key is None:
        return None
    asked = {
        "options": {name: str(value) for name, value in vars(options).items() if name not in _PRESENTATION},
        "variables": {name: environment.get(name, "") for name in _VARIABLES},
        "gateway_key": bool(environment.get("LITELLM_API_KEY", "").strip()),
        "builder": builder_name(environment),
        "locks": [lock_digests(), toolkit_lock_digest()],
        "key": hashlib.sha256(key).hexdigest(),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()


def find_again(options: argparse.Namespace, told: Callable[[str], None]) -> Outcome | None:
    """How the same launch ended before, recorded as an execution of its own; None where it has to be done.

    ``told`` is called with what has changed. IntegrityError where a file of the earlier run is not what it was.
    """
    asked = None if options.no_cache else asked_digest(options, os.environ)
    if asked is None or not os.path.lexists(options.artifacts / INDEX):
        return None
    begun, named = datetime.now(UTC), str(options.module or options.gitops or "")
    with open_artifacts(options.artifacts) as folder:
        store, places = Store(folder), Places(today=today(), search_path=search_path())
        first_change = ""
        for line, record in store.asked_before(asked, most=_CANDIDATES):
            repeat = load_repeat(record)
            if repeat is None:
                continue
            change = places.first_change(repeat.read)
            files = None if change else store.count_intact(repeat.wrote)
            if files is not None:
                store.append(_execution(line, repeat, begun))
                why = f"{len(repeat.read)} entradas e {files} arquivos conferidos por SHA-256"
                return replace(repeat.outcome, named=named, unchanged=why)
            first_change = first_change or f"mudou desde a execução {line.sequence}: {change or 'os artefatos'}"
    if first_change:
        told(first_change)
    return None


def _execution(line: IndexLine, repeat: Repeat, begun: datetime) -> Execution:
    """This launch, which found what the one of ``line`` had made."""
    return Execution(
        run=line.run,
        module=line.module,
        command=line.command,
        pipeline=pipeline_name(os.environ),
        branch=line.branch,
        commit=line.commit,
        verdict=line.verdict,
        manifest_sha256=line.manifest_sha256,
        started=begun,
        finished=datetime.now(UTC),
        details={**describe_host(os.environ), **repeat.details(), "repeats": line.sequence},
        retention_days=repeat.days,
        asked=line.asked,
        measures=line.measures,
    )


def search_path() -> str:
    """The user's PATH without what depends on the current folder, where an audited tree could put a program."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())


def given_epoch() -> str:
    """``SOURCE_DATE_EPOCH`` where it is a number; empty otherwise."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return given if given.isascii() and given.isdigit() else ""


def today() -> date:
    """The day that waivers are held against: of ``SOURCE_DATE_EPOCH`` where it is set, else this one in UTC."""
    given = given_epoch()
    moment = datetime.fromtimestamp(int(given), UTC) if given else datetime.now(UTC)
    return moment.date()
