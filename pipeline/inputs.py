"""What a command works on: configuration, module, rules, baseline, ApplicationSets, recorded tests; each read once."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.build import toolkit_lock_digest
from pipeline.adapters.gitspec import parse_gitops
from pipeline.adapters.host import toolkit_digest
from pipeline.audit.references import References, read_matrix, read_stack
from pipeline.audit.waivers import WaiverFile, read_waivers, refuse_new_waivers
from pipeline.codec import dump_json, sha256_hex, sort_sums, visible
from pipeline.config import Config, load_config
from pipeline.domain.artifact import MapaNc
from pipeline.errors import InputError, UsageError
from pipeline.intake import Base, problems_digest, read_base, read_source, tree_digest
from pipeline.records import load_record
from pipeline.rules.catalog import load_rules
from pipeline.store import Store, run_id

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import date

    from pipeline.adapters.gitspec import GitopsSpec
    from pipeline.adapters.recording import Notes
    from pipeline.audit.rule import Rule
    from pipeline.domain.finding import NonConformity
    from pipeline.flow.answers import SuiteResults
    from pipeline.intake import Source
    from pipeline.ports import FileReader, Git, Runner
    from pipeline.sets import AppsetFolder

__all__ = ["Inputs"]

_DEFAULT_CONFIG = "appgear.toml"


class Inputs:
    """Read when first asked for, so that a command pays for what it uses."""

    def __init__(
        self,
        options: argparse.Namespace,
        *,
        reader: FileReader,
        git: Git,
        runner: Runner,
        today: date,
        notes: Notes,
        epoch: str = "",
    ) -> None:
        self._options = options
        self._reader = reader
        self._git = git
        self._runner = runner
        self._today = today
        self._notes = notes
        self._epoch = epoch

    @cached_property
    def config_folder(self) -> Path:
        path: Path | None = self._options.config
        return (path or Path(_DEFAULT_CONFIG)).parent

    @cached_property
    def config(self) -> Config:
        path: Path | None = self._options.config
        if path is None and not Path(_DEFAULT_CONFIG).exists():
            self._notes.absent(Path(_DEFAULT_CONFIG))
            return Config()
        chosen = path or Path(_DEFAULT_CONFIG)
        if path is None:
            self._refuse_audited(
                chosen, self._options.module, "a configuração", "mova-a para fora ou nomeie-a com --config"
            )
        return load_config(self._reader.read_file(chosen), where=visible(str(chosen)))

    def _refuse_audited(self, path: Path, module: Path | None, what: str, mend: str) -> None:
        """What is under audit must not decide on its own audit."""
        gitops = self._gitops
        for given in (module, gitops.folder if gitops is not None else None):
            if given is not None and given.is_dir() and path.resolve().is_relative_to(given.resolve()):
                raise UsageError(f"{what} está dentro da árvore auditada", where=visible(str(path)), mend=mend)

    @contextmanager
    def open_store(self) -> Iterator[Store]:
        """The artifacts folder; never inside a folder that is audited as it stands on the disk."""
        gitops = self._gitops
        tree = gitops.folder if gitops is not None and gitops.revision is None else None
        outside = [path for path in (self._module, tree) if path is not None and path.is_dir()]
        with open_artifacts(self._options.artifacts, outside=outside) as folder:
            yield Store(folder)

    @cached_property
    def _gitops(self) -> GitopsSpec | None:
        given: str | None = self._options.gitops
        return None if given is None else parse_gitops(given, offline=self._options.offline)

    @cached_property
    def _module(self) -> Path | None:
        """What ``--module`` names, or the configuration where the command line names nothing."""
        named: Path | None = self._options.module
        if named is None and self._options.gitops is None and self.config.module:
            return self.config_folder / self.config.module
        return named

    @cached_property
    def source(self) -> Source:
        offline: bool = self._options.offline
        if self._module is None and self._options.gitops is None:
            raise UsageError("falta o módulo", mend="use --module ou escreva [module] path em appgear.toml")
        return read_source(self._module, self._options.gitops, reader=self._reader, git=self._git, offline=offline)

    @cached_property
    def base(self) -> Base | None:
        """The module at the revision of ``--base``; None without one, or with the empty value of a CI variable."""
        revision: str | None = getattr(self._options, "base", None)  # the commands of the trail have it
        if not revision:
            return None
        gitops = self._gitops
        if gitops is not None and gitops.folder is None:
            raise UsageError(
                "--base não combina com um --gitops remoto", mend="clone o repositório e aponte para a pasta"
            )
        folder = None if gitops is None else gitops.folder
        return read_base(self.source, self._module, folder, revision, git=self._git)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The catalogue's rules, and those of the platform's Rego policies."""
        return (*load_rules(), *self._policy_rules)

    @cached_property
    def _policies(self) -> dict[str, bytes]:
        """Rego files that the configuration names: files, or folders with all that they hold."""
        found: dict[str, bytes] = {}
        for named in self.config.opa_policies:
            path = self.config_folder / named
            if path.is_dir():
                files, _ = self._reader.read_tree(path)
                rego = {
                    f"{named.rstrip('/')}/{each.path}": each.content for each in files if each.path.endswith(".rego")
                }
            else:
                rego = {named: self._reader.read_file(path)}
            if not rego:
                raise UsageError("nenhum arquivo .rego", where=visible(named), mend="corrija [opa] policies")
            found |= rego
        return found

    @cached_property
    def _policy_rules(self) -> tuple[Rule, ...]:
        if not self._policies:
            return ()
        from pipeline.adapters.opa import find_engine  # noqa: PLC0415  # only platforms with Rego policies pay for it
        from pipeline.audit.opa import PolicySet  # noqa: PLC0415
        from pipeline.audit.opa_rules import policy_rules  # noqa: PLC0415

        self._notes.rego_engines()
        texts = {path: data.decode("utf-8", "replace") for path, data in self._policies.items()}
        return policy_rules(PolicySet.from_texts(texts), find_engine(self._runner))

    @cached_property
    def baseline(self) -> tuple[tuple[NonConformity, ...], str]:
        """Findings of ``--baseline`` and the digest of the file; empty without one."""
        path: Path | None = self._options.baseline
        if path is None:
            return (), ""
        data = self._reader.read_file(path)
        mapa = load_record(data, MapaNc, where=visible(str(path)))
        if mapa.module.id != self.source.snapshot.id:
            raise InputError(
                f"a referência é do módulo {mapa.module.id}, e não do {self.source.snapshot.id}",
                where=visible(str(path)),
                mend="aponte --baseline para o mapa_nc.json deste módulo",
            )
        return mapa.non_conformities, sha256_hex(data)

    def of_run(self) -> dict[str, str]:
        """Everything that can change a byte of the run."""
        base = self.base
        snapshot, config = self.source.snapshot, self.config
        state = snapshot.source
        return {
            "module": snapshot.id,
            "content": snapshot.sha256,
            "document": self.source.document_prefix + (snapshot.document.path if snapshot.document else ""),
            "tree": self.source.tree_prefix,
            "commit": state.commit or "",
            "branch": state.branch or "",
            "dirty": str(state.dirty).lower(),
            "toolkit": toolkit_digest(),
            "version": pipeline.__version__,
            "config": sha256_hex(dump_json({key: value for key, value in asdict(config).items() if key != "kpi"})),
            "retention_days": str(config.retention_days),
            "baseline": self.baseline[1],
            "base": f"{base.commit} {_digest_of(base.files)}" if base else "",
            "waivers": self.waivers[1],
            "references": self.references[1],
            "policies": _digest_of(self._policies),
            "tree_content": tree_digest(self.source.tree),
            "problems": problems_digest(snapshot.problems),
            "separate_tree": str(self.source.separate_tree).lower(),
            "applicationsets": self.appsets.digest if self.appsets else "",
            "tests": self.tests[1],
            "lock": toolkit_lock_digest(),
            "epoch": self._epoch,
        }

    @cached_property
    def waivers(self) -> tuple[WaiverFile, str]:
        """Waivers of the configured file on this day, and what of it makes the run: digest and day; empty without."""
        if not self.config.waivers:
            return WaiverFile(), ""
        path = self.config_folder / self.config.waivers
        self._refuse_audited(path, self._module, "o arquivo de exceções", "tire-o da árvore auditada")
        data, where = self._reader.read_file(path), visible(self.config.waivers)
        self._notes.day(self._today)
        read = read_waivers(data, where=where, today=self._today)
        if self.base is not None and self._beside_source(path):
            _, earlier = self._git.read_folder_at(path.parent, self.base.commit, only=[path.name])
            before = read_waivers(earlier.get(path.name, b""), where=where, today=self._today)
            read = refuse_new_waivers(read, before, where=where)
        return read, f"{sha256_hex(data)} {self._today.isoformat()}"

    def _beside_source(self, path: Path) -> bool:
        """Whether the change under audit could have written this file: it stands in the same repository."""
        source = self._module or (self._gitops.folder if self._gitops is not None else None)
        root = self._git.repository_root(path.parent)
        return root is not None and source is not None and root == self._git.repository_root(source)

    @cached_property
    def references(self) -> tuple[References, str]:
        """What ``[references]`` names, and its digest; empty without any."""
        config, digests = self.config, {}
        matrix = stack = tree = None
        if config.reference_matrix:
            data, where = self._reference(config.reference_matrix)
            matrix, digests["matrix"] = read_matrix(data, where=where), sha256_hex(data)
        if config.reference_stack:
            data, where = self._reference(config.reference_stack)
            stack, digests["stack"] = read_stack(data, where=where), sha256_hex(data)
        if config.reference_tree:
            path = self.config_folder / config.reference_tree
            self._refuse_audited(path, self._module, "a árvore de referência", "aponte para outra")
            tree, problems = self._reader.read_tree(path)
            if not tree:
                raise UsageError("a árvore de referência não tem arquivo", where=visible(str(path)), mend="corrija-a")
            digests["tree"] = sha256_hex((tree_digest(tree) + problems_digest(problems)).encode())
        digest = sha256_hex(sort_sums(digests)) if digests else ""
        return References(matrix=matrix, stack=stack, tree=tree), digest

    def _reference(self, named: str) -> tuple[bytes, str]:
        """A reference file and how messages call it."""
        path = self.config_folder / named
        self._refuse_audited(path, self._module, "o arquivo de referência", "tire-o da árvore auditada")
        return self._reader.read_file(path), visible(named)

    @cached_property
    def appsets(self) -> AppsetFolder | None:
        """The ApplicationSets that the configuration names; None where it names none."""
        config = self.config
        if not config.applicationset_values:
            return None
        values = self.config_folder / config.applicationset_values
        folder = self.config_folder / config.applicationset_folder if config.applicationset_folder else values.parent
        from pipeline.sets import AppsetFolder  # noqa: PLC0415  # a template engine and all that it needs

        return AppsetFolder(values=values, folder=folder, reader=self._reader)

    @cached_property
    def of_tests(self) -> dict[str, str]:
        return {"module": "testes", "toolkit": toolkit_digest()}

    @property
    def tests_places(self) -> tuple[str, str]:
        """Where results for this very code are recorded, below the artifacts folder."""
        run = run_id(self.of_tests)
        return f"tests/{run}", f"coverage/{run}"

    @cached_property
    def tests(self) -> tuple[SuiteResults | None, str]:
        """Recorded results for this very code, and their digest."""
        if not self._options.artifacts.is_dir():
            return None, ""
        from pipeline.suite import read_suite  # noqa: PLC0415

        with self.open_store() as store:
            results = read_suite(store, run_id(self.of_tests))
        digest = sha256_hex(dump_json([each.sha256 for each in results.evidence])) if results else ""
        return results, digest


def _digest_of(files: dict[str, bytes]) -> str:
    return sha256_hex(sort_sums({path: sha256_hex(data) for path, data in files.items()}))
