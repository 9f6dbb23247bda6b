"""pre-commit: the two checks that are worth a moment before each commit, as sessions of the same toolkit."""

from __future__ import annotations

from pipeline.ci.yamltext import render_yaml

__all__ = ["render_hooks"]

_LAUNCHER = "ci/nox"


def render_hooks() -> dict[str, bytes]:
    """Path → bytes; pre-commit looks for it at the root of the toolkit's repository."""
    hooks = [
        {
            "id": "appgear-mapa-nc",
            "name": "AppGear: MAPA_NC dos módulos que mudaram",
            "description": "Audita os módulos dos arquivos do commit; args escolhe --module e --fail-on.",
            "entry": f"{_LAUNCHER} -s ci -- changed",
            "language": "script",
            "args": ["--module", "modules/*", "--fail-on", "CRITICA"],
            "types": ["text"],
            "require_serial": True,
        },
        {
            "id": "appgear-applicationset-check",
            "name": "AppGear: ApplicationSets conferem com os valores",
            "description": "Acusa arquivo gerado que diverge dos valores que appgear.toml nomeia.",
            "entry": f"{_LAUNCHER} -s applicationset -- --check",
            "language": "script",
            "files": r"(^|/)(applicationsets/|appgear\.toml$)",
            "pass_filenames": False,
            "require_serial": True,
        },
    ]
    return {".pre-commit-hooks.yaml": render_yaml([hooks])}
