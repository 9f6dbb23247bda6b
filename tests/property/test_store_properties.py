"""Whatever stages publish, in whatever order, a run ends with the same bytes, and verification holds."""

from __future__ import annotations

import string
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapters.artifacts import open_artifacts, open_artifacts_to_check
from pipeline.codec import sort_sums
from pipeline.errors import IntegrityError
from pipeline.ports import path_fault
from pipeline.store import Store
from pipeline.store_verify import verify_store
from pipeline.sums import parse_sums

NAMES = st.text(alphabet=string.ascii_lowercase + "é -._", min_size=1, max_size=8).filter(lambda n: not path_fault(n))
FILES = st.dictionaries(st.tuples(st.sampled_from("abc"), NAMES).map("/".join), st.binary(max_size=40), max_size=6)
DIGESTS = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)


def published(root: Path, order: list[tuple[str, dict[str, bytes]]]) -> dict[str, bytes]:
    with open_artifacts(root) as folder:
        store = Store(folder)
        run = store.begin({"module": "M07"})
        for category, files in order:
            if files:
                store.publish(run, category, files, stage="s")
    with open_artifacts_to_check(root) as folder:
        assert verify_store(folder).problems == ()
    return {
        str(each.relative_to(root)): each.read_bytes()
        for each in root.rglob("*")
        if each.is_file() and each.name != ".lock"
    }


@settings(max_examples=25, deadline=None)
@given(files=FILES, data=st.data())
def test_the_order_of_publishing_does_not_matter(files: dict[str, bytes], data: st.DataObject) -> None:
    steps = [(category, {path: content}) for path, content in files.items() for category in ("reports", "tests")]
    shuffled = data.draw(st.permutations(steps))
    with tempfile.TemporaryDirectory() as base:
        one = published(Path(base, "one"), [("reports", files), ("tests", files)])
        two = published(Path(base, "two"), shuffled)
    assert one == two


@given(rows=st.dictionaries(NAMES, DIGESTS, min_size=1))
def test_every_written_list_is_read_back(rows: dict[str, str]) -> None:
    rows.pop("SHA256SUMS", None)
    assert parse_sums(sort_sums(rows), where="S") == rows


@given(data=st.binary(max_size=200))
def test_only_what_would_be_written_is_read(data: bytes) -> None:
    try:
        rows = parse_sums(data, where="S")
    except IntegrityError:
        return
    assert sort_sums(rows) == data


@given(at=st.integers(min_value=0, max_value=10_000), flip=st.integers(min_value=1, max_value=255))
def test_a_changed_byte_never_yields_the_same_list(at: int, flip: int) -> None:
    rows = {"a": "0" * 64, "b/c": "f" * 64}
    data = bytearray(sort_sums(rows))
    data[at % len(data)] ^= flip
    with suppress(IntegrityError):
        assert parse_sums(bytes(data), where="S") != rows
