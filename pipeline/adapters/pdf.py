"""A page as PDF/UA by WeasyPrint: laid out in this process, with the system's fonts and nothing fetched."""

from __future__ import annotations

import logging
from typing import NoReturn

from pipeline.errors import ToolError

__all__ = ["render_pdf"]

_MEND = 'pip install "appgear-pipeline[pdf]" e a biblioteca Pango do sistema, ou imprima a página em um navegador'


def render_pdf(page: bytes) -> bytes:
    """The page on A4, tagged for readers. Same page, same version and same fonts: same bytes.

    ToolError where WeasyPrint or the system's Pango is missing, or it cannot lay the page out.
    """
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)  # it tells of each property that only screens know
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    try:
        from weasyprint import HTML  # noqa: PLC0415  # an extra
    except (ImportError, OSError) as error:  # OSError: the package is there, the system's library is not
        raise ToolError("--pdf precisa do extra pdf (WeasyPrint)", mend=_MEND) from error
    try:
        made: bytes = HTML(string=page.decode(), url_fetcher=_refuse).write_pdf(pdf_variant="pdf/ua-1")
    except Exception as error:  # of its parsers, its fonts and its layout alike
        raise ToolError(f"a página não virou PDF ({type(error).__name__}: {error})", mend=_MEND) from error
    return made


def _refuse(address: str, *_more: object, **_named: object) -> NoReturn:
    """Nothing is fetched: the page holds all that it needs."""
    raise ValueError(f"endereço na página: {address[:80]}")
