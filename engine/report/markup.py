"""HTML and SVG by construction: text is escaped unless it was made here.

Only `Html` is put into a page as it stands. A string is text, wherever it comes from: a symbol that
looks like a tag is shown as what it is.
"""

from collections.abc import Iterable
from html import escape

import msgspec


class Html(str):
    """Markup that this module has made."""

    __slots__ = ()


Child = str | Iterable["Child"] | None
Value = str | float | bool | None

VOID = frozenset(("br", "hr", "input", "link", "meta"))


def tag(name: str, /, *children: Child, **attributes: Value) -> Html:
    """One element. `class_` is class, `data_x` is data-x; None and False leave an attribute out."""
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in VOID:
        return Html(opened)
    return Html(f"{opened}{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Html:
    return Html("".join(_text(child) for child in children))


def number(value: float, places: int = 1) -> str:
    """For coordinates: short, never an exponent, no minus at zero."""
    text = f"{value:.{places}f}"
    if places:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def data_block(name: str, value: object) -> Html:
    """Data for the page's script: JSON that cannot end its element."""
    text = msgspec.json.encode(value).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Html(f'<script type="application/json" id="{escape(name)}">{text}</script>')


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    return escape(child) if isinstance(child, str) else join(child)


def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    key = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {key}"
    text = value if isinstance(value, str) else number(value, 2)
    return f' {key}="{escape(text)}"'
