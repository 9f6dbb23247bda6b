"""Sessions of appgear-pipeline: the trail, one stage of it, or the checks of this repository. `nox -l` is the menu."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["pipeline"]
nox.options.default_venv_backend = "uv|virtualenv"

ROOT = Path(__file__).resolve().parent
LOCKS = ROOT / "requirements"
SHARED = Path(os.environ.get("APPGEAR_ENVIRONMENTS") or ROOT / ".nox" / "ambiente")
RESULTS = ROOT / "build" / "testes"
FUZZED = ("markdown", "yaml", "appset", "archive", "index")


def environment(session: nox.Session, lock: str) -> Path:
    """Python of the one environment that every session of this lock uses; made anew when the lock changes."""
    folder = SHARED / lock
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "lock.sha256"
    lock_file = LOCKS / f"{lock}.txt"
    wanted = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        uv = shutil.which("uv")
        install: list[str]
        if uv:
            session.run(uv, "venv", "-q", "--python", sys.executable, str(folder), external=True, silent=True)
            install = [uv, "pip", "install", "-q", "--python", str(python)]
        else:
            session.run(sys.executable, "-m", "venv", str(folder), external=True, silent=True)
            install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        session.run(*install, "--require-hashes", "-r", str(lock_file), external=True)
        stamp.write_text(wanted)
    return python


def stage(session: nox.Session, lock: str = "pipeline") -> None:
    """Run the command that is named as the session, with the arguments that came after `--`.

    It runs where nox was called, which may be another repository: `-P` keeps that one's files from being imported.
    """
    python = environment(session, lock)
    words = ("-P", "-m", "pipeline", session.name, *session.posargs)
    try:
        with session.chdir(session.invoked_from):
            session.run(str(python), *words, external=True, env={"PYTHONPATH": str(ROOT)})
    except CommandFailed as failed:
        # nox itself ends with 1 whatever a command answered; callers of a stage need 2 to 11 (docs/guia.md).
        code = (failed.reason or "").rpartition(" ")[2]
        sys.exit(int(code) if code.isdigit() else 1)


@nox.session(venv_backend="none", tags=["trilha"])
def pipeline(session: nox.Session) -> None:
    """A trilha inteira: MAPA_NC → PLANO_CORRECAO → MODULO_REESCRITO → CHECKLIST, com os ApplicationSets."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def mapa_nc(session: nox.Session) -> None:
    """Audita um módulo e lista as não conformidades."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def plano_correcao(session: nox.Session) -> None:
    """Transforma as não conformidades em um plano ordenado, como dados."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def modulo_reescrito(session: nox.Session) -> None:
    """Aplica o plano: documento, árvore e patch."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def parecer_ia(session: nox.Session) -> None:
    """Dá o parecer de risco da entrega: offline, ou também pelo gateway LiteLLM."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def checklist(session: nox.Session) -> None:
    """Audita o módulo reescrito, confere as evidências e dá o veredito."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def applicationset(session: nox.Session) -> None:
    """Gera os ApplicationSets; --check acusa divergência, --preview mostra as Applications."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def sbom(session: nox.Session) -> None:
    """Lista os componentes da imagem e da esteira em CycloneDX e SPDX; --diff compara dois SBOMs."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def image(session: nox.Session) -> None:
    """Constrói a imagem do portal como layout OCI, sem daemon e sem root; --verify a reconstrói e compara."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def evidencias(session: nox.Session) -> None:
    """Monta e assina o pacote de evidências: manifesto, atestados, página e zip."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def rapid(session: nox.Session) -> None:
    """Registra e mostra as decisões RAPID/CCB: recommend, input, agree, decide, perform, status, form."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def verificar(session: nox.Session) -> None:
    """Confere uma pasta de artefatos ou um pacote zip, offline, só pelos arquivos."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def indice(session: nox.Session) -> None:
    """Lista, filtra e mede o índice; --html desenha o painel, --merge reúne os índices de muitos executores."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def retencao(session: nox.Session) -> None:
    """Mostra o que já pode sair e por que o resto fica; --apply remove, --hold guarda."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def publicar(session: nox.Session) -> None:
    """Copia um pacote a uma pasta, a um bucket com object lock ou a um registro OCI, e confere lá."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def regras(session: nox.Session) -> None:
    """Mostra o catálogo de regras, ou explica uma."""
    stage(session)


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def ci(session: nox.Session) -> None:
    """Explica, gera e confere os jobs de CI: explain [JOB], write [PASTA], check [PASTA]."""
    stage(session, "dev" if {"write", "check"} & set(session.posargs[:1]) else "pipeline")


@nox.session(venv_backend="none", tags=["etapa"], default=False)
def doctor(session: nox.Session) -> None:
    """Diz o que está instalado, o que cada etapa precisa e o comando que resolve o que falta."""
    stage(session)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def tests(session: nox.Session) -> None:
    """Os testes deste projeto, com cobertura; o resultado vira evidência para o CHECKLIST."""
    python = str(environment(session, "dev"))
    RESULTS.mkdir(parents=True, exist_ok=True)
    session.run(
        python, "-m", "pytest", f"--junitxml={RESULTS / 'junit.xml'}", "--cov=pipeline",
        f"--cov-report=xml:{RESULTS / 'coverage.xml'}", f"--cov-report=json:{RESULTS / 'coverage.json'}",
        "--cov-report=term", "--cov-fail-under=90", *session.posargs, external=True,
    )  # fmt: skip
    session.run(python, "-m", "pipeline", "registrar_testes", str(RESULTS), external=True)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def faults(session: nox.Session) -> None:
    """Os testes de minutos: o pacote morto em 200 pontos diferentes do disco, e os demais marcados como `slow`."""
    session.run(str(environment(session, "dev")), "-m", "pytest", "-m", "slow", *session.posargs, external=True)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def lint(session: nox.Session) -> None:
    """Estilo, formatação e contratos de importação."""
    python = str(environment(session, "dev"))
    session.run(python, "-m", "ruff", "check", ".", external=True)
    session.run(python, "-m", "ruff", "format", "--check", ".", external=True)
    session.run(str(Path(python).parent / "lint-imports"), external=True)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def types(session: nox.Session) -> None:
    """Mypy estrito sobre o pacote, os testes e esta configuração."""
    session.run(str(environment(session, "dev")), "-m", "mypy", external=True)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def adversarial(session: nox.Session) -> None:
    """As entradas hostis do modelo de ameaças, e o que a busca por novas já achou."""
    session.run(str(environment(session, "dev")), "-m", "pytest", "tests/adversarial", *session.posargs, external=True)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def fuzz(session: nox.Session) -> None:
    """Procura entradas que quebrem os leitores, por 30 s cada: `-- SEGUNDOS [ALVO…]`."""
    python = str(environment(session, "fuzz"))
    seconds, *named = session.posargs or ["30"]
    for target in named or FUZZED:
        folder = ROOT / "build" / "fuzz" / target
        session.run(python, "tests/fuzz/fuzz.py", target, str(folder), seconds, external=True)


@nox.session(venv_backend="none", tags=["projeto"], default=False)
def bench(session: nox.Session) -> None:
    """Compara a velocidade com os pisos e os pares, em uma só execução."""
    python = str(environment(session, "dev"))
    for script in sorted((ROOT / "bench").glob("[!_]*.py")):
        session.log(script.name)
        session.run(python, str(script), *session.posargs, external=True, env={"PYTHONPATH": str(ROOT)})
