"""The ApplicationSets of a repository: rendered from their values, compared with what is there, previewed, differed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.appset.changes import diff_applications
from pipeline.appset.load import load_values
from pipeline.appset.preview import dump_applications, preview
from pipeline.appset.render import find_drift, render_sets
from pipeline.codec import sha256_hex, sort_sums, visible
from pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipeline.appset.changes import ApplicationDiff
    from pipeline.appset.preview import GeneratedApplication
    from pipeline.appset.render import Drift
    from pipeline.ports import FileReader, Git

__all__ = ["DRIFT", "AppsetFolder"]

DRIFT = {"missing": "falta", "changed": "mudou", "surplus": "sobra"}

_TEMPLATE = "templates/apps-core.yaml.j2"
_ROOT = "applicationsets/"
_GENERATED = ("clusters/", "projects/")


@dataclass(frozen=True, kw_only=True)
class AppsetFolder:
    """``values`` is the YAML of values; ``folder`` holds the template and the generated files."""

    values: Path
    folder: Path
    reader: FileReader

    @cached_property
    def rendered(self) -> dict[str, bytes]:
        """What the values say, by path below ``folder``."""
        template = self.reader.read_file(self.folder / _TEMPLATE)
        try:
            text = template.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                "não é UTF-8", where=visible(str(self.folder / _TEMPLATE)), mend="regrave em UTF-8"
            ) from error
        values = load_values(self.reader.read_file(self.values), where=visible(str(self.values)))
        return {path.removeprefix(_ROOT): data for path, data in render_sets(values, template=text).items()}

    @cached_property
    def present(self) -> dict[str, bytes]:
        """What is there, generated files alone."""
        files, _ = self.reader.read_tree(self.folder)
        return {each.path: each.content for each in files if each.path.startswith(_GENERATED)}

    @property
    def drift(self) -> tuple[Drift, ...]:
        """Files that are not what the values say."""
        return find_drift(self.rendered, self.present)

    @property
    def drifted(self) -> tuple[str, ...]:
        """The same, a text each."""
        return tuple(f"{each.path} ({DRIFT[each.kind]})" for each in self.drift)

    @property
    def digest(self) -> str:
        """Digest of values, template and generated files."""
        sums = {path: sha256_hex(data) for path, data in self.present.items()}
        sums |= {f"rendered/{path}": sha256_hex(data) for path, data in self.rendered.items()}
        return sha256_hex(sort_sums(sums))

    def applications(self) -> bytes:
        """The Applications that the files there generate, cluster by cluster, as YAML."""
        return b"".join(
            f"# {path}\n".encode() + dump_applications(preview(data, where=path)) for path, data in _sets(self.present)
        )

    def diff(self, git: Git, revision: str, *, offline: bool) -> dict[str, ApplicationDiff]:
        """By file, what has changed since a revision; a file that is new or gone adds or deletes all of its own."""
        files, _, _ = git.read_gitops(f"{self.folder}@{revision}", offline=offline)
        old = dict(_sets({each.path: each.content for each in files if each.path.startswith(_GENERATED)}))
        new = dict(_sets(self.present))
        return {
            path: diff_applications(_previewed(old, path), _previewed(new, path))
            for path in sorted(old.keys() | new.keys())
        }


def _sets(files: dict[str, bytes]) -> Iterable[tuple[str, bytes]]:
    return ((path, data) for path, data in sorted(files.items()) if path.startswith("clusters/"))


def _previewed(files: dict[str, bytes], path: str) -> tuple[GeneratedApplication, ...]:
    return preview(files[path], where=path) if path in files else ()
