"""Rego engines against one another: a label policy and an image policy over N generated objects, medians of R rounds.

Usage: ``python bench/opa.py [N] [R]``. The programs are taken from PATH where they are there. Engines are interleaved,
and every engine must find the same.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.audit.opa import Engine, PolicySet, evaluate_policies
from pipeline.audit.opa_engines import ConftestEngine, InProcessEngine, OpaEngine, Run

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICIES = PolicySet.from_texts(
    {
        "labels.rego": """package labels

required := {"app.kubernetes.io/name", "appgear.io/tier", "appgear.io/suite", "appgear.io/tenant-id"}

deny contains msg if {
  some label in required
  not input.metadata.labels[label]
  msg := sprintf("label ausente: %s", [label])
}
""",
        "images.rego": """package images

deny[msg] {
  container := input.spec.template.spec.containers[_]
  endswith(container.image, ":latest")
  msg := sprintf("imagem %s", [container.image])
}

warn[msg] {
  container := input.spec.template.spec.containers[_]
  not container.resources.limits
  msg := container.name
}
""",
    }
)


def generated(number: int) -> dict[str, object]:
    tag = "latest" if number % 10 == 0 else "1.0"
    image = f"registry.example.com/a:{tag}"
    containers = [{"name": f"c{number}", "image": image, "resources": {"limits": {"cpu": "1"}}}]
    labels = {"app.kubernetes.io/name": "a", "appgear.io/tier": "core", "appgear.io/suite": "core"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"d{number}", "labels": labels | ({"appgear.io/tenant-id": "g"} if number % 7 else {})},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
    }


def run_with(binary: str) -> Run:
    def run(argv: list[str], stdin: bytes, files: Mapping[str, bytes]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_bytes(content)
            done = subprocess.run([binary, *argv[1:]], input=stdin, cwd=folder, capture_output=True, check=False)
        return done.stdout or done.stderr

    return run


def main(count: int = 1000, rounds: int = 5) -> None:
    engines: list[Engine] = [InProcessEngine()]
    opa, conftest = shutil.which("opa"), shutil.which("conftest")
    engines += [OpaEngine(run_with(opa))] if opa else []
    engines += [ConftestEngine(run_with(conftest))] if conftest else []
    objects = [generated(number) for number in range(count)]
    seconds: dict[str, list[float]] = {engine.name: [] for engine in engines}
    expected = evaluate_policies(POLICIES, objects, engines[0])
    for _ in range(rounds):
        for engine in engines:
            start = time.perf_counter()
            found = evaluate_policies(POLICIES, objects, engine)
            seconds[engine.name].append(time.perf_counter() - start)
            if found != expected:
                sys.exit(f"{engine.name} finds something else")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:10} {median:7.3f} s   {median / count * 1e6:8.1f} µs per object")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
