"""What the pack proves to an ISO/IEC 27001 auditor, what it does not, and how norms that disagree were read."""

from __future__ import annotations

__all__ = ["INTERPRETATIONS", "ISO_ROWS", "NON_GOALS"]

ISO_ROWS = (
    (
        "5.3",
        "A.6.1.2",
        "Segregação de funções",
        "papéis RAPID de pessoas diferentes, conferidos contra o arquivo de confiança",
        "que as contas e chaves não são partilhadas",
    ),
    (
        "5.21",
        "A.15.1.3",
        "Cadeia de fornecimento de TIC",
        "procedência SLSA com commit, regras, travas de dependências e imagem base; SBOM, quando houver",
        "a conduta dos fornecedores",
    ),
    (
        "5.28",
        "A.16.1.7",
        "Coleta de evidências",
        "lista fechada, SHA-256 e assinatura de cada arquivo",
        "o que aconteceu fora da esteira",
    ),
    (
        "5.33",
        "A.18.1.3",
        "Proteção de registros",
        "retenção mínima de 90 dias e índice encadeado",
        "que a cópia guardada não será apagada",
    ),
    (
        "5.36",
        "A.18.2.2, A.18.2.3",
        "Conformidade com políticas e normas",
        "regras aplicadas, NC, plano e checklist",
        "regras que ainda não existem",
    ),
    (
        "8.4",
        "A.9.4.5",
        "Acesso ao código-fonte",
        "de que commit e conteúdo a entrega foi feita, e que nada da árvore auditada foi executado",
        "quem pode ler ou escrever no repositório",
    ),
    (
        "8.8",
        "A.12.6.1",
        "Vulnerabilidades técnicas",
        "componentes e versões no SBOM, quando houver",
        "vulnerabilidades que ninguém importou ou publicou",
    ),
    (
        "8.9",
        "novo em 2022",
        "Gestão de configuração",
        "módulo e ApplicationSets por commit e hash, e se divergem dos valores declarados",
        "o estado do cluster hoje",
    ),
    (
        "8.15",
        "A.12.4.1 a A.12.4.3",
        "Registro de eventos",
        "uma linha por execução, com o hash da anterior",
        "registros do cluster",
    ),
    (
        "8.24",
        "A.10.1.1, A.10.1.2",
        "Uso de criptografia",
        "assinaturas e SHA-256 verificáveis sem a ferramenta; validade e revogação de cada chave",
        "a guarda das chaves privadas",
    ),
    ("8.25", "A.14.2.1", "Ciclo de desenvolvimento seguro", "a trilha inteira, da NC à decisão", "o desenho do módulo"),
    (
        "8.28",
        "novo em 2022",
        "Codificação segura",
        "as regras aplicadas a cada manifesto e texto, e o que a reescrita corrigiu",
        "o código das aplicações que as imagens trazem",
    ),
    (
        "8.29",
        "A.14.2.8, A.14.2.9",
        "Testes de segurança no desenvolvimento e na aceitação",
        "testes e cobertura da esteira, quando registrados",
        "testes do módulo em execução",
    ),
    (
        "8.31",
        "A.12.1.4, A.14.2.6",
        "Separação de ambientes",
        "decisão que vale para um ambiente só",
        "o isolamento real dos ambientes",
    ),
    (
        "8.32",
        "A.12.1.2, A.14.2.2 a A.14.2.4",
        "Gestão de mudanças",
        "pedido, risco, decisão e validade, ligados ao conteúdo",
        "a execução da mudança, além do registro Perform",
    ),
)

INTERPRETATIONS = (
    "O veredito segue o pior item do checklist; nenhuma pontuação o compensa.",
    "A matriz usa a severidade da norma como impacto e a recorrência da regra no módulo como probabilidade.",
    "O CHECKLIST está dentro do que se assina; pela assinatura e pela decisão respondem esta página e `verificar`.",
    "Uma decisão do CCB libera um veredito condicional; nunca um bloqueado.",
    "Toda máquina declara SLSA Build L1, mesmo um executor de CI: a chave fica ao alcance do que é construído.",
)

NON_GOALS = (
    "uma máquina comprometida durante a execução",
    "a maioria de quem aprova ser desonesta",
    "a única cópia ser apagada",
    "o texto do modelo de IA estar correto",
    "o estado do cluster em execução",
    "vulnerabilidades que os dados importados não conhecem",
)
