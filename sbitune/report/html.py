"""Small pieces of a page, every text escaped."""

import html
import json
from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --quiet: #5c6670; --line: #d9dee3; --good: #00663f; --bad: #a33a00; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink);
  max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; background: white; }
h1 { font-size: 25px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 40px 0 10px; padding-top: 14px; border-top: 1px solid var(--line); }
p { max-width: 78ch; margin: 8px 0; }
.quiet { color: var(--quiet); }
.verdict { font-size: 18px; margin: 14px 0; padding: 12px 16px; border-left: 5px solid var(--good);
  background: #f2f8f5; max-width: none; }
.verdict.bad { border-color: var(--bad); background: #fbf4ef; }
.warning { padding: 8px 14px; border-left: 5px solid var(--bad); background: #fbf4ef; max-width: none; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--line); padding: 4px 14px 4px 0;
  vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 4px 14px 4px 0; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.path { font: 13px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; white-space: nowrap; }
td.good { color: var(--good); } td.bad { color: var(--bad); }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: #f6f7f8; padding: 12px 14px; overflow-x: auto; border-radius: 4px; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(360px, 100%), 1fr)); gap: 22px 18px; }
figure { margin: 0; } figure svg { width: 100%; height: auto; display: block; }
figcaption { font-size: 12.5px; color: var(--quiet); }
figure.single { max-width: 760px; } figure.matrix { max-width: 470px; }
nav a { margin-right: 16px; } a { color: #0b5cad; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """Put a page together; it needs nothing from outside itself."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def decimal(value: float) -> str:
    """A chi2 with one decimal.

    >>> decimal(-0.01), decimal(12.34)
    ('0.0', '12.3')
    """
    return f"{round(value, 1) + 0.0:.1f}"  # adding 0 makes 0 of -0


def text(value: object) -> str:
    """Escape."""
    return html.escape(str(value))


def script_data(value: object) -> str:
    r"""JSON inside a `<script>` element, which no text in it can end.

    >>> script_data({"title": "</script>"})
    '{"title": "\\u003c/script\\u003e"}'
    """
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def section(name: str, title: str, *parts: str) -> str:
    """Make a section with an anchor."""
    return f'<h2 id="{name}">{text(title)}</h2>\n' + "\n".join(parts)


def paragraph(words: str, kind: str = "") -> str:
    """Make a paragraph of plain text."""
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> str:
    """Make a table; the columns in `numbers` are set flush right. A cell may be a (text, class) pair; columns in which
    no row has a text are left out.
    """
    right = set(numbers)
    body = [[(v[0], str(v[1])) if isinstance(v, tuple) else (v, "") for v in row] for row in rows]
    filled = [i for i in range(len(head)) if not body or any(row[i][0] != "" for row in body)]

    def cell(tag: str, i: int, words: object, extra: str = "") -> str:
        kinds = " ".join(k for k in ("number" if i in right else "", extra) if k)
        return f'<{tag} class="{kinds}">{text(words)}</{tag}>' if kinds else f"<{tag}>{text(words)}</{tag}>"

    top = "".join(cell("th", i, head[i]) for i in filled)
    lines = ("<tr>" + "".join(cell("td", i, *row[i]) for i in filled) + "</tr>" for row in body)
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n' + "\n".join(lines) + "</tbody></table></div>"
    )


def figure(svg: str, caption: str = "", kind: str = "") -> str:
    """Put a drawing with its caption."""
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return f'<figure class="{kind}">{svg}{below}</figure>'
