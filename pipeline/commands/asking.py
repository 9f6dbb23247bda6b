"""Where a run's consultation comes from: a recorded file, the gateway of the environment, or nowhere."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.adapters.artifacts import open_artifacts
from pipeline.codec import visible
from pipeline.opining import consult, load_consultation
from pipeline.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.domain.opinion import Consultation
    from pipeline.opinion.settings import OpinionSettings
    from pipeline.ports import FileReader
    from pipeline.stages import Trail

__all__ = ["obtain_consultation", "scratch_store"]

_URL, _KEY = "LITELLM_BASE_URL", "LITELLM_API_KEY"


def obtain_consultation(
    settings: OpinionSettings,
    *,
    replay: Path | None,
    offline: bool,
    reader: FileReader,
    environment: Mapping[str, str],
    make_trail: Callable[[Store], Trail],
) -> Consultation | None:
    """The consultation that this execution takes as an input; None where none is wanted or no gateway is configured.

    A new one is asked over a trail in a private folder: the run that it belongs to is named by the answer too, so that
    it cannot begin before there is one. InputError for a gateway that must not be asked.
    """
    if settings.mode == "off":
        return None
    if replay is not None:
        return load_consultation(reader.read_file(replay), where=visible(str(replay)))
    url = environment.get(_URL, "").strip()
    if offline or settings.engine == "offline" or not url:
        return None
    from pipeline.adapters.litellm import open_gateway  # noqa: PLC0415  # only who asks pays for it

    gateway = open_gateway(
        url,
        environment.get(_KEY, "").strip(),
        hosts=settings.hosts,
        deadline_seconds=settings.deadline_seconds,
        tries=settings.tries,
        answer_bytes=settings.answer_kb * 1024,
    )
    with scratch_store() as store:
        return consult(make_trail(store), gateway.ask, nonce=secrets.token_hex(16))


@contextmanager
def scratch_store() -> Iterator[Store]:
    """A store that is gone afterwards, for what is made before a run can be named."""
    with tempfile.TemporaryDirectory(prefix="appgear-") as private, open_artifacts(Path(private, "a")) as folder:
        yield Store(folder)
