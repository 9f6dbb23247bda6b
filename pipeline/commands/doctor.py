"""The ``doctor`` command: looks at this machine, runs nothing that the audited tree could have put there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.gitdir import find_repository
from pipeline.adapters.host import find_program, package_version
from pipeline.adapters.keys import has_key, key_name
from pipeline.adapters.runner import SealedRunner
from pipeline.commands.again import search_path
from pipeline.diagnosis import INSTALLERS, LIBRARIES, Facts, Found, diagnose
from pipeline.errors import ExitCode, PipelineError
from pipeline.ports import Limits, show_path
from pipeline.records import dump_record
from pipeline.report.doctor import doctor_lines

if TYPE_CHECKING:
    import argparse

    from pipeline.config import Config
    from pipeline.inputs import Inputs
    from pipeline.report.console import Console

__all__ = ["run_doctor"]

_VERSION_ARGUMENTS = {"kubectl": ("version", "--client"), "kustomize": ("version",), "opa": ("version",)}
_PROGRAMS = (
    "git", "opa", "conftest", "nox", "uv", "kubectl", "kustomize", "syft", "node", "chromium", "docker-registry",
)  # fmt: skip
_PACKAGES = ("gordon-to-regorus", "zstandard", "weasyprint", "sigstore", "pykcs11")
_VARIABLES = ("LITELLM_BASE_URL", "LITELLM_API_KEY", "APPGEAR_TRUST_FILE")
_NUMBER = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")
_LIMITS = Limits(seconds=20.0, output_bytes=64 * 1024)


def run_doctor(options: argparse.Namespace, inputs: Inputs, console: Console) -> ExitCode:
    """Tell what is there; 4 where a stage in use misses something."""
    report = diagnose(inputs.config, _facts(options, inputs.config, inputs.config_folder))
    if options.json:
        console.data(dump_record(report).decode())
    else:
        console.lines(doctor_lines(report))
    return ExitCode.OK if report.ok else ExitCode.TOOL


def _facts(options: argparse.Namespace, config: Config, folder: Path) -> Facts:
    audited = _audited(options, config, folder)
    runner = SealedRunner(search_path=search_path())
    programs = {name: _program(name, runner, audited) for name in _PROGRAMS}
    numbers = re.match(r"(\d+)\.(\d+)", programs["git"].version)
    return Facts(
        python=sys.version_info[:3],
        programs=programs,
        packages={name: package_version(name) for name in (*LIBRARIES, *_PACKAGES)},
        git_version=(int(numbers[1]), int(numbers[2])) if numbers else None,
        in_git=options.gitops is not None or any(_in_git(each) for each in audited),
        installer=next((name for name in INSTALLERS if find_program(name, search_path())), ""),
        isolated=runner.isolates,
        key=_key(options.key),
        variables={name: bool(os.environ.get(name, "").strip()) for name in _VARIABLES},
        portal=(folder / config.image.portal).is_dir(),
    )


def _audited(options: argparse.Namespace, config: Config, folder: Path) -> list[Path]:
    """Folders whose content somebody else may write: those of the modules and of the tree."""
    named = list(options.modules) or ([folder / config.module] if config.module and options.gitops is None else [])
    named += [Path(options.gitops)] if options.gitops and Path(options.gitops).is_dir() else []
    return [(each if each.is_dir() else each.parent).resolve() for each in named]


def _in_git(folder: Path) -> bool:
    try:
        return find_repository(folder) is not None
    except PipelineError:
        return True  # it is one, and the stage will say what is odd about it


def _program(name: str, runner: SealedRunner, audited: list[Path]) -> Found:
    found = find_program(name, search_path())
    if found is None:
        return Found()
    # Neither what the search finds there nor what a link outside leads to.
    places = (Path(found).absolute(), Path(found).resolve())
    if any(place.is_relative_to(folder) for place in places for folder in audited):
        return Found(place=show_path(found), audited=True)
    try:
        tool = runner.find(name, hint="", version_arguments=())
        outcome = runner.run(tool, _VERSION_ARGUMENTS.get(name, ("--version",)), limits=_LIMITS)
    except PipelineError:
        return Found(place=show_path(found))
    number = _NUMBER.search((outcome.stdout + outcome.stderr).decode("utf-8", "replace"))
    return Found(place=show_path(found), version=number.group() if number else "")


def _key(given: str | None) -> str:
    """Where a key is, as far as that may be told; nothing of it is read."""
    if not has_key(given, os.environ):
        return ""
    named = key_name(given, os.environ)
    return show_path(named) if named else "a do usuário"
