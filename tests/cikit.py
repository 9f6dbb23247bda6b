"""CI as its engines run it: the toolkit behind a real git remote, its environments, and GitHub's steps as written."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trailcli import ROOT, git

SAMPLE = ROOT / "examples" / "gitops-core"
SETUP = (
    ".github/workflows/appgear.yml", ".gitignore", ".gitlab-ci.yml", ".pre-commit-config.yaml", "appgear.toml",
    "argo/kustomization.yaml",
)  # fmt: skip
_TOOLKIT = (".github", ".pre-commit-hooks.yaml", "ci", "noxfile.py", "pipeline", "requirements", "templates")
_TIMEOUT_SECONDS = 300


def load_yaml(path: Path) -> Any:
    """The first document of a file, with GitHub's ``on`` as text."""
    return next(iter(load_documents(path)))


def load_documents(path: Path) -> list[Any]:
    """Every document of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def copy_toolkit(folder: Path) -> Path:
    """What of this checkout a job needs, at another place."""
    for name in _TOOLKIT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def commit_all(folder: Path) -> str:
    """A repository with everything in one commit on ``main``; its full id."""
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "primeiro")
    return git(folder, "rev-parse", "HEAD").strip()


def bare_remote(source: Path, target: Path) -> Path:
    """A bare clone that may be read by commit, as a server allows it."""
    git(source, "clone", "-q", "--bare", str(source), str(target))
    git(target, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(target, "config", "uploadarchive.allowUnreachable", "true")
    return target


def environments(folder: Path) -> dict[str, str]:
    """Variables under which ``ci/nox`` and the sessions find their environments made: this interpreter's own."""
    for name in ("nox", "pipeline", "dev"):
        python = folder / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        lock = (ROOT / "requirements" / f"{name}.txt").read_bytes()
        (folder / name / "lock.txt").write_bytes(lock)
        (folder / name / "lock.sha256").write_text(hashlib.sha256(lock).hexdigest(), encoding="utf-8")
    return {"APPGEAR_ENVIRONMENTS": str(folder)}


def clean_environment(home: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """A job's variables: none of the machine that tests, but a search path and what coverage needs."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COV")}
    return kept | {"HOME": str(home), "LANG": "C.UTF-8"} | dict(extra)


def run_bash(
    script: str, *, cwd: Path, environment: Mapping[str, str], words: Sequence[str] = ("-eo", "pipefail")
) -> subprocess.CompletedProcess[str]:
    """A script as GitHub runs it: ``bash --noprofile --norc -eo pipefail FILE``."""
    path = cwd / ".etapa.sh" if not (cwd / ".git").exists() else cwd / ".git" / "etapa.sh"
    path.write_text(script, encoding="utf-8")
    try:
        return subprocess.run(
            ["bash", "--noprofile", "--norc", *words, str(path)],
            cwd=cwd,
            env=dict(environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    finally:
        path.unlink()


# --- GitHub Actions


@dataclass
class Step:
    """A step that ran: what it was told, how it ended, and what it printed."""

    name: str
    uses: str
    given: dict[str, Any]
    outcome: str
    code: int = 0
    output: str = ""


@dataclass
class Runner:
    """Runs the jobs of a workflow as GitHub does: every ``run`` in bash, actions of others told and recorded."""

    folder: Path
    repository: Path
    toolkit: Path
    environment: dict[str, str]
    inputs: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    github: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def run_job(self, job: Mapping[str, Any]) -> str:
        """``success`` or ``failure``; the steps are in ``steps``."""
        self.steps = []
        self.workspace = self.folder / f"job{len(list(self.folder.glob('job*')))}"
        self.temp = self.workspace / "_temp"
        self.temp.mkdir(parents=True)
        (self.temp / "home").mkdir()
        self.exported: dict[str, str] = {}
        return self._sequence(job["steps"], {"inputs": self.inputs, "steps": {}}, self.workspace, {})

    @property
    def summary(self) -> str:
        path = self.temp / "summary.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _sequence(
        self, steps: Sequence[Mapping[str, Any]], scope: dict[str, Any], action: Path, given: Mapping[str, str]
    ) -> str:
        status = "success"
        for step in steps:
            context = scope | {
                "runner": {"temp": str(self.temp), "os": "Linux", "arch": "X64"},
                "github": {"workspace": str(self.workspace), "token": "ghs_exemplo", **self.github},
                "secrets": self.secrets,
            }
            evaluate = Expressions(context, status, self.workspace)
            if not evaluate.condition(step.get("if", "success()")):
                outcome = "skipped"
            else:
                outcome = self._step(step, evaluate, action, given)
            if "id" in step:
                scope["steps"].setdefault(step["id"], {"outputs": {}})["outcome"] = outcome
                scope["steps"][step["id"]]["outputs"] |= self._outputs()
            if outcome == "failure":
                status = "failure"
        return status

    def _outputs(self) -> dict[str, str]:
        path = self.temp / "output"
        if not path.is_file():
            return {}
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return dict(line.split("=", 1) for line in text.splitlines())

    def _step(self, step: Mapping[str, Any], evaluate: Expressions, action: Path, given: Mapping[str, str]) -> str:
        name = evaluate.text(step.get("name", ""))
        variables = dict(given) | {key: evaluate.text(str(value)) for key, value in step.get("env", {}).items()}
        if "run" in step:
            assert "${{" not in step["run"], name
            return self._script(name, step, evaluate, action, variables)
        options = {key: evaluate.value(value) for key, value in step.get("with", {}).items()}
        uses = step["uses"]
        if uses.startswith("./"):
            folder = self.workspace / uses
            described = load_yaml(folder / "action.yml")
            inputs = {key: each.get("default", "") for key, each in described["inputs"].items()} | options
            inputs = {key: Expressions.shown(value) for key, value in inputs.items()}
            missing = [key for key, each in described["inputs"].items() if each.get("required") and not inputs[key]]
            assert not missing, missing
            assert set(inputs) == set(described["inputs"]), "an input that the action does not have"
            scope: dict[str, Any] = {"inputs": inputs, "steps": {}}
            outcome = self._sequence(described["runs"]["steps"], scope, folder, variables)
            self.steps.append(Step(name, uses, options, outcome))
            return outcome
        outcome = _OTHERS[uses.partition("@")[0]](self, options)
        self.steps.append(Step(name, uses, options, outcome))
        return outcome

    def _script(
        self, name: str, step: Mapping[str, Any], evaluate: Expressions, action: Path, variables: Mapping[str, str]
    ) -> str:
        assert step["shell"] == "bash"
        exported = self.temp / "env"
        environment = clean_environment(
            self.temp / "home",
            {
                **self.environment,
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_WORKSPACE": str(self.workspace),
                "GITHUB_ACTION_PATH": str(action),
                "GITHUB_ENV": str(exported),
                "GITHUB_OUTPUT": str(self.temp / "output"),
                "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"),
                "RUNNER_TEMP": str(self.temp),
                **self.exported,
                **variables,
            },
        )
        folder = self.workspace / evaluate.text(step.get("working-directory", "."))
        done = run_bash(step["run"], cwd=folder, environment=environment)
        if exported.is_file():
            self.exported |= dict(line.split("=", 1) for line in exported.read_text(encoding="utf-8").splitlines())
            exported.unlink()
        # The environments stand ready at a place of the test's: a runner would make them where the step says.
        self.exported |= {key: self.environment[key] for key in self.exported.keys() & self.environment.keys()}
        outcome = "success" if done.returncode == 0 else "failure"
        self.steps.append(Step(name, "", dict(step), outcome, done.returncode, done.stdout + done.stderr))
        return outcome

    # --- the actions of others, as far as their effect is needed

    def _checkout(self, options: Mapping[str, Any]) -> str:
        target = self.workspace / options["path"]
        assert options["persist-credentials"] is False
        if "repository" in options:
            assert re.fullmatch(r"[0-9a-f]{40}", options["ref"])
            shutil.copytree(self.toolkit, target, symlinks=True)
        else:
            git(self.folder, "clone", "-q", str(self.repository), str(target))
        return "success"

    def _upload(self, options: Mapping[str, Any]) -> str:
        """What is found keeps its place below the nearest common folder of what was asked for."""
        assert options["include-hidden-files"] is True
        assert options["retention-days"] >= 90
        asked = [self.workspace / line for line in options["path"].split("\n") if line]
        found = [path for path in asked if path.exists()]
        if not found:
            return "failure"
        common = Path(os.path.commonpath(asked))
        target = self.folder / "guardado" / options["name"]
        shutil.rmtree(target, ignore_errors=True)
        for path in found:
            shutil.copytree(path, target / path.relative_to(common))
        self.artifacts[options["name"]] = target
        return "success"

    def _download(self, options: Mapping[str, Any]) -> str:
        if options["name"] not in self.artifacts:
            return "failure"
        shutil.copytree(self.artifacts[options["name"]], self.workspace / options["path"], dirs_exist_ok=True)
        return "success"

    def _sarif(self, options: Mapping[str, Any]) -> str:
        return "success" if (self.workspace / options["sarif_file"]).is_file() else "failure"

    def _attest(self, options: Mapping[str, Any]) -> str:
        return "success" if list(self.workspace.glob(options["subject-path"])) else "failure"

    def _cache(self, options: Mapping[str, Any]) -> str:
        return "success" if not options["key"].endswith("-") else "failure"


_OTHERS: dict[str, Callable[[Runner, Mapping[str, Any]], str]] = {
    "actions/checkout": Runner._checkout,
    "actions/upload-artifact": Runner._upload,
    "actions/download-artifact": Runner._download,
    "actions/attest-build-provenance": Runner._attest,
    "actions/cache": Runner._cache,
    "github/codeql-action/upload-sarif": Runner._sarif,
}


class Expressions:
    """GitHub's expressions, as far as these files use them."""

    _TOKEN = re.compile(r"\s*(&&|\|\||==|!=|!|\(|\)|,|'(?:[^']|'')*'|[\w.-]+)")

    def __init__(self, context: Mapping[str, Any], status: str, workspace: Path) -> None:
        self._context = context
        self._status = status
        self._workspace = workspace

    @staticmethod
    def shown(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    def text(self, text: str) -> str:
        """Text with each ``${{ }}`` replaced by what it is."""
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self.shown(self._evaluate(found[1]) or ""), text)

    def value(self, given: Any) -> Any:
        if isinstance(given, str) and re.fullmatch(r"\$\{\{[^{}]*\}\}", given):
            return self._evaluate(given[3:-2])
        return self.text(given) if isinstance(given, str) else given

    def condition(self, text: Any) -> bool:
        if isinstance(text, bool):
            return text
        inner = text[3:-2] if text.startswith("${{") else text
        outcome = bool(self._evaluate(inner))
        checks = re.search(r"\b(always|cancelled|failure|success)\(\)", inner)
        return outcome and (bool(checks) or self._status == "success")

    def _evaluate(self, text: str) -> Any:
        self._tokens = [token for token in self._TOKEN.findall(text) if token]
        value = self._or()
        assert not self._tokens, text
        return value

    def _take(self, *wanted: str) -> str | None:
        return self._tokens.pop(0) if self._tokens and self._tokens[0] in wanted else None

    def _or(self) -> Any:
        value = self._and()
        while self._take("||"):
            other = self._and()
            value = value or other
        return value

    def _and(self) -> Any:
        value = self._equal()
        while self._take("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:
        value = self._unary()
        operator = self._take("==", "!=")
        if operator is None:
            return value
        other = self._unary()
        return (value == other) is (operator == "==")

    def _unary(self) -> Any:
        if self._take("!"):
            return not self._unary()
        if self._take("("):
            value = self._or()
            assert self._take(")")
            return value
        word = self._tokens.pop(0)
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word in ("true", "false"):
            return word == "true"
        if self._take("("):
            arguments = []
            while not self._take(")"):
                arguments.append(self._or())
                self._take(",")
            return self._call(word, arguments)
        named: Any = self._context
        for name in word.split("."):
            named = named.get(name, "") if isinstance(named, Mapping) else ""
        return named

    def _call(self, name: str, arguments: Sequence[Any]) -> Any:
        if name == "hashFiles":
            return "hash" if list(self._workspace.glob(arguments[0])) else ""
        return {"always": True, "cancelled": False, "success": self._status == "success"}[name]
