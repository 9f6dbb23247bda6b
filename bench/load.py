"""Load at the limits of the threat model: seconds, and the largest resident set, of one whole process each.

Method: each input is made anew; ``mapa_nc`` reads the large ones, ``verificar`` checks the large pack. No input of
threats.md §7 is a benchmark against a peer: the bars are absolute, so read them on a quiet machine.
Run: python bench/load.py [--full]   (--full adds 10 000 manifests and the pack of 5 000 files)
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from _manifests import write_tree
from _timing import Contender, goal, run_once, table

_MEBIBYTE = 1024 * 1024
_VERDICTS = frozenset({0, 3, 4, 10, 11})
_POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{0}, namespace: n}}\n"
    "spec: {{containers: [{{name: a, image: 'a:latest'}}]}}\n"
)
_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{0}, namespace: n}}\n"


def large_document(folder: Path) -> Path:
    """A document just under 20 MB: prose, and a manifest in every hundredth part of it."""
    path = folder / "modulo-00-grande.md"
    prose = ("Texto do módulo que descreve a arquitetura, com palavras e números 1234.\n" * 2700) + "\n"
    parts = [f"## {n}. Parte\n\n{prose}`apps/a/s{n}.yaml`:\n\n```yaml\n{_POD.format(n)}```\n\n" for n in range(100)]
    path.write_text("# Módulo 00 – Grande v0.1\n\n" + "".join(parts), encoding="utf-8")
    return path


def many_findings(folder: Path) -> Path:
    """Pods that breach several rules each: more than 26 000 findings."""
    tree = folder / "achados"
    tree.mkdir()
    for number in range(20):
        pods = [_POD.format(f"{number}-{n}") for n in range(150)]
        (tree / f"pods-{number}.yaml").write_text("---\n".join(pods), encoding="utf-8")
    return tree


def many_documents(folder: Path) -> Path:
    """10 000 small documents in one file."""
    tree = folder / "documentos"
    tree.mkdir()
    (tree / "muitos.yaml").write_text("---\n".join(_MAP.format(n) for n in range(10_000)), encoding="utf-8")
    return tree


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    full: bool = parser.parse_args().full
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        (folder / "c.toml").touch()
        artifacts = folder / "artifacts"
        command = [sys.executable, "-m", "pipeline"]
        common = ["-q", "--artifacts", str(artifacts), "--config", str(folder / "c.toml")]
        inputs = {
            "documento de 20 MB": large_document(folder),
            "20 arquivos, mais de 26 000 achados": many_findings(folder),
            "10 000 documentos em um arquivo": many_documents(folder),
        }
        if full:
            write_tree(folder / "arvore", 10_000)
            inputs["10 000 manifests"] = folder / "arvore"
        found = {
            name: run_once(
                Contender(name=name, argv=[*command, "mapa_nc", "--module", str(path), *common], accept=_VERDICTS)
            )
            for name, path in inputs.items()
        }
        if full:
            write_tree(folder / "cinco-mil", 5_000)
            keys = {"XDG_CONFIG_HOME": str(folder / "chaves"), "HOME": str(folder)}
            pack = [*command, "evidencias", "--module", str(folder / "cinco-mil"), *common]
            found["pacote de 5 000 arquivos"] = run_once(
                Contender(name="evidencias", argv=pack, accept=_VERDICTS, environment=keys)
            )
            (made,) = (artifacts / "reports").glob("*/evidencias.zip")
            size = made.stat().st_size / _MEBIBYTE
            name = f"verificar o pacote de {size:.0f} MiB"
            found[name] = run_once(Contender(name=name, argv=[*command, "verificar", str(made)], accept=_VERDICTS))
    table(
        ("entrada", "segundos", "pico MiB"),
        [(name, f"{each.seconds:.1f}", f"{each.peak_mib:.0f}") for name, each in found.items()],
    )
    for name, each in found.items():
        goal(f"{name}, pico em MiB", each.peak_mib, 200)


if __name__ == "__main__":
    main()
