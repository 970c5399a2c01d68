"""Under which names may the review be asked, and who reaches the address where it listens?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from ..model import Mistake
from .people import Person

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


def hosts_of(host: str, hosts: Sequence[str], people: Mapping[str, Person]) -> tuple[str, ...]:
    """The names that a request may be for, where the server binds `host`; Mistake where that would be open to others.

    On loopback these are its names and `hosts`; elsewhere only `hosts`, and there must be somebody with a token.
    """
    for name in hosts:
        if (found := HOST.fullmatch(name.lower())) is None or found[1] != name.lower():
            raise Mistake(f"Host '{name}' is no host name. Give one without scheme and port, as in: review.example.org")
    named = tuple(name.lower() for name in hosts)
    if is_loopback(host):
        return (*LOOPBACK, *named)
    wanting = [*([] if people else ["nobody has a token"]), *([] if named else ["no host name is allowed"])]
    if wanting:
        raise Mistake(
            f"Address '{host}' can be reached from other machines, and {' and '.join(wanting)}. Run: "
            f"assay reviewer add NAME --role reviewer, then: assay review --host {host} --allow review.example.org"
        )
    return named


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost is taken for one that others can."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def name_of(host: str) -> str | None:
    """The name in a Host header without its port, None where it is no Host."""
    found = HOST.fullmatch(host)
    return None if found is None else found[1]
