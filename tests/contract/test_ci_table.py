"""The table of jobs is what noxfile.py and the command line have; the files in the repository are what it makes."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from pathlib import Path

import pytest

from pipeline.ci.explain import command_of
from pipeline.ci.model import Session
from pipeline.ci.render import render_ci
from pipeline.ci.table import COLLECT, GATE_CODES, JOBS, LOCAL_SESSIONS, RETENTION_DAYS
from pipeline.cli import build_parser
from pipeline.errors import ExitCode
from pipeline.ledger import MIN_RETENTION_DAYS
from trailcli import ROOT, appgear

RUN_SESSIONS = [session for job in JOBS for session in (job.session, *job.stages)] + [COLLECT]
_BY_HAND = {"ci/nox", "ci/README.md"}


def _nox_sessions() -> dict[str, set[str]]:
    """Name → tags of every session of the noxfile, read as text: nothing of it is run."""
    found = {}
    for node in ast.parse((ROOT / "noxfile.py").read_bytes()).body:
        for decorator in getattr(node, "decorator_list", ()):
            if isinstance(node, ast.FunctionDef) and isinstance(decorator, ast.Call):
                named = {each.arg: each.value for each in decorator.keywords}
                assert "name" not in named, "a session is called as its function"
                tags = named["tags"]
                assert isinstance(tags, ast.List)
                found[node.name] = {str(ast.literal_eval(each)) for each in tags.elts}
    return found


@pytest.mark.parametrize("session", RUN_SESSIONS, ids=lambda each: each.name)
def test_every_job_is_a_session_whose_command_takes_its_words(session: Session) -> None:
    assert session.name in _nox_sessions()
    words = [word if isinstance(word, str) else word.default or "x" for word in session.words]
    options = build_parser(only=session.name).parse_args([session.name, *words])
    assert options.command == session.name


def test_every_session_of_the_trail_has_its_place() -> None:
    trail = {name for name, tags in _nox_sessions().items() if tags & {"trilha", "etapa"}}
    placed = {each.name for each in RUN_SESSIONS} | LOCAL_SESSIONS.keys()
    assert trail == placed, "a new session is a job, a stage of one, or is named in LOCAL_SESSIONS with the reason"


def test_jobs_need_what_stands_before_them() -> None:
    seen: set[str] = set()
    for job in JOBS:
        assert set(job.needs) <= seen
        assert job.summary
        assert 0 < job.minutes <= 60
        seen.add(job.name)
    assert len(seen) == len(JOBS)


def test_inputs_agree_with_their_own_pattern() -> None:
    inputs = {each for job in JOBS for each in job.inputs}
    assert len({each.name for each in inputs}) == len(inputs)
    for each in inputs:
        assert re.fullmatch(r"APPGEAR_[A-Z_]+", each.variable)
        if each.pattern and each.default is not None:
            assert re.search(each.pattern, each.default)


def test_what_the_contract_fixes_is_in_the_table() -> None:
    assert RETENTION_DAYS >= MIN_RETENTION_DAYS
    ended = {ExitCode.OK, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    assert set(GATE_CODES) == {int(code) for code in ExitCode} - {int(code) for code in ended}


def test_the_files_in_the_repository_are_what_the_table_makes() -> None:
    rendered = render_ci()
    changed = [
        path for path, data in rendered.items() if not (ROOT / path).is_file() or (ROOT / path).read_bytes() != data
    ]
    assert changed == [], "run `nox -s ci -- write`"
    present = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ci").rglob("*") if path.is_file()}
    assert present - rendered.keys() == _BY_HAND
    for path, twin in (
        (".github/workflows/appgear.yml", "ci/github/appgear.yml"),
        (".github/workflows/appgear-evidencias.yml", "ci/github/appgear-evidencias.yml"),
        ("templates/appgear.yml", "ci/gitlab/appgear.yml"),
    ):
        assert rendered[path] == rendered[twin]


def test_no_place_of_ours_is_written_in_a_file() -> None:
    for path, data in render_ci().items():
        text = data.decode()
        assert not re.search(r"https?://(?!json\.schemastore)", text), path
        assert not re.search(r"\b(docker\.io|ghcr\.io|quay\.io|gcr\.io|pypi\.org)\b", text), path


def test_check_sees_each_file_that_differs_or_is_missing(tmp_path: Path) -> None:
    assert appgear("ci", "write", tmp_path, cwd=tmp_path).code == 0
    assert appgear("ci", "write", tmp_path, cwd=tmp_path).out == "nada mudou\n"
    ran = appgear("ci", "check", tmp_path, cwd=ROOT)
    assert (ran.code, ran.out) == (0, f"{len(render_ci())} arquivos conferem com a tabela de jobs\n")
    (tmp_path / "ci/argo/sensor.yaml").unlink()
    changed = tmp_path / ".github/workflows/appgear.yml"
    changed.write_bytes(changed.read_bytes().replace(b"contents: read", b"contents: write"))
    ran = appgear("ci", "check", tmp_path, cwd=ROOT)
    assert ran.code == 10
    assert ran.out.splitlines() == [".github/workflows/appgear.yml: mudou", "ci/argo/sensor.yaml: falta"]
    assert "2 arquivos de CI divergem" in ran.error
    assert appgear("ci", "write", tmp_path, cwd=tmp_path).code == 0
    assert appgear("ci", "check", tmp_path, cwd=ROOT).code == 0


def test_check_of_this_repository_is_green() -> None:
    assert appgear("ci", "check", cwd=ROOT).code == 0


def test_without_hera_the_files_are_not_judged(tmp_path: Path) -> None:
    (tmp_path / "hera.py").write_text("raise ModuleNotFoundError('hera')\n", encoding="utf-8")
    ran = appgear("ci", "check", cwd=ROOT, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert ran.code == 4
    assert "falta o Hera" in ran.error


def test_explain_names_every_job_and_its_literal_command() -> None:
    ran = appgear("ci", "explain", cwd=ROOT)
    assert ran.code == 0
    lines = ran.out.splitlines()
    for job in JOBS:
        assert f"{job.name}: {job.summary}" in lines
        command = next(line.strip() for line in lines if line.startswith(f"  ci/nox -s {job.name}"))
        assert shlex.split(command) == shlex.split(command_of(job.session, "ci/nox"))


@pytest.mark.parametrize("job", JOBS, ids=lambda each: each.name)
def test_explain_tells_all_of_a_job(job: object) -> None:
    (one,) = [each for each in JOBS if each is job]
    ran = appgear("ci", "explain", one.name, cwd=ROOT)
    assert ran.code == 0
    assert f"  {command_of(one.session, 'ci/nox')}" in ran.out.splitlines()
    for told in (*(each.name for each in one.inputs), *(each.variable for each in one.secrets), *one.needs,
                 *(each.path for each in one.keeps), *map(str, one.accepts)):  # fmt: skip
        assert told in ran.out


def test_explain_of_no_job_says_which_there_are() -> None:
    ran = appgear("ci", "explain", "deploy\x1b[31m", cwd=ROOT)
    assert ran.code == 2
    assert "não há job deploy\\x1b[31m" in ran.error
    assert all(job.name in ran.error for job in JOBS)


def test_write_follows_no_link_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "fora"
    outside.mkdir()
    inside = tmp_path / "dentro"
    inside.mkdir()
    (inside / "ci").symlink_to(outside)
    ran = appgear("ci", "write", inside, cwd=tmp_path)
    assert ran.code == 3
    assert list(outside.iterdir()) == []
    shutil.rmtree(inside)
