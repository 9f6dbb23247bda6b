"""Options of the commands about the index and what is kept of it; only who asks for one of them loads these."""

from __future__ import annotations

from pathlib import Path

TYPE_CHECKING = False  # as in ``cli``
if TYPE_CHECKING:
    import argparse

__all__ = ["add_indice", "add_publicar", "add_retencao"]

_VERDICTS = [
    "aprovado", "condicional", "bloqueado", "erro", "interrompido", "sem-veredito", "liberar", "liberar_com_condicoes",
    "bloquear", "removido", "retencao-legal", "retencao-liberada",
]  # fmt: skip


def add_indice(command: argparse.ArgumentParser) -> None:
    chosen = command.add_argument_group("seleção")
    for name, metavar, told in (
        ("--module-id", "ID", "só este módulo, como M07; repita"),
        ("--branch", "NOME", "só este branch; repita"),
    ):
        chosen.add_argument(name, action="append", default=[], metavar=metavar, help=told)
    chosen.add_argument(
        "--verdict", action="append", default=[], choices=_VERDICTS, metavar="VEREDITO", help="só este veredito; repita"
    )
    chosen.add_argument("--sprint", action="append", type=int, default=[], metavar="N", help="só este sprint; repita")
    chosen.add_argument("--since", metavar="AAAA-MM-DD", help="desde este dia (UTC)")
    chosen.add_argument("--until", metavar="AAAA-MM-DD", help="até este dia, ele também (UTC)")
    command.add_argument("--kpi", action="store_true", help="só os indicadores, sem as linhas")
    command.add_argument(
        "--by", choices=["sprint", "module", "branch"], default="sprint", metavar="GRUPO",
        help="indicadores por sprint (padrão), module ou branch",
    )  # fmt: skip
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="linhas e indicadores em JSON")
    form.add_argument("--csv", action="store_true", help="as linhas em CSV; com --kpi, os indicadores")
    form.add_argument("--html", type=Path, metavar="ARQUIVO", help="grava o painel executivo em uma página")
    form.add_argument(
        "--merge",
        nargs="+",
        metavar="PASTA",
        help="reúne estas pastas de artefatos na de --artifacts, conferidas antes",
    )


def add_retencao(command: argparse.ArgumentParser) -> None:
    command.add_argument("--apply", action="store_true", help="remove o que pode sair; sem ela, só mostra")
    command.add_argument("--today", metavar="AAAA-MM-DD", help="a data de hoje, por quem responde por ela")
    word = command.add_mutually_exclusive_group()
    word.add_argument("--hold", metavar="RUN", help="põe um run sob retenção legal")
    word.add_argument("--release", metavar="RUN", help="termina a retenção legal de um run")
    command.add_argument("--reason", default="", metavar="TEXTO", help="por que a retenção legal começa ou termina")
    command.add_argument("--owner", default="", metavar="NOME", help="quem responde por ela")


def add_publicar(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--to", required=True, metavar="DESTINO", help="pasta, s3://bucket/prefixo ou oci://registro/repositório"
    )
    command.add_argument("--run", metavar="RUN", help="padrão: a execução mais nova")
    command.add_argument("--endpoint", metavar="URL", help="endereço do serviço S3 compatível")
    command.add_argument("--unlocked", action="store_true", help="aceita um bucket sem object lock")
    command.add_argument("--trust", metavar="ARQUIVO", help="arquivo de confiança para conferir o pacote antes")
    command.add_argument("--strict", action="store_true", help="só publica o que uma chave de --trust assinou")
    command.add_argument("--environment", default="producao", metavar="NOME", help="padrão: producao")
