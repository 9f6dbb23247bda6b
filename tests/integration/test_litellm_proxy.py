"""The command through a real LiteLLM proxy in an environment of its own, with an upstream that obeys these tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from opinion_upstream import Upstream, serving
from pinnedenv import pinned_environment
from pipeline.domain.opinion import RECOMMENDATIONS

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).parent / "litellm" / "requirements.txt"
TROJANISED = ("1.82.7", "1.82.8")
KEY = "sk-chave-do-proxy-1234"
MODULE = """# Módulo 00 – Exemplo

```yaml
# apps/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: backstage}
data: {x: y}
```
"""
CONFIG = """
model_list:
  - model_name: parecer
    litellm_params: {{model: openai/local, api_base: "{upstream}/v1", api_key: sk-nenhuma, max_retries: 0}}
litellm_settings: {{telemetry: false, num_retries: 0, request_timeout: 8}}
router_settings: {{num_retries: 0, disable_cooldowns: true}}
general_settings: {{master_key: {key}}}
"""


@dataclass
class Proxy:
    url: str
    upstream: Upstream
    process: subprocess.Popen[bytes]


def test_the_pinned_proxy_is_not_a_trojanised_one() -> None:
    text = LOCK.read_text()
    (version,) = [line.split("==")[1].split()[0] for line in text.splitlines() if line.startswith("litellm==")]
    assert version not in TROJANISED
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            assert "==" in line, "every requirement is pinned"
            assert line.endswith("\\"), "and has its hashes"


@pytest.fixture(scope="session")
def environment() -> Path:
    """Python with the pinned proxy; never the one that runs us."""
    return pinned_environment(LOCK, "litellm")


@pytest.fixture(scope="module")
def proxy(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with serving() as upstream:
        made = _start(environment, upstream, tmp_path_factory.mktemp("proxy"))
        try:
            yield made
        finally:
            _stop(made.process)


def _start(environment: Path, upstream: Upstream, folder: Path) -> Proxy:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(upstream=upstream.url, key=KEY))
    variables = {
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    command: list[str | Path] = [
        environment / "bin" / "litellm",
        "--config",
        config,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"{url}/health/liveliness", timeout=2):  # noqa: S310  # loopback
                return Proxy(url=url, upstream=upstream, process=process)
        except OSError:
            time.sleep(0.25)
    _stop(process)
    raise AssertionError((folder / "log").read_text()[-3000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "module-00-exemplo.md").write_text(MODULE)
    (tmp_path / "c.toml").write_text("[opinion]\nanswer_kb = 64\ndeadline_seconds = 12\ntries = 1\n")
    return tmp_path


def _run(place: Path, *more: str, url: str = "", key: str = KEY) -> tuple[int, dict[str, Any], str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM_")}
    if url:
        variables |= {"LITELLM_BASE_URL": url, "LITELLM_API_KEY": key}
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pipeline",
        "parecer_ia",
        "--module",
        place / "module-00-exemplo.md",
    ]
    command += ["--config", place / "c.toml", "--artifacts", place / "a", *more]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    latest = place / "a" / "LATEST"
    folder = place / "a" / "ai_reports" / latest.read_text().strip() if latest.is_file() else place
    opinion = json.loads((folder / "parecer.json").read_text()) if (folder / "parecer.json").is_file() else {}
    return done.returncode, opinion, done.stdout + done.stderr


def _files(place: Path, run: str) -> dict[str, bytes]:
    folders = [place / "a" / category / run for category in ("reports", "ai_reports")]
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "executions" not in path.parts
    }


def test_the_opinion_goes_through_the_proxy_and_replays_without_it(proxy: Proxy, place: Path, tmp_path: Path) -> None:
    _, offline, _ = _run(place)
    proxy.upstream.behaviour = "condition"
    code, made, told = _run(place, url=proxy.url)
    assert made["engine"] == "litellm", told
    assert made["gateway"]["status"] == "respondeu"
    assert "Provar a restauração." in made["conditions"]
    assert made["recommendation"] != "liberar"
    assert made["run"] != offline["run"], "the answer is an input of its run"
    asked = json.loads(proxy.upstream.requests[-1])
    assert (asked["temperature"], asked["seed"]) == (0, 7)
    assert asked["response_format"]["type"] == "json_schema"
    assert KEY not in told
    files = _files(place, made["run"])
    assert not any(KEY.encode() in data for data in files.values())

    consultation = tmp_path / "consulta.json"
    consultation.write_bytes(files[f"a/ai_reports/{made['run']}/parecer.consulta.json"])
    shutil.rmtree(place / "a")
    again, replayed, told = _run(place, "--replay", str(consultation), "--offline")
    assert (again, replayed) == (code, made), told
    assert _files(place, made["run"]) == files


def test_two_answers_are_two_runs_and_a_block_blocks(proxy: Proxy, place: Path) -> None:
    proxy.upstream.behaviour = "good"
    _, one, _ = _run(place, url=proxy.url)
    proxy.upstream.behaviour = "block"
    code, other, told = _run(place, url=proxy.url)
    assert code == 10, told
    assert other["recommendation"] == "bloquear"
    assert (other["risk_score"], other["impact"]) == (95, "critico")
    assert one["run"] != other["run"]
    assert _files(place, one["run"])
    check: list[str | Path] = [sys.executable, "-m", "pipeline", "verificar", place / "a"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("other-commit", "invalida"),
        ("other-nonce", "invalida"),
        ("extra-field", "invalida"),
        ("prose", "invalida"),
        ("cut", "invalida"),
        ("429", "indisponivel"),
        ("html", "indisponivel"),
        ("redirect", "indisponivel"),
        ("hang-up", "indisponivel"),
    ],
)
def test_an_upstream_that_misbehaves_never_releases(proxy: Proxy, place: Path, behaviour: str, status: str) -> None:
    proxy.upstream.behaviour = behaviour
    code, made, told = _run(place, url=proxy.url)
    assert code in (10, 11), told
    assert made["engine"] == "offline"
    assert made["gateway"]["status"] in {status, "invalida"}
    assert made["gateway"]["reason"]
    assert made["answer"] is None
    assert RECOMMENDATIONS.index(made["recommendation"]) >= 1
    assert "Traceback" not in told


def test_a_key_that_the_proxy_refuses_is_told_and_shown_nowhere(proxy: Proxy, place: Path) -> None:
    key = "sk-chave-errada-do-teste-42"
    code, made, told = _run(place, url=proxy.url, key=key)
    assert code in (10, 11)
    assert made["gateway"]["status"] == "indisponivel"
    assert key not in told
    assert not any(key.encode() in data for data in _files(place, made["run"]).values())


def test_pulling_the_proxy_away_in_the_middle_ends_in_the_offline_opinion(
    environment: Path, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with serving() as upstream:
        upstream.behaviour = "slow"
        made = _start(environment, upstream, tmp_path_factory.mktemp("outro"))
        try:
            variables = os.environ | {"LITELLM_BASE_URL": made.url, "LITELLM_API_KEY": KEY}
            command: list[str | Path] = [
                sys.executable,
                "-m",
                "pipeline",
                "parecer_ia",
                "--module",
                place / "module-00-exemplo.md",
            ]
            command += ["--config", place / "c.toml", "--artifacts", place / "a"]
            with subprocess.Popen(
                command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as run:
                until = time.monotonic() + 30
                while not upstream.requests and time.monotonic() < until:
                    time.sleep(0.05)
                assert upstream.requests, "the question reached the model"
                os.killpg(made.process.pid, signal.SIGKILL)
                told, _ = run.communicate(timeout=40)
            assert run.returncode in (10, 11), told
        finally:
            _stop(made.process)
    folder = place / "a" / "ai_reports" / (place / "a" / "LATEST").read_text().strip()
    opinion = json.loads((folder / "parecer.json").read_text())
    assert (opinion["engine"], opinion["gateway"]["status"]) == ("offline", "indisponivel")
    assert "indisponível" in (folder / "parecer.md").read_text()
