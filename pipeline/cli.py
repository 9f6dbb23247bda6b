"""The command line: options, exit statuses, one line per error. Adapters are built in ``pipeline.app``."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys

from pipeline.errors import ExitCode, Terminated

TYPE_CHECKING = False  # type checkers know the name; to import typing would be a tenth of the time that --help takes
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType
    from typing import Any, NoReturn

__all__ = ["build_parser", "main", "run"]


class _Parser(argparse.ArgumentParser):
    """argparse, with usage errors as one line of pt-BR."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._positionals.title = "argumentos"
        self._optionals.title = "opções"

    def error(self, message: str) -> NoReturn:
        from pipeline.codec import harmless  # noqa: PLC0415  # only where something is wrong

        self.exit(ExitCode.USAGE, f"erro: {harmless(_translate(message))} — veja `{self.prog} --help`\n")


class _Formatter(argparse.HelpFormatter):
    """argparse's own in pt-BR, without the ``shutil`` that it would load to learn the terminal's width."""

    def add_usage(
        self, usage: str | None, actions: Iterable[argparse.Action], groups: Iterable[Any], prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, "uso: " if prefix is None else prefix)

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Every command with its options; each takes the common ones, so that one set of arguments fits a chain.

    With ``only``, that command alone has its options: the others are there to be named.
    """
    parser = _Parser(
        prog="appgear-pipeline",
        description="Da arquitetura de um módulo AppGear a uma entrega que o CCB pode assinar.",
        epilog="Códigos de saída: 0 feito · 2 uso · 3 entrada recusada · 4 ferramenta ou verificação que não rodou · "
        "5 integridade · 10 um gate diz não · 11 um gate diz só com condições.",
        add_help=False,
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    _help(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMANDO", required=True, parser_class=_Parser)
    for name, (summary, add_options) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{name}: {summary}.",
            add_help=False,
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        if only is None or name == only:
            _help(command)
            _add_common(command, many=add_options in (_add_stage, _add_opinion, _add_doctor))
            add_options(command)
    return parser


def _add_common(command: argparse.ArgumentParser, *, many: bool) -> None:
    from pathlib import Path  # noqa: PLC0415  # --help must not pay for it

    common = command.add_argument_group("opções comuns")
    common.add_argument(
        "--module",
        type=Path,
        action="extend",
        nargs="+" if many else 1,
        default=[],
        metavar="CAMINHO",
        help="documento .md ou pasta do módulo" + ("; vários, ou um padrão entre aspas" if many else ""),
    )
    common.add_argument("--gitops", metavar="CAMINHO-OU-URL[@REV]", help="árvore GitOps: pasta ou repositório git")
    common.add_argument("--artifacts", type=Path, default=Path("artifacts"), metavar="PASTA", help="padrão: artifacts")
    common.add_argument("--config", type=Path, metavar="ARQUIVO", help="padrão: appgear.toml")
    common.add_argument("--baseline", type=Path, metavar="ARQUIVO", help="mapa_nc.json de uma execução anterior")
    common.add_argument("--offline", action="store_true", help="recusa tudo o que precisa de rede")
    common.add_argument("-q", "--quiet", action="store_true", help="só erros")
    common.add_argument("-v", "--verbose", action="store_true", help="mostra também a causa técnica dos erros")


def _add_stage(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fail-on",
        metavar="SEVERIDADE",
        choices=["CRITICA", "ALTA", "MEDIA", "BAIXA"],
        help="sai com 10 se houver NC desta severidade ou pior",
    )
    command.add_argument(
        "--branch", metavar="NOME", help="grava o módulo reescrito em um branch novo do repositório de origem"
    )
    command.add_argument("--base", metavar="REV", help="revisão git com a qual o parecer compara o módulo")
    from pathlib import Path  # noqa: PLC0415  # as above

    command.add_argument(
        "--replay", type=Path, metavar="ARQUIVO", help="repete um parecer a partir da consulta gravada, sem rede"
    )
    command.add_argument("--no-cache", action="store_true", help="faz de novo, mesmo que nada tenha mudado")
    command.add_argument("--pdf", action="store_true", help="grava a página de evidências também em PDF")
    command.add_argument("--keyless", action="store_true", help="assina o manifesto também com Sigstore, sem chave")
    many = command.add_argument_group("um ou vários módulos")
    many.add_argument("--jobs", type=_jobs, metavar="N", help="módulos lado a lado (padrão: um por processador)")
    many.add_argument("--json", action="store_true", help="resumo em JSON na saída padrão")
    many.add_argument("--summary", type=Path, metavar="ARQUIVO", help="grava o resumo em Markdown")
    _add_evidence(command)


def _add_evidence(command: argparse.ArgumentParser) -> None:
    evidence = command.add_argument_group("evidências e decisões")
    evidence.add_argument("--trust", metavar="ARQUIVO", help="arquivo de confiança: pessoas, papéis e chaves (TOML)")
    evidence.add_argument("--strict", action="store_true", help="só conta o que uma chave de --trust assinou")
    evidence.add_argument("--environment", default="producao", metavar="NOME", help="padrão: producao")
    forms = "fd:N, env:NOME, hsm:, awskms:, azurekms:, gcpkms: ou hv:"
    evidence.add_argument("--key", metavar="ARQUIVO", help=f"chave privada Ed25519 em PEM; ou {forms}")
    evidence.add_argument("--public-key", metavar="ARQUIVO", help="a pública de uma chave que não se lê, como hsm:")


def _add_rapid(command: argparse.ArgumentParser) -> None:
    actions = ["recommend", "agree", "input", "perform", "decide", "status", "form"]
    command.add_argument("action", metavar="AÇÃO", choices=actions, help=" · ".join(actions))
    command.add_argument("--run", metavar="RUN", help="padrão: a execução mais nova")
    command.add_argument("--person", metavar="ID", help="quem decide, como no arquivo de confiança")
    command.add_argument("--decision", choices=["liberar", "liberar_com_condicoes", "bloquear"], metavar="DECISÃO")
    command.add_argument("--condition", action="append", default=[], metavar="TEXTO", help="uma condição; repita")
    command.add_argument("--justification", default="", metavar="TEXTO")
    command.add_argument(
        "--exception", action="append", default=[], metavar="ITEM;DONO;RISCO;DATA", help="um risco aceito; repita"
    )
    command.add_argument("--days", type=int, default=30, metavar="N", help="validade em dias (padrão: 30)")
    command.add_argument("--unsigned", action="store_true", help="declara sem assinar: não conta com --strict")
    _add_evidence(command)


def _add_opinion(command: argparse.ArgumentParser) -> None:
    _add_stage(command)
    command.add_argument("--dry-run", action="store_true", help="só mostra o pedido que iria ao gateway")


def _add_applicationset(command: argparse.ArgumentParser) -> None:
    chosen = command.add_mutually_exclusive_group()
    chosen.add_argument("--check", action="store_true", help="não escreve: sai com 10 se os arquivos divergirem")
    chosen.add_argument(
        "--preview", nargs="?", const="", metavar="ARQUIVO", help="mostra as Applications que o Argo CD criaria"
    )
    chosen.add_argument("--diff", metavar="REV", help="compara as Applications com as de uma revisão git")


def _add_sbom(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--image", metavar="LAYOUT[:NOME]", help="o SBOM de qualquer imagem em layout OCI, em um run só dela"
    )
    command.add_argument("--diff", nargs=2, metavar=("ANTES", "DEPOIS"), help="compara dois SBOMs CycloneDX em JSON")
    command.add_argument("--json", action="store_true", help="a comparação como JSON")


def _add_image(command: argparse.ArgumentParser) -> None:
    chosen = command.add_mutually_exclusive_group()
    chosen.add_argument("--verify", action="store_true", help="reconstrói sem cache e diz o que difere, e por quê")
    chosen.add_argument("--update-base", action="store_true", help="grava em base.lock os pacotes mais novos da base")
    chosen.add_argument("--push", metavar="REF", help="envia a um registro OCI, com SBOM e atestados, e lê de volta")
    command.add_argument(
        "--builder",
        choices=["buildah", "podman", "docker"],
        metavar="MOTOR",
        help="constrói com buildah, podman ou docker, das mesmas camadas",
    )
    command.add_argument(
        "--mirror", action="append", default=[], metavar="URL", help="espelho Debian no lugar dos do host; repita"
    )


def _add_verificar(command: argparse.ArgumentParser) -> None:
    from pathlib import Path  # noqa: PLC0415  # as above

    command.add_argument(
        "folder", nargs="?", type=Path, metavar="CAMINHO", help="pasta de artefatos (padrão: --artifacts), run ou zip"
    )
    command.add_argument("--commit", metavar="SHA", help="o commit que o pacote deve ter")
    command.add_argument(
        "--rebuild", action="store_true", help="refaz o que é reprodutível com --module ou --gitops e diz o que difere"
    )
    command.add_argument("--base", metavar="REV", help="com --rebuild, a revisão com que o parecer comparou o módulo")
    command.set_defaults(replay=None)
    _add_evidence(command)


def _add_regras(command: argparse.ArgumentParser) -> None:
    from pathlib import Path  # noqa: PLC0415  # as above

    command.add_argument("rule", nargs="?", metavar="ID", help="id da regra, como IMG-LATEST")
    command.add_argument("--write", type=Path, metavar="ARQUIVO", help="grava o catálogo em Markdown")


def _add_registrar_testes(command: argparse.ArgumentParser) -> None:
    from pathlib import Path  # noqa: PLC0415  # as above

    command.add_argument("results", type=Path, metavar="PASTA", help="pasta com junit.xml e coverage.xml")


def _add_doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="em JSON")
    command.add_argument("--key", metavar="ARQUIVO", help="a chave que as etapas usariam")


def _add_ci(command: argparse.ArgumentParser) -> None:
    from pathlib import Path  # noqa: PLC0415  # as above

    actions = command.add_subparsers(dest="action", metavar="AÇÃO", required=True, parser_class=_Parser)
    for name, summary in (
        ("explain", "mostra o que os jobs, ou um deles, rodam"),
        ("write", "grava os arquivos de CI"),
        ("check", "não escreve: sai com 10 se os arquivos de CI divergirem"),
        ("modules", "lista os módulos de --module em JSON"),
        ("changed", "roda mapa_nc nos módulos dos arquivos dados"),
        ("collect", "junta em uma pasta o que o CI lê das execuções"),
    ):
        action = actions.add_parser(
            name, help=summary, description=f"ci {name}: {summary}.", add_help=False, formatter_class=_Formatter
        )
        _help(action)
        _add_common(action, many=name == "modules")
        if name == "explain":
            action.add_argument("job", nargs="?", metavar="JOB", help="padrão: todos")
        elif name == "changed":
            _add_stage(action)
            action.add_argument("files", nargs="*", metavar="ARQUIVO")
        elif name != "modules":
            default = Path("build/ci") if name == "collect" else Path()
            action.add_argument("folder", nargs="?", type=Path, default=default, metavar="PASTA")


def _add_indice(command: argparse.ArgumentParser) -> None:
    from pipeline.cli_index import add_indice  # noqa: PLC0415  # as above

    add_indice(command)


def _add_retencao(command: argparse.ArgumentParser) -> None:
    from pipeline.cli_index import add_retencao  # noqa: PLC0415  # as above

    add_retencao(command)


def _add_publicar(command: argparse.ArgumentParser) -> None:
    from pipeline.cli_index import add_publicar  # noqa: PLC0415  # as above

    add_publicar(command)


_MAX_JOBS = 256


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_JOBS):
        raise argparse.ArgumentTypeError(f"use um número de 1 a {_MAX_JOBS}")
    return int(text)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "mapa_nc": ("audita um módulo e lista as não conformidades", _add_stage),
    "plano_correcao": ("transforma as não conformidades em um plano ordenado", _add_stage),
    "modulo_reescrito": ("aplica o plano: documento, árvore e patch", _add_stage),
    "parecer_ia": ("dá o parecer de risco da entrega, offline ou também pelo gateway LiteLLM", _add_opinion),
    "checklist": ("audita o módulo reescrito, confere as evidências e dá o veredito", _add_stage),
    "pipeline": ("roda a trilha inteira, em ordem", _add_stage),
    "applicationset": ("gera os ApplicationSets com list generator", _add_applicationset),
    "sbom": ("lista os componentes da imagem e da esteira em CycloneDX e SPDX", _add_sbom),
    "image": ("constrói a imagem do portal como layout OCI", _add_image),
    "evidencias": ("monta e assina o pacote de evidências: manifesto, página e zip", _add_stage),
    "rapid": ("registra e mostra as decisões RAPID/CCB", _add_rapid),
    "verificar": ("confere uma pasta de artefatos, um run ou um pacote zip, offline", _add_verificar),
    "indice": ("lista, filtra e mede o índice de execuções, ou reúne os de muitos executores", _add_indice),
    "retencao": ("mostra o que já pode sair e por que o resto fica; remove com --apply", _add_retencao),
    "publicar": ("copia um pacote a um lugar que o guarda, e confere lá", _add_publicar),
    "regras": ("mostra o catálogo de regras, ou explica uma", _add_regras),
    "ci": ("explica, gera e confere os jobs de CI, que são as sessões nox", _add_ci),
    "doctor": ("diz o que está instalado, o que cada etapa precisa e o comando que resolve", _add_doctor),
    "registrar_testes": ("registra os resultados dos testes da esteira como evidência", _add_registrar_testes),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit status of contract.md. Expected failures are one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    try:
        first = arguments[0] if arguments else ""
        options = build_parser(only=first).parse_args(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    signal.signal(signal.SIGTERM, _terminate)
    # A run keeps many values and makes few cycles: to look for those at Python's own rate takes a sixth of an audit.
    gc.set_threshold(100_000, 50, 50)
    try:
        from pipeline.app import run_command  # noqa: PLC0415  # --help must not pay for it

        return int(run_command(options))
    except KeyboardInterrupt:
        sys.stderr.write("interrompido\n")
        return ExitCode.INTERRUPTED
    except Terminated:
        sys.stderr.write("encerrado por SIGTERM\n")
        return ExitCode.TERMINATED
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.OK
    except Exception as error:  # whatever it is, it is told in one line
        return _tell(error, verbose=options.verbose)


def run() -> NoReturn:
    """Entry point of the installed command."""
    sys.exit(main(sys.argv[1:]))


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    try:
        return int(given) if given.isdecimal() and int(given) else os.get_terminal_size().columns
    except OSError:  # no terminal
        return 80


def _help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-h", "--help", action="help", help="mostra esta ajuda")


def _translate(message: str) -> str:
    for known, shown in (
        ("the following arguments are required:", "falta"),
        ("unrecognized arguments:", "opção desconhecida:"),
        ("invalid choice:", "valor inválido:"),
        ("choose from", "use um de"),
        ("expected one argument", "falta o valor"),
        ("not allowed with argument", "não combina com"),
        ("argument ", ""),
    ):
        message = message.replace(known, shown)
    return message


def _tell(error: Exception, *, verbose: bool) -> int:
    from pipeline.codec import harmless  # noqa: PLC0415  # only where something is wrong
    from pipeline.failures import explained  # noqa: PLC0415

    told = explained(error)
    if verbose:
        import traceback  # noqa: PLC0415

        traceback.print_exception(told, file=sys.stderr)
    sys.stderr.write(f"erro: {harmless(str(told))}\n")
    return int(told.exit_code)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
