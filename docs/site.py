"""What the site adds to Markdown: mathematics that browsers draw by themselves, and every command's help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig

from dlmp_cosim.runners.cli import COMMANDS, main

COMMANDS_HERE = "{{ commands }}"
WIDTH = 80


def draw(source: str, *_args: Any, **_options: Any) -> str:
    """Turn the TeX of a fence into MathML."""
    return f'<div class="math">{convert(source, display="block")}</div>'


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Tell Markdown about fences of mathematics."""
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [{"name": "math", "class": "math", "format": draw}]
    }
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of every command where a page asks for it."""
    if COMMANDS_HERE not in markdown:
        return markdown
    return markdown.replace(COMMANDS_HERE, "\n\n".join(sections()))


def sections() -> Iterator[str]:
    """Write a section for the command line and for each command."""
    context = click.Context(main, info_name="dlmp", max_content_width=WIDTH, terminal_width=WIDTH)
    yield f"```text\n{main.get_help(context)}\n```"
    for name in COMMANDS:
        _, command, _ = main.resolve_command(context, [name])
        inner = click.Context(command, context, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
        yield f"## {name}\n\n```text\n{command.get_help(inner)}\n```"
