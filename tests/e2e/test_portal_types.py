"""The portal's TypeScript against the types of what is installed: the build only strips them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from portalkit import PORTAL, WORKSHOP, built_portal


def test_the_types_hold(tmp_path: Path) -> None:
    bundle = built_portal()
    installed = max((WORKSHOP / "install").glob("*/tree"), key=lambda each: each.parent.stat().st_mtime_ns)
    ignored = shutil.ignore_patterns("node_modules", "dist", ".*")
    source = shutil.copytree(PORTAL, tmp_path / "portal", ignore=ignored)
    (source / "node_modules").symlink_to(installed / "node_modules")
    command: list[str | Path] = [bundle.node / "bin/node", "node_modules/typescript/bin/tsc", "--project", "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
