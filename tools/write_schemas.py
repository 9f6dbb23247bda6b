# ruff: noqa: INP001  # a script, not a package
"""Writes ``schemas/*.schema.json`` from the code: ``python tools/write_schemas.py``; ``--check`` only compares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.codec import dump_json  # noqa: E402  # found through the line above
from pipeline.domain.artifact import Checklist, CorrectionPlan, MapaNc, Rewrite  # noqa: E402
from pipeline.domain.doctor import DoctorReport  # noqa: E402
from pipeline.domain.evidence import Manifest, RapidDecision  # noqa: E402
from pipeline.domain.image import ImageRecord  # noqa: E402
from pipeline.domain.kpi import IndexReport  # noqa: E402
from pipeline.domain.opinion import Consultation, Opinion  # noqa: E402
from pipeline.domain.summary import LaunchSummary  # noqa: E402
from pipeline.records import record_schema  # noqa: E402

if TYPE_CHECKING:
    from pipeline.domain.base import Record

FOLDER = ROOT / "schemas"
DOCUMENTS: dict[str, type[Record]] = {
    "mapa_nc": MapaNc,
    "plano_correcao": CorrectionPlan,
    "modulo_reescrito": Rewrite,
    "checklist": Checklist,
    "parecer": Opinion,
    "parecer.consulta": Consultation,
    "image": ImageRecord,
    "manifest": Manifest,
    "rapid": RapidDecision,
    "indice": IndexReport,
    "resumo": LaunchSummary,
    "doctor": DoctorReport,
}


def render() -> dict[str, bytes]:
    """Every schema by file name."""
    return {f"{name}.schema.json": dump_json(record_schema(kind)) for name, kind in DOCUMENTS.items()}


def main() -> int:
    """Write what differs; with ``--check`` name it and end with 10."""
    wanted = render()
    present = {path.name: path.read_bytes() for path in FOLDER.glob("*.schema.json")}
    drifted = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if "--check" in sys.argv[1:]:
        sys.stderr.writelines(f"divergiu: schemas/{name}\n" for name in drifted)
        return 10 if drifted else 0
    FOLDER.mkdir(exist_ok=True)
    for name in drifted:
        if name in wanted:
            (FOLDER / name).write_bytes(wanted[name])
        else:
            (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
