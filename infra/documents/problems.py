"""Writes functions/get_page/files/problems.html and .json: every code of a problem, from the errors and the gateway's table."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from infra.documents.pages import FILES, page
from local_runtime.gateway.http.problems import KNOWN
from shared.core.errors import ScoreboardError, problem_type

DOCUMENT, MEANINGS = FILES / "problems.html", FILES / "problems.json"
INTRODUCTION = """\
        <p>Every error is answered with a problem document (RFC 9457). Programs decide by its <code>code</code>, which is stable;
        its <code>type</code> leads to the code on this page, and its <code>detail</code> says what was wrong with this very
        request. The <code>requestId</code> finds it in the server's logs.</p>"""
REQUEST_ID = "7d5ac1f4-3bb1-4d9b-9d1e-6a4ea8c0a2ad"
WHAT_TO_DO = {
    400: "Correct the request; unchanged it is refused again.",
    401: "Get another token, ticket or key and try again; ask for name and password when the refresh token is refused, too.",
    403: "Retrying does not help: it takes another account, token, ticket or password.",
    404: "Look at the path and the id in it.",
    405: "Use one of the methods that the header `Allow` names.",
    408: "Send the request again, in one go.",
    409: "Something else has to change first, as `detail` says; with `Retry-After` it is enough to wait that long.",
    413: "Send less.",
    414: "Send less.",
    415: "Correct the header and send the request again.",
    417: "Leave the header `Expect` out.",
    422: "Correct the value that `detail` names; the request changed nothing.",
    426: "Open a WebSocket, or ask another path.",
    428: "Get what is missing and send the request again with it.",
    429: "Wait as long as the header `Retry-After` says. `RateLimit-Policy` and `RateLimit` tell which limit it is.",
    431: "Send less.",
    500: "Send it again later, with the same `Idempotency-Key` if it has one. If it stays, tell the operator the `requestId`.",
    501: "Use a method that the API has, and no other transfer coding than `chunked`.",
    503: "Wait as long as `Retry-After` says, and longer each time; with the same `Idempotency-Key` nothing is done twice.",
    504: "Send it again later, with the same `Idempotency-Key` where it has one: it may have been carried out.",
    505: "Use HTTP/1.1.",
}


class Problem(NamedTuple):
    """A code at one status, as it is answered."""

    status: int
    code: str
    title: str
    detail: str

    def example(self) -> dict[str, str | int]:
        """The document."""
        return {
            "type": problem_type(self.code),
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "requestId": REQUEST_ID,
        }


def problems() -> Mapping[str, Sequence[Problem]]:
    """Those of each code, in the order of the codes; more than one where functions and gateway say it in other words."""
    found: dict[str, dict[tuple[int, str], Problem]] = defaultdict(dict)
    for kind in _tree(ScoreboardError):
        if kind.is_internal:
            continue
        one = Problem(kind.status, kind.code, kind.title, meaning(kind))
        found[one.code].setdefault((one.status, one.detail), one)
    for status, (code, title, detail) in KNOWN.items():
        found[code].setdefault((status, detail), Problem(status, code, title, detail))
    return {code: list(found[code].values()) for code in sorted(found)}


def _tree(kind: type[ScoreboardError]) -> Iterator[type[ScoreboardError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def meaning(kind: type[ScoreboardError]) -> str:
    """What an error says where it says no more than usual."""
    is_inherited = kind is not ScoreboardError and kind.default_detail == ScoreboardError.default_detail
    return f"{kind.title}; `detail` says why." if is_inherited else kind.default_detail


def documents() -> dict[Path, str]:
    """The page, and for the reference of the API what each code means at each of its statuses."""
    known = problems()
    meanings = {code: {str(one.status): one.detail for one in reversed(ways)} for code, ways in known.items()}
    shown = page(
        "Scoreboard API: problems",
        "Every error code of the scoreboard: what it means and what to do.",
        "Codes",
        {code: f"<code>{_in_words(code)}</code>" for code in known},
        "\n".join([INTRODUCTION, *(_section(code, ways) for code, ways in known.items())]),
    )
    return {DOCUMENT: shown, MEANINGS: json.dumps(meanings, indent=1) + "\n"}


def _section(code: str, ways: Sequence[Problem]) -> str:
    lines = [
        f'<article id="{code}" aria-labelledby="{code}-title">',
        f'<h2 id="{code}-title"><a href="#{code}"><code>{_in_words(code)}</code></a></h2>',
    ]
    for status in dict.fromkeys(one.status for one in ways):
        here = [one for one in ways if one.status == status]
        lines += [f"<h3>{status} {here[0].title}</h3>"]
        lines += [f"<p>{_prose(detail)}</p>" for detail in dict.fromkeys(one.detail for one in here)]
        lines += [f"<p><strong>What to do.</strong> {_prose(WHAT_TO_DO[status])}</p>"]
        example = html.escape(json.dumps(here[0].example(), indent=2), quote=False)
        lines += [f'<pre tabindex="0"><code>{example}</code></pre>']
    return "\n".join([*lines, "</article>"])


def _in_words(code: str) -> str:
    """It may go on in the next line, but not inside a word."""
    return code.replace("_", "_<wbr>")


def _prose(words: str) -> str:
    parts = html.escape(words, quote=False).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
