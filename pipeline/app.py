"""Commands, composed. What one alone needs is imported where it is used: starting is most of a small module's time."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.globbing import expand
from pipeline.commands.trails import TRAIL, run_trail
from pipeline.errors import ExitCode, UsageError
from pipeline.outcomes import worst

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from pipeline.commands.index import IndexCommands
    from pipeline.commands.launch import Launcher

__all__ = ["run_command"]


def run_command(options: argparse.Namespace) -> ExitCode:
    """Run what the command line asks for."""
    if options.command in TRAIL:
        return run_trail(options)
    modules: list[Path] = list(expand(options.module)) if options.command == "sbom" else options.module
    if len(modules) > 1 and options.command == "sbom":
        return worst([run_command(Namespace(**vars(options) | {"module": [each]})) for each in modules])
    if len(modules) > 1 and options.command not in ("ci", "doctor"):
        raise UsageError(f"{options.command} não trabalha com vários módulos", mend="deixe um só --module")
    options.modules, options.module = modules, modules[0] if modules else None
    from pipeline.commands.launch import Launcher  # noqa: PLC0415  # a launch that finds nothing to do needs nothing of it

    app = _App(Launcher(options))
    commands: dict[str, Callable[[], ExitCode]] = {
        "rapid": app.rapid,
        "applicationset": app.applicationset,
        "image": app.image,
        "sbom": app.sbom,
        "verificar": app.verificar,
        "indice": app.indice,
        "retencao": app.retencao,
        "publicar": app.publicar,
        "regras": app.regras,
        "ci": app.ci,
        "doctor": app.doctor,
        "registrar_testes": app.registrar_testes,
    }
    return commands[options.command]()


class _App:
    """The commands that run no trail."""

    def __init__(self, launcher: Launcher) -> None:
        self.options = launcher.options
        self.console = launcher.console
        self.reader = launcher.reader
        self.git = launcher.git
        self.inputs = launcher.inputs
        self._launcher = launcher

    def rapid(self) -> ExitCode:
        """Record a decision, show who is missing, or print the minute."""
        return self._launcher.evidence.rapid()

    def applicationset(self) -> ExitCode:
        """Write, check, preview or compare the ApplicationSets."""
        from pipeline.commands.sets import SetCommands  # noqa: PLC0415

        commands = SetCommands(self.options, console=self.console, inputs=self.inputs, reader=self.reader, git=self.git)
        return commands.run()

    def image(self) -> ExitCode:
        """Build the portal's image, build it again to compare, send it, or renew the lock of its base."""
        from pipeline.commands.image import ImageCommands  # noqa: PLC0415

        return ImageCommands(self._launcher).run()

    def sbom(self) -> ExitCode:
        """The SBOMs of the run, or what changed between two."""
        from pipeline.commands.sbom import SbomCommands  # noqa: PLC0415

        return SbomCommands(self._launcher).run()

    def verificar(self) -> ExitCode:
        """Check what is there from its files alone; with ``--rebuild``, make it again and compare."""
        code = self._launcher.verification.run()
        if not self.options.rebuild:
            return code
        from pipeline.commands.rebuild import rebuild  # noqa: PLC0415

        return rebuild(self._launcher)

    def indice(self) -> ExitCode:
        """List, measure, draw or merge the index."""
        return self._index.indice()

    def retencao(self) -> ExitCode:
        """What may go, and why the rest stays."""
        return self._index.retencao()

    def publicar(self) -> ExitCode:
        """A pack to a place that keeps it."""
        from pipeline.commands.publish import publish  # noqa: PLC0415

        return publish(self.options, self.console, self._launcher.evidence.trust)

    @property
    def _index(self) -> IndexCommands:
        from pipeline.commands.index import IndexCommands  # noqa: PLC0415

        return IndexCommands(self.options, self.console, self.inputs.config)

    def regras(self) -> ExitCode:
        """The catalogue, or one rule."""
        from pipeline.commands.rules import show_rules  # noqa: PLC0415

        return show_rules(self.options, self.inputs.rules, self.console)

    def ci(self) -> ExitCode:
        """Explain, write and check the jobs of CI, and what they call around their session."""
        from pipeline.commands.ci import CiCommands  # noqa: PLC0415

        def audit(modules: Sequence[str]) -> ExitCode:
            given = {**vars(self.options), "command": "mapa_nc", "module": [Path(each) for each in modules]}
            return run_trail(Namespace(**given))

        def modules() -> list[str]:
            return [each.as_posix() for each in expand(self.options.modules or [Path("modules/*")])]

        commands = CiCommands(self.options, console=self.console, reader=self.reader, modules=modules, audit=audit)
        return commands.run()

    def doctor(self) -> ExitCode:
        """What this machine has, what the stages need, and what mends it."""
        from pipeline.commands.doctor import run_doctor  # noqa: PLC0415

        return run_doctor(self.options, self.inputs, self.console)

    def registrar_testes(self) -> ExitCode:
        """Keep the results of the toolkit's own tests as evidence for this version of it."""
        from pipeline.suite import SUITE_FILES, read_suite, suite_files  # noqa: PLC0415

        folder: Path = self.options.results
        files = suite_files({name: self.reader.read_file(folder / name) for name in SUITE_FILES})
        with self.inputs.open_store() as store:
            run = store.begin(self.inputs.of_tests)
            store.publish(run, "tests", files.tests, stage="registrar_testes", supersedes=files.tests.keys())
            store.publish(run, "coverage", files.coverage, stage="registrar_testes", supersedes=files.coverage.keys())
            results = read_suite(store, run)
        if results is not None:
            self.console.lines(
                [f"testes registrados: {results.passed} passaram, {results.coverage:.1f} % de cobertura"]
            )
        return ExitCode.OK
