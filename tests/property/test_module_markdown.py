"""The block scanner against markdown-it-py, an independent CommonMark parser."""

from __future__ import annotations

import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.module.blocks import scan_blocks

_PIECES = [
    "```",
    "~~~",
    "````",
    "```yaml",
    "- ",
    "* ",
    "1. ",
    "2) ",
    "> ",
    "  ",
    "    ",
    "   ",
    " ",
    "# H",
    "## H",
    "###",
    "---",
    "===",
    "text",
    "a",
    "<!-- c",
    "-->",
    "<div>",
    "</div>",
    "<pre>",
    "</pre>",
    "",
    "- - ",
    "> > ",
    "-",
    "1.",
    "`x`",
    "***",
    "<b>",
    "#",
    "## x ##",
    "<?",
    "?>",
    "<!A",
    ">",
    "<![CDATA[",
    "]]>",
    "<b c='d'>",
]
_LINE = st.lists(st.sampled_from(_PIECES), max_size=4).map("".join)
_PARSER = MarkdownIt("commonmark").disable("inline")


@settings(max_examples=600, deadline=None)
@given(st.lists(_LINE, min_size=1, max_size=9))
def test_fences_and_headings_agree(lines: list[str]) -> None:
    # not followed on purpose: front matter, and a quirk of the other parser, which takes "    >" as a quote's next line
    assume(not lines[0].startswith("---"))
    assume(not any(re.match(r"[ >]* {4,}>", line) for line in lines))
    tokens = _PARSER.parse("\n".join(lines) + "\n")
    fences = [
        (token.map[0] + 1, token.info.strip(), token.content) for token in tokens if token.type == "fence" and token.map
    ]
    headings = [
        (token.map[0] + 1, int(token.tag[1]), " ".join(line.strip() for line in tokens[index + 1].content.split("\n")))
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
    ]
    own_headings, own_blocks = scan_blocks(lines)
    assert [(item.line, item.level, item.text) for item in own_headings] == headings
    own = [(item.line, item.info, "".join(f"{line}\n" for line in item.content)) for item in own_blocks]
    assert own == fences
