"""Coverage-guided fuzzing of one target by atheris: ``python tests/fuzz/fuzz.py TARGET FOLDER SECONDS``.

New inputs go to FOLDER (made when absent), crashes to FOLDER/crashes; the committed corpus seeds both. Ends with 0 when
nothing was found. Run by ``nox -s fuzz``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

with atheris.instrument_imports(include=["pipeline"], exclude=["pipeline.audit.schemas"]):
    from fuzz_targets import CORPUS, TARGETS

# One input may take two seconds bare (threats.md §7); instrumented code is some five times slower.
_LIMITS = ["-timeout=10", "-rss_limit_mb=1500", "-max_len=16384", "-print_final_stats=1", "-verbosity=1"]


def main(name: str, folder: Path, seconds: int) -> None:
    """Fuzz; libFuzzer ends the process itself."""
    crashes = folder / "crashes"
    crashes.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], str(folder), str(CORPUS / name), f"-max_total_time={seconds}", *_LIMITS]
    atheris.Setup([*arguments, f"-artifact_prefix={crashes}/"], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
