from __future__ import annotations

import pytest

from pipeline.module.blocks import Block, scan_blocks


def scan(text: str) -> tuple[list[tuple[int, int, str]], list[Block]]:
    headings, blocks = scan_blocks(text.split("\n"))
    return [(item.line, item.level, item.text) for item in headings], list(blocks)


def test_headings_of_both_forms() -> None:
    headings, _ = scan("# A #\n\nB\nb2\n===\n\nC\n---\n\n####### no\n#no\n##\t D\n    # code\n> # quoted\n- # item\n")
    assert headings == [(1, 1, "A"), (3, 1, "B b2"), (7, 2, "C"), (12, 2, "D")]


@pytest.mark.parametrize(
    ("text", "content", "dropped"),
    [
        ("```yaml\na\n  b\n```", ("a", "  b"), (0, 0)),
        ("~~~\n```\n~~~~\n", ("```",), (0,)),
        ("````\n```\n````", ("```",), (0,)),
        ("  ```\n  a\n b\n   c\n  ```", ("a", "b", " c"), (2, 1, 2)),
        ("* x\n\n  ```\n  a\n\n    b\n  ```", ("a", "", "  b"), (2, 0, 2)),
        ("1. x\n   - y\n\n     ```\n     a\n     ```", ("a",), (5,)),
        ("> ```\n> a\n>b\n> ```", ("a", "b"), (2, 1)),
        ("-\t```\n\ta\n\t```", ("a",), (1,)),
        ("- ```\n \ta\n  ```", ("\ta",), (1,)),
    ],
)
def test_content_is_the_tail_of_each_line(text: str, content: tuple[str, ...], dropped: tuple[int, ...]) -> None:
    (block,) = scan(text)[1]
    assert (block.content, block.dropped, block.closed) == (content, dropped, True)
    lines = text.split("\n")
    assert all(lines[block.line + index][cut:] == content[index] for index, cut in enumerate(dropped))


@pytest.mark.parametrize("text", ["```\na", "- ```\n  a\n\nb", "> ```\n> a\nb"])
def test_a_fence_without_end_stops_with_its_container(text: str) -> None:
    (block,) = scan(text)[1]
    assert block.content[0] == "a"
    assert not block.closed


@pytest.mark.parametrize(
    "text",
    [
        "    ```\n    a\n    ```",
        "<!--\n```\na\n```\n-->",
        "<div>\n```\na\n```\n</div>",
        "<x-y a='b' c>\n```\n```\n",
        "``` a`b\n",
        "---\na: |\n  ```\n  b\n---\n",
    ],
)
def test_no_fence(text: str) -> None:
    assert scan(text)[1] == []


def test_html_blocks_end() -> None:
    assert [block.line for block in scan("<details>\n\n```\n```\n<!-- a -->\n```\n```\n")[1]] == [3, 6]


def test_a_front_matter_holds_no_headings() -> None:
    assert scan("---\ntitle: x\n---\n# A")[0] == [(4, 1, "A")]
    assert scan("---\ntitle: x\n\n# A")[0] == [(4, 1, "A")]


def test_an_item_that_begins_blank_ends_at_a_second_blank_line() -> None:
    assert scan("-\n\n  ```\n  a\n  ```")[1][0].dropped == (2,)
    assert scan("-\n\n      ```\n")[1] == []


def test_deep_nesting_is_text() -> None:
    assert scan("> " * 1000 + "```")[1] == []
    assert scan("- " * 1000 + "a")[0] == []
