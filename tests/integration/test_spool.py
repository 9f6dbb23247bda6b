"""Large contents wait on the disk, privately, and are gone afterwards."""

from __future__ import annotations

from pathlib import Path

from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.spool import open_spool
from pipeline.codec import sha256_hex
from pipeline.store import Store

LARGE = bytes(range(256)) * 8192


def test_what_is_put_away_is_published_and_gone(tmp_path: Path) -> None:
    with open_artifacts(tmp_path / "a") as folder, open_spool() as put_away:
        store = Store(folder)
        run = store.begin({"module": "M01"})
        kept = [put_away(LARGE), put_away(LARGE[::-1]), put_away(b"x")]
        assert kept[2] == b"x"
        private = [path for path in kept if isinstance(path, Path)]
        assert len({path.parent for path in private}) == 1
        assert private[0].parent.stat().st_mode & 0o077 == 0
        names = ("um.bin", "dois.bin", "tres.bin")
        digests = store.publish(run, "reports", dict(zip(names, kept, strict=True)), stage="t")
        assert [digests[name] for name in names] == [sha256_hex(each) for each in (LARGE, LARGE[::-1], b"x")]
        assert store.read(run, "reports", "um.bin") == LARGE
    assert len(private) == 2
    assert not any(path.parent.exists() for path in private)
