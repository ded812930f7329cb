"""HTML that escapes by itself: only what `tag` made is taken as HTML, every other text is escaped."""

from html import escape

_VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | bool | None) -> Markup:
    """Return an element. `class_` and `data_left` become `class` and `data-left`; True is a bare attribute.

    A child or an attribute that is None, and an attribute that is False, are left out.
    """
    shown = "".join(
        f" {key}" if value is True else f' {key}="{escape(value)}"'
        for key, value in ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{shown}>")
    return Markup(f"<{name}{shown}>{together(*children)}</{name}>")


def together(*children: str | None) -> Markup:
    return Markup(
        "".join(child if isinstance(child, Markup) else escape(child) for child in children if child is not None)
    )


def verbatim(name: str, text: str, /, **attributes: str) -> Markup:
    """Return a `style` or `script` element, whose text is not escaped in HTML: for our own files only.

    Raises:
        ValueError: the text would end its element early.
    """
    if f"</{name}" in text.lower():
        raise ValueError(f"a {name} element cannot hold its own end")
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>") + text + f"</{name}>")
