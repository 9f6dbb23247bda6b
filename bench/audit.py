"""The whole audit, process start included, against a lean floor and against checkov, on the same generated trees.

Method: floor and ours in turn, several rounds, medians of the ratios of a round, since the machine may be shared;
checkov, which takes minutes, once beside them (three times with --full).
checkov judges manifests and secrets, as we do; it lives in an environment of its own below the user's cache folder.
Run: python bench/audit.py [--full] [--plot ARQUIVO]   (--full adds 10 000 manifests, and more rounds)
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _manifests import write_tree
from _plot import draw
from _timing import ROOT, Contender, Samples, goal, interleave, table

from pipeline.adapters.files import read_tree
from pipeline.audit.policy import Policy
from pipeline.audit.views import ModuleView
from pipeline.domain.snapshot import SourceState
from pipeline.module.snapshot import build_snapshot
from pipeline.rules.catalog import load_rules

_CHECKOV = "3.3.30"
_CHECKOV_SIZES = (500, 2000)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "appgear-bench"


def install_checkov() -> Path | str:
    """Its interpreter, installed on first use; or why there is none."""
    folder = _cache() / f"checkov-{_CHECKOV}"
    python = folder / "bin" / "python"
    if (folder / "bin" / "checkov").exists():
        return python
    uv = shutil.which("uv")
    venv = [uv, "venv", "-q", str(folder)] if uv else [sys.executable, "-m", "venv", str(folder)]
    pip = [uv, "pip", "install", "-q", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
    for command in (venv, [*pip, f"checkov=={_CHECKOV}"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            return done.stderr.strip().rpartition("\n")[2] or "a instalação falhou"
    return python


def contenders(tree: Path, work: Path) -> list[Contender]:
    """The floor, and ours with every output."""
    artifacts, config = work / "artifacts", work / "appgear.toml"
    config.touch()
    lean = [sys.executable, str(ROOT / "bench" / "_lean.py"), str(tree), str(work / "lean.json")]
    ours = [sys.executable, "-m", "pipeline", "mapa_nc", "-q", "--module", str(tree)]
    return [
        Contender(name="lean", argv=lean),
        Contender(
            name="appgear",
            argv=[*ours, "--artifacts", str(artifacts), "--config", str(config)],
            prepare=lambda: shutil.rmtree(artifacts, ignore_errors=True),
        ),
    ]


def checkov_contender(tree: Path, work: Path, python: Path) -> Contender:
    """It, with one output."""
    argv = [str(python), str(python.parent / "checkov"), "-d", str(tree), "--framework", "kubernetes", "secrets"]
    argv += ["--skip-download", "--quiet", "--compact", "--soft-fail", "-o", "sarif", "--output-file-path", str(work)]
    return Contender(name="checkov", argv=argv)


def rules_per_object(tree: Path, *, rounds: int = 3) -> tuple[float, list[tuple[float, str]]]:
    """Microseconds per object of all rules and their selectors, the best of ``rounds``; and of the dearest rules."""
    import time  # noqa: PLC0415  # beside its one use

    files, problems = read_tree(tree)
    snapshot = build_snapshot(document=None, tree=files, problems=problems, source=SourceState(), fallback_id="BENCH")
    best: list[tuple[float, str]] = []
    for _ in range(rounds):
        view = ModuleView(snapshot, Policy())
        count = len(view.objects)  # read, and nothing else: what rules share is theirs to pay
        spent = []
        for rule in load_rules():
            start = time.process_time()
            for subject in view.select(rule.over):
                list(rule.check(subject))
            spent.append(((time.process_time() - start) * 1e6 / count, rule.id))
        if not best or sum(each for each, _ in spent) < sum(each for each, _ in best):
            best = spent
    return sum(each for each, _ in best), sorted(best, reverse=True)[:8]


def growth(sizes: dict[int, Samples]) -> float:
    """Exponent of the time by the number of files, over the largest step."""
    small, *_, large = sorted(sizes)
    return math.log(sizes[large].seconds / sizes[small].seconds) / math.log(large / small)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="ARQUIVO", help="grava a figura de docs/desempenho.md")
    options = parser.parse_args()
    full: bool = options.full
    checkov = install_checkov()
    if isinstance(checkov, str):
        print(f"checkov fica de fora: {checkov}")
    rows: list[tuple[str, ...]] = []
    seconds: dict[int, dict[str, Samples]] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for size in (500, 2000, 10_000) if full else (500, 2000):
            tree = work / f"t{size}"
            write_tree(tree, size)
            fast = interleave(contenders(tree, work), rounds=5 if size < 10_000 else 3)
            slow: dict[str, Samples] = {}
            if isinstance(checkov, Path) and size in _CHECKOV_SIZES:
                slow = interleave([checkov_contender(tree, work, checkov)], rounds=3 if full else 1)
            for name, each in (fast | slow).items():
                ratio = each.seconds / fast["lean"].seconds
                rows.append((f"{size}", name, f"{each.seconds:.2f}", f"{ratio:.1f}", f"{each.peak_mib:.0f}"))
            seconds[size] = fast | slow
        table(("arquivos", "quem", "segundos", "× lean", "pico MiB"), rows)
        total, dearest = rules_per_object(work / "t2000")
    if options.plot is not None:
        names = ("lean", "appgear", "checkov")
        series = {name: {size: each[name].seconds for size, each in seconds.items() if name in each} for name in names}
        options.plot.write_text(draw({name: each for name, each in series.items() if each}), encoding="utf-8")
    print(
        f"regras: {total:.0f} µs por objeto; as mais caras: "
        + ", ".join(f"{rule} {each:.1f}" for each, rule in dearest)
    )
    for size, found in seconds.items():
        goal(f"auditoria de {size} arquivos, × lean", found["appgear"].ratio(found["lean"]), 1.5)
        if "checkov" in found:
            times = found["checkov"].seconds / found["appgear"].seconds
            goal(f"checkov em {size} arquivos, × nós", times, 20 if size == 500 else 45, at_least=True)
    goal("regras, µs por objeto", total, 60)
    goal("expoente de crescimento", growth({size: found["appgear"] for size, found in seconds.items()}), 1.0)


if __name__ == "__main__":
    main()
