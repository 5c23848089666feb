"""HTML as a browser takes it, for tests of what functions of ``ui`` make."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """HTML as a browser takes it: elements with their texts, and the text of all."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.elements: list[tuple[str, dict[str, str], int]] = []
        self._ends: dict[int, int] = {}
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(len(self.elements))
        self.elements.append((tag, {k: v or "" for k, v in attrs}, len(self.text)))

    def handle_endtag(self, tag: str) -> None:
        place = self._open.pop()
        assert self.elements[place][0] == tag
        self._ends[place] = len(self.text)

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str = "", cls: str = "") -> list[str]:
        """The texts of the elements with that name and class."""
        return [
            self.text[start : self._ends[place]]
            for place, (name, attributes, start) in enumerate(self.elements)
            if tag in ("", name) and (not cls or cls in attributes.get("class", "").split())
        ]

    @property
    def buttons(self) -> list[tuple[str, str]]:
        """Action and target of each button, in order."""
        return [
            (attributes["data-action"], attributes["data-target"])
            for name, attributes, _ in self.elements
            if name == "button"
        ]
