"""Rego engines against one another: a label policy and an image policy over N generated objects, medians of R rounds.

Method: the programs are taken from PATH where they are there; engines in turn, and every one must find the same.
Run: python bench/opa.py [--full]   (--full: 10 000 objects)
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _timing import table

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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    count, rounds = (10_000, 5) if full else (1000, 5)
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
                sys.exit(f"{engine.name}: acha outra coisa")
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    table(
        ("motor Rego", "segundos", "µs por objeto"),
        [(name, f"{median:.3f}", f"{median / count * 1e6:.1f}") for name, median in medians.items()],
    )


if __name__ == "__main__":
    main()
