"""Artifacts folders to merge and to let go: runs written through the store, on chosen days, with chosen figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.domain.execution import Measures
from pipeline.domain.finding import Severity
from pipeline.ledger import Execution, IndexLine
from pipeline.merging import MergeResult, MergeSource, merge_folders
from pipeline.store import Store
from pipeline.store_verify import Verification, verify_store

__all__ = ["DAY0", "Folder", "at", "figures", "merge"]

DAY0 = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # the first day of the default calendar
ALL_OF_TIME = datetime(2099, 1, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    """So many days after ``DAY0``."""
    return DAY0 + timedelta(days=day)


def figures(open_: int = 0, *, names: str = "", **more: Any) -> Measures:
    """Open findings: ``open_`` of MEDIA without a name, and one of ALTA for each letter of ``names``."""
    found = tuple(sorted(f"{letter.encode().hex():>012}" for letter in names))
    counts = {Severity.ALTA: len(found), Severity.MEDIA: open_}
    return Measures(open=counts, fingerprints={Severity.ALTA: found}, **more)


class Folder:
    """One worker's artifacts folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self,
        name: str,
        day: float,
        files: dict[str, bytes] | None = None,
        *,
        category: str = "reports",
        grows: bool = False,
        **said: Any,
    ) -> IndexLine:
        """Write a run of the module that ``name`` begins with (``m07-x``), and its line."""
        module, _, content = name.partition("-")
        with open_artifacts(self.path) as folder:
            store = Store(folder)
            run = store.begin({"module": module, "content": content})
            if files:
                changed = files.keys() if grows else ()
                store.publish(run, category, files, stage="t", supersedes=changed)
            values: dict[str, Any] = {
                "run": run,
                "module": module.upper(),
                "command": "checklist",
                "pipeline": "ci:1",
                "branch": "main",
                "commit": "c" * 40,
                "verdict": "aprovado",
                "manifest_sha256": store.digests(run, "reports").get("manifest.json"),
                "started": at(day),
                "finished": at(day),
                "details": {"user": "ana"},
            }
            return store.append(Execution(**{**values, **said}))

    def lines(self) -> tuple[IndexLine, ...]:
        with open_artifacts_to_check(self.path) as folder:
            return Store(folder).history()

    def verify(self) -> Verification:
        with open_artifacts_to_check(self.path) as folder:
            return verify_store(folder, now=ALL_OF_TIME)

    def read(self, path: str) -> bytes:
        return (self.path / path).read_bytes()

    def tree(self) -> dict[str, bytes]:
        """Every file, the lock apart."""
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }


def merge(target: Folder, *sources: Folder) -> MergeResult:
    """Merge as the command does."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        given = [
            MergeSource(
                name=each.path.name, folder=stack.enter_context(open_artifacts_to_check(each.path)), root=each.path
            )
            for each in sources
        ]
        folder = stack.enter_context(open_artifacts(target.path))
        return merge_folders(Store(folder), folder, given, now=ALL_OF_TIME)
