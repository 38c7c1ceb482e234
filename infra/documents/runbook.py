"""Writes functions/get_page/files/runbook.html, to which the alerts lead: what each of them means and what to do."""

from __future__ import annotations

from markdown_it import MarkdownIt

from infra.documents.pages import FILES, page
from infra.monitoring.dashboards.runbook import introduction, paragraphs

DOCUMENT = FILES / "runbook.html"


def text() -> str:
    """The page as it is served."""
    markdown = MarkdownIt("commonmark")
    sections = [
        f'<article id="{alert}" aria-labelledby="{alert}-title">\n<h2 id="{alert}-title"><a href="#{alert}">{alert}</a></h2>\n'
        f"{markdown.render(words)}</article>"
        for alert, words in paragraphs().items()
    ]
    return page(
        "Scoreboard: runbook",
        "What each alert of the scoreboard means and what to do.",
        "Alerts",
        {alert: alert for alert in paragraphs()},
        "\n".join([markdown.render(introduction()), *sections]),
    )
