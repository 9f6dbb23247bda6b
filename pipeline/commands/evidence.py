"""The commands about evidence, composed: keys, trust, packs, decisions, verification."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pipeline
from pipeline.adapters.archive import staged_archive
from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.build import builder_name, lock_digests
from pipeline.adapters.ci import pipeline_name
from pipeline.adapters.host import describe_host
from pipeline.adapters.keys import find_key, has_key, is_address, key_name
from pipeline.codec import sha256_hex, visible
from pipeline.domain.evidence import ROLES, RiskException
from pipeline.errors import ExitCode, UsageError
from pipeline.evidence.envelope import held_key, key_of, signing_key
from pipeline.evidence.manifest import RAPID, ZIP
from pipeline.evidence.trust import load_trust
from pipeline.evidencing import Bench, Speech, is_current, read_pack
from pipeline.ledger import Execution
from pipeline.packing import PackMaker
from pipeline.report.pack_form import Minute, render_form
from pipeline.report.pack_recipe import ROLE_NAMES, WORDS
from pipeline.report.text import counted
from pipeline.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pipeline.domain.evidence import Board, Manifest
    from pipeline.evidence.envelope import SigningKey
    from pipeline.evidence.trust import Trust
    from pipeline.evidencing import EvidencePack
    from pipeline.ports import FileReader
    from pipeline.report.console import Console
    from pipeline.stages import Trail

__all__ = ["EvidenceCommands"]

TRUST_VARIABLE = "APPGEAR_TRUST_FILE"
PUBLIC_KEY_VARIABLE = "APPGEAR_PUBLIC_KEY_FILE"
_EXCEPTION_PARTS = 4


class EvidenceCommands:
    """One command's options, its console, and what it may read."""

    def __init__(self, options: argparse.Namespace, console: Console, reader: FileReader) -> None:
        self._options = options
        self._console = console
        self._reader = reader

    # --- what comes from outside

    def trust(self) -> Trust | None:
        """``--trust`` or APPGEAR_TRUST_FILE; never anything inside what is judged by it."""
        named = self._options.trust or os.environ.get(TRUST_VARIABLE)
        if not named:
            if self._options.strict:
                raise UsageError("--strict precisa de --trust", mend="indique o arquivo de confiança")
            return None
        path = Path(named)
        judged = [self._options.artifacts, *([self._options.folder] if getattr(self._options, "folder", None) else [])]
        if any(path.resolve().is_relative_to(each.resolve()) for each in judged):
            raise UsageError(
                "o arquivo de confiança está dentro do que ele deve julgar",
                where=visible(named),
                mend="mova-o para fora",
            )
        return load_trust(self._reader.read_file(path), where=visible(named))

    def can_sign(self) -> bool:
        """Whether there is a key to sign with. The trail makes none on its own: a key is somebody's decision."""
        if has_key(self._options.key, os.environ):
            return True
        self._console.lines(
            ["EVIDENCIAS        sem chave de assinatura: rode `evidencias` para criar uma e montar o pacote"]
        )
        return False

    def _key(self) -> SigningKey:
        named = key_name(self._options.key, os.environ)
        if named is not None and is_address(named):
            return self._held_key(named)
        found = find_key(self._options.key, os.environ)
        key = signing_key(found.pem, where=found.place)
        if found.made:
            self._console.lines([f"chave Ed25519 criada em {found.place} (keyid {key.keyid[:16]}…)"])
        return key

    def _printer(self) -> Callable[[bytes], bytes]:
        from pipeline.adapters.pdf import render_pdf  # noqa: PLC0415  # an extra

        return render_pdf

    def _keyless(self) -> Callable[[bytes], bytes]:
        from pipeline.adapters.keyless import sign_keyless  # noqa: PLC0415  # an extra

        return partial(sign_keyless, offline=self._options.offline)

    def _held_key(self, address: str) -> SigningKey:
        """A key elsewhere: its public half comes from ``--public-key``, and what it signs is checked with that."""
        named = self._options.public_key or os.environ.get(PUBLIC_KEY_VARIABLE)
        if not named:
            raise UsageError(
                "esta chave não se lê: falta a pública", where=visible(address), mend="indique-a com --public-key"
            )
        pem = self._reader.read_file(Path(named))
        try:
            public = key_of(pem)
        except ValueError as error:
            message = "não é uma chave pública Ed25519, P-256 ou P-384 em PEM"
            raise UsageError(message, where=visible(named), mend="exporte a pública desta chave") from error
        from pipeline.adapters.remotekeys import open_signer  # noqa: PLC0415  # only who holds such a key pays

        signer = open_signer(address, public, os.environ, offline=self._options.offline)
        return held_key(signer, pem)

    def _bench(self, store: Store) -> Bench:
        return Bench(
            store=store,
            environment=self._options.environment,
            now=datetime.now(UTC),
            trust=self.trust(),
            strict=self._options.strict,
        )

    # --- evidencias

    def pack(self, trail: Trail, *, epoch: int, retention_days: int) -> EvidencePack:
        """Make the pack of a run whose checklist is done, and say where it is."""
        maker = PackMaker(
            bench=self._bench(trail.store),
            key=self._key(),
            source=trail.mapa.source,
            tests=trail.tests,
            epoch=datetime.fromtimestamp(epoch, UTC) if epoch else None,
            retention_days=retention_days,
            builder=builder_name(os.environ),
            version=pipeline.__version__,
            locks=lock_digests(),
            readings=tuple((each.id, each.title, each.reading) for each in trail.rules if each.reading),
            stage_archive=staged_archive,
            print_page=self._printer() if self._options.pdf else None,
            sign_keyless=self._keyless() if self._options.keyless else None,
        )
        pack = maker.make(trail.run)
        self._console.lines(
            [
                f"EVIDENCIAS        {_files(pack.manifest)}, manifesto {pack.root[:16]}…",
                f"                  pacote: {self._options.artifacts}/reports/{trail.run}/{ZIP}",
            ]
        )
        self._say_board(pack.board)
        return pack

    def released(self, store: Store, run: str) -> bool:
        """Whether a decision on exactly this content lets a conditional verdict pass; False without any decision."""
        if not store.has(run, "reports", RAPID):
            return False
        pack = read_pack(self._bench(store), run)
        board = pack.board
        if not is_current(store, pack.manifest):
            return False
        self._say_board(board)
        return board.released

    # --- rapid

    def rapid(self) -> ExitCode:
        """Record a decision, show where it stands, or print the minute."""
        with open_artifacts(self._options.artifacts) as folder:
            store = Store(folder)
            run = self._options.run or store.latest()
            if run is None:
                raise UsageError("nenhuma execução registrada", mend="rode `evidencias` antes")
            pack = read_pack(self._bench(store), run)
            if self._options.action == "form":
                self._console.data(render_form(_minute(pack)))
                return ExitCode.OK
            if self._options.action in ROLES:
                self._speak(store, pack)
                pack = read_pack(self._bench(store), run)
            return self._status(pack)

    def _speak(self, store: Store, pack: EvidencePack) -> None:
        options = self._options
        if not options.person or not options.decision:
            raise UsageError("faltam --person e --decision", mend="veja `rapid --help`")
        begun = datetime.now(UTC)
        decision = pack.speak(
            Speech(
                role=options.action,
                person=options.person,
                decision=options.decision,
                conditions=tuple(options.condition),
                justification=options.justification,
                exceptions=tuple(_exception(each) for each in options.exception),
                days=options.days,
                key=None if options.unsigned else self._key(),
            )
        )
        spoken = store.read(pack.manifest.run, "reports", RAPID)
        source = pack.manifest.source
        store.append(
            Execution(
                run=pack.manifest.run,
                module=pack.manifest.module.id,
                command="rapid",
                pipeline=pipeline_name(os.environ),
                branch=source.branch,
                commit=source.commit,
                verdict=pack.manifest.verdict,
                manifest_sha256=pack.root,
                started=begun,
                finished=datetime.now(UTC),
                details={**describe_host(os.environ), "rapid": {"bytes": len(spoken), "sha256": sha256_hex(spoken)}},
                retention_days=pack.manifest.retention_days,
            )
        )
        how = "declarada, não verificada" if decision.declared else "assinada"
        said = f"{ROLE_NAMES[decision.role]}, {visible(decision.person)}: {WORDS[decision.decision]} ({how})"
        until = f"válida até {decision.expires_at[:10]}; rode `evidencias` para refazer o zip com ela"
        self._console.lines([f"registrado: {said}, {until}"])

    def _status(self, pack: EvidencePack) -> ExitCode:
        board, manifest = pack.board, pack.manifest
        self._console.lines(
            [
                f"RAPID             {manifest.module.id} run {manifest.run}, ambiente {self._options.environment}",
                f"                  manifesto {pack.root}, veredito {manifest.verdict}",
            ]
        )
        self._say_board(board)
        if manifest.verdict == "bloqueado" or board.vetoes:
            return ExitCode.BLOCKED
        return ExitCode.OK if board.released else ExitCode.CONDITIONAL

    def _say_board(self, board: Board) -> None:
        for each in board.refused:
            self._console.warn(f"{RAPID}:{each.line}: não conta ({each.message})")
        for found in board.accepted:
            decision = found.decision
            how = "assinada e verificada" if found.verified else "declarada, não verificada"
            word = f"{WORDS[decision.decision]} até {decision.expires_at[:10]}"
            self._console.lines([f"                  {ROLE_NAMES[decision.role]}: {found.name}, {word} ({how})"])
        for missing in board.missing:
            who = f": {', '.join(missing.people)}" if missing.people else ""
            need = counted(missing.needed, "pessoa", "pessoas")
            self._console.lines([f"                  falta {ROLE_NAMES[missing.role]} ({need}{who})"])
        if board.released:
            how = "decisão verificada" if board.verified else "decisão declarada, não verificada"
            self._console.lines([f"                  liberado: {how}"])


def _files(manifest: Manifest) -> str:
    return counted(len(manifest.files), "arquivo", "arquivos")


def _minute(pack: EvidencePack) -> Minute:
    return Minute(
        manifest=pack.manifest,
        root=pack.root,
        board=pack.board,
        environment=pack.bench.environment,
        checklist=pack.checklist,
        opinion=pack.opinion,
    )


def _exception(text: str) -> RiskException:
    parts = [each.strip() for each in text.split(";")]
    if len(parts) != _EXCEPTION_PARTS:
        raise UsageError(f"exceção fora do formato: {visible(text)}", mend='use "item;dono;risco residual;AAAA-MM-DD"')
    return RiskException(item=parts[0], owner=parts[1], residual_risk=parts[2], until=parts[3])
