"""How does a cell stay text in a spreadsheet, and come back as it was?

A cell that begins with = + - @ (full-width ones too), a tab or a line break is run as a formula by spreadsheets; so may
be one that holds such a character after a separator or a quote, because a program that splits the cell again makes a
new cell of it. `prefixed` puts an apostrophe before each such place, `unprefixed` takes exactly those away again:

    prefixed("=1+1")   == "'=1+1"          prefixed("a;@b") == "a;'@b"          prefixed("rock'n'roll") unchanged

Source  CWE-1236; OWASP, "CSV injection"; OWASP ASVS 1.2.10
"""

from __future__ import annotations

import re

TRIGGERS = "=+-@\t\r\n＝＋－＠"  # noqa: RUF001 - full-width twins are meant
SEPARATORS = ",;|\t\r\n\"'"
_SPACES = "[ \u00a0\u3000]*"  # spreadsheets trim them first

_PLACE = re.compile(rf"(?:\A|(?<=[{SEPARATORS}]))(?={_SPACES}[{re.escape(TRIGGERS)}])")
_PREFIX = re.compile(rf"(?:\A|(?<=[{SEPARATORS}]))'(?={_SPACES}[{re.escape(TRIGGERS)}])")


def prefixed(text: str) -> str:
    """The text with an apostrophe before everything that a spreadsheet could run."""
    return _PLACE.sub("'", text)


def unprefixed(text: str) -> str:
    """The text that `prefixed` was given.

    Exact, because `prefixed` leaves no other apostrophe before a trigger: one that was there is itself a quote, and
    got a second one. What a person typed by hand passes unchanged, unless it starts with an apostrophe and a trigger.
    """
    return _PREFIX.sub("", text)
