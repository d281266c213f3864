"""One self-contained HTML page of charts with their captions."""

from __future__ import annotations

import base64
import html
import io
import pathlib
from typing import Any

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.8rem; }} h2 {{ font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid #d5dde5; }}
section {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(30rem, 1fr)); gap: 1.5rem; }}
figure {{ margin: 0; }} img {{ width: 100%; height: auto; }} figcaption {{ color: #51606f; font-size: .9rem; }}
@media (max-width: 34rem) {{ section {{ grid-template-columns: 1fr; }} }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


class Report:
    """Chapters of charts; `write` makes the page."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.chapters: list[tuple[str, list[str]]] = []

    def chapter(self, title: str) -> None:
        """Begins a chapter."""
        self.chapters.append((title, []))

    def chart(self, figure: Any, caption: str) -> None:
        """Adds a matplotlib figure (or an axes' figure) to the chapter."""
        figure = getattr(figure, "figure", figure)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=110, bbox_inches="tight")
        figure.clear()
        data = base64.b64encode(picture.getvalue()).decode()
        said = html.escape(caption)
        self.chapters[-1][1].append(
            f'<figure><img alt="{said}" src="data:image/png;base64,{data}"><figcaption>{said}</figcaption></figure>'
        )

    def write(self, file: str) -> None:
        """Writes the page."""
        body = "\n".join(
            f"<h2>{html.escape(title)}</h2>\n<section>\n{chr(10).join(charts)}\n</section>"
            for title, charts in self.chapters
        )
        pathlib.Path(file).write_text(PAGE.format(title=html.escape(self.title), body=body))
