"""ApplicationSet of 1,000 elements: load the values, render, check, preview. Goal: under one second (performance.md).

Method: one process, the four steps timed apart, median of the runs; only parsed templates are kept between runs.
Run: python bench/appset.py [--full]   (--full: 10 000 elements, more runs)
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from _timing import goal, table

from pipeline.appset.load import load_values
from pipeline.appset.preview import dump_applications, preview
from pipeline.appset.render import find_drift, render_sets

_FOLDER = Path(__file__).resolve().parent.parent / "applicationsets"


def _values(count: int) -> bytes:
    """The project's own values with one cluster and ``count`` apps."""
    head, _, _ = (_FOLDER / "core.yaml").read_text(encoding="utf-8").partition("\napps:")
    apps = "".join(
        f"  - {{name: app-{i}, path: apps/a{i}, namespace: ns-{i % 50}, wave: {i % 5}, module: mod07-portal}}\n"
        for i in range(count)
    )
    cluster = "  - {name: ag-br-core-dev, server: 'https://kubernetes.default.svc', revision: main}\n"
    return f"{head}\napps:\n{apps}\nclusters:\n{cluster}".encode()


def measure(count: int) -> dict[str, float]:
    """Seconds per step."""
    template = (_FOLDER / "templates" / "apps-core.yaml.j2").read_text(encoding="utf-8")
    data = _values(count)
    marks = [time.perf_counter()]
    values = load_values(data, where="core.yaml")
    marks.append(time.perf_counter())
    files = render_sets(values, template=template)
    marks.append(time.perf_counter())
    if find_drift(files, dict(files)):
        raise SystemExit("drift")
    marks.append(time.perf_counter())
    applications = preview(next(iter(files.values())), where="apps-core.yaml")
    dump_applications(applications)
    marks.append(time.perf_counter())
    steps = zip(("load", "generate", "check", "preview"), marks[1:], marks, strict=False)
    return {name: end - start for name, end, start in steps}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    totals = {}
    rows = []
    for count in (1000, 10_000) if full else (1000,):
        runs = [measure(count) for _ in range(9 if full else 5)]
        rows += [(f"{count}", name, f"{statistics.median(run[name] for run in runs):.3f}") for name in runs[0]]
        totals[count] = statistics.median(sum(run.values()) for run in runs)
        rows.append((f"{count}", "total", f"{totals[count]:.3f}"))
    table(("elementos", "passo", "segundos"), rows)
    goal("1000 elementos: gerar, conferir e ver, segundos", totals[1000], 1.0)


if __name__ == "__main__":
    main()
