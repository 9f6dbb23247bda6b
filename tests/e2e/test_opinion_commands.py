"""``parecer_ia`` as people run it: offline, with every mode, the same bytes anywhere, and refusals in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opinion_cases import BLOCKED, CLEAN
from pipeline.codec import sha256_hex

ROOT = Path(__file__).resolve().parents[2]


def run(place: Path, command: str = "parecer_ia", *more: str, **given: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM_")} | given
    arguments = [sys.executable, "-m", "pipeline", command, "--artifacts", str(place / "a"), *more]
    if "--module" not in more:
        arguments += ["--module", str(place / "m"), "--config", str(place / "c.toml")]
    return subprocess.run(arguments, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False)


def opinion(place: Path) -> dict[str, Any]:
    name = (place / "a" / "LATEST").read_text().strip()
    loaded: dict[str, Any] = json.loads((place / "a" / "ai_reports" / name / "parecer.json").read_text())
    return loaded


def files(place: Path) -> dict[str, bytes]:
    folder = place / "a" / "ai_reports" / (place / "a" / "LATEST").read_text().strip()
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.yaml").write_text(BLOCKED)
    (tmp_path / "c.toml").write_text("")
    return tmp_path


def test_the_module_that_ships_with_the_project_is_released_offline(tmp_path: Path) -> None:
    module = ROOT / "modules" / "m07-portal-backstage"
    done = run(tmp_path, "parecer_ia", "--module", str(module), "--config", str(ROOT / "appgear.toml"))
    assert done.returncode == 0, done.stderr
    made = opinion(tmp_path)
    assert (made["engine"], made["recommendation"]) == ("offline", "liberar")
    assert {
        "engine", "model", "risk_score", "impact", "recommendation", "conditions", "suggestions", "factors",
        "residual_risk", "prompt_sha256", "metadata",
    } <= made.keys()  # fmt: skip
    assert {"commit", "branch", "author", "pipeline", "dependencies"} <= made["metadata"].keys()
    published = files(tmp_path)
    assert sha256_hex(published["parecer.pedido.json"]) == made["prompt_sha256"]
    assert set(published) == {"SHA256SUMS", "parecer.html", "parecer.json", "parecer.md", "parecer.pedido.json"}


def test_the_opinion_on_the_real_document_is_the_same_bytes_on_two_machines(seed: Path, tmp_path: Path) -> None:
    """Two folders, time zones, locales, users and hash seeds stand for two machines."""
    made = []
    for index, zone in enumerate(("America/Sao_Paulo", "Asia/Tokyo")):
        place = tmp_path / f"maquina-{index}"
        place.mkdir()
        (place / "c.toml").write_text("")
        copy = shutil.copy(seed, place / seed.name)
        done = run(
            place, "parecer_ia", "--module", str(copy), "--config", str(place / "c.toml"),
            TZ=zone, LC_ALL=("C", "C.UTF-8")[index], USER=f"u{index}", PYTHONHASHSEED=str(index + 1),
            GITHUB_ACTIONS="1", GITHUB_RUN_ID=str(index),
        )  # fmt: skip
        assert done.returncode == 10, done.stderr
        made.append(files(place))
    assert made[0] == made[1]


@pytest.mark.parametrize(("mode", "code"), [("enforcing", 10), ("advisory", 0), ("off", 0)])
def test_the_mode_decides_what_the_gate_does(place: Path, mode: str, code: int) -> None:
    (place / "c.toml").write_text(f'[opinion]\nmode = "{mode}"\n')
    done = run(place)
    assert done.returncode == code, done.stderr
    made = place / "a" / "ai_reports"
    assert made.exists() is (mode != "off")
    if mode != "off":
        assert opinion(place)["recommendation"] == "bloquear"
        assert opinion(place)["mode"] == mode
    line = (place / "a" / "index.jsonl").read_text()
    assert f'"verdict":"{"sem-veredito" if mode == "off" else "bloquear"}"' in line


def test_a_gateway_that_is_required_and_not_there_is_no_release(place: Path) -> None:
    (place / "m" / "a.yaml").write_text(CLEAN)
    (place / "c.toml").write_text('[opinion]\nengine = "litellm"\n')
    assert run(place).returncode in (10, 11)
    assert any("nenhum gateway foi consultado" in each for each in opinion(place)["reasons"])


def test_a_gateway_that_is_down_ends_in_the_offline_opinion(place: Path) -> None:
    (place / "m" / "a.yaml").write_text(CLEAN)
    (place / "c.toml").write_text("[opinion]\ntries = 1\ndeadline_seconds = 5\n")
    done = run(place, LITELLM_BASE_URL="http://127.0.0.1:9", LITELLM_API_KEY="sk-planta-do-teste-77")
    assert done.returncode in (10, 11), done.stderr
    made = opinion(place)
    assert (made["engine"], made["gateway"]["status"]) == ("offline", "indisponivel")
    assert "indisponível" in files(place)["parecer.md"].decode()
    assert "sk-planta-do-teste-77" not in done.stdout + done.stderr
    assert not any(b"sk-planta-do-teste-77" in data for data in files(place).values())
    again = run(place, "parecer_ia", "--offline", LITELLM_BASE_URL="http://127.0.0.1:9")
    assert opinion(place)["gateway"]["status"] == "nao_consultado", again.stderr


def test_dry_run_shows_the_request_and_writes_nothing(place: Path) -> None:
    done = run(place, "parecer_ia", "--dry-run", "-q", LITELLM_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert request["temperature"] == 0
    assert not (place / "a").exists()
    assert "s3nh4-Forte9" not in done.stdout
    run(place)
    assert files(place)["parecer.pedido.json"].decode() == done.stdout


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"LITELLM_BASE_URL": "http://gateway.example"}, 3, "loopback"),
        ({"LITELLM_BASE_URL": "https://u:p@gateway.example"}, 3, "credencial"),
    ],
)
def test_a_gateway_that_must_not_be_asked_is_one_line(
    place: Path, variables: dict[str, str], code: int, said: str
) -> None:
    done = run(place, **variables)
    assert done.returncode == code
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("erro")]
    assert said in line
    assert "Traceback" not in done.stderr


def _consulted(place: Path) -> Path:
    (place / "c.toml").write_text("[opinion]\ntries = 1\ndeadline_seconds = 5\n")
    run(place, LITELLM_BASE_URL="http://127.0.0.1:9")
    kept = place / "consulta.json"
    kept.write_bytes(files(place)["parecer.consulta.json"])
    return kept


def test_a_replay_gives_the_same_run_and_bytes_in_every_command(place: Path) -> None:
    kept = _consulted(place)
    first, name = files(place), opinion(place)["run"]
    shutil.rmtree(place / "a")
    assert run(place, "checklist", "--replay", str(kept)).returncode == 10
    assert (files(place), opinion(place)["run"]) == (first, name)
    checklist = json.loads((place / "a" / "reports" / name / "checklist.json").read_text())
    (item,) = [each for each in checklist["items"] if "parecer automatizado" in each["question"]]
    assert (item["result"], item["severity"]) == ("NOK", "CRITICA")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("module", 5, "o pacote"),
        ("answer", 5, "SHA-256"),
        ("request", 5, "o pedido"),
        ("policy", 5, "a política"),
        ("form", 3, "não é um documento"),
    ],
)
def test_a_replay_of_something_else_is_refused(place: Path, change: str, code: int, said: str) -> None:
    kept = _consulted(place)
    record = json.loads(kept.read_text())
    if change == "module":
        (place / "m" / "a.yaml").write_text(CLEAN)
    elif change == "answer":
        record["answer"] = "{}"
    elif change == "form":
        record["verdict"] = "liberar"
    else:
        record[f"{change}_sha256"] = "0" * 64
    kept.write_text(json.dumps(record))
    done = run(place, "parecer_ia", "--replay", str(kept))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
