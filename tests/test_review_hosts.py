"""Does a server that others reach refuse to start without people and names?"""

from __future__ import annotations

import pytest
from toy_guard import AT

from tasks.model import Mistake
from tasks.review import hosts, people

MARIA = {"maria": people.Person("maria", "labeler", "0" * 64, AT)}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_loopback_needs_nobody(host: str) -> None:
    assert hosts.hosts_of(host, ["Review.Example.org"], {}) == (*hosts.LOOPBACK, "review.example.org")


@pytest.mark.parametrize(
    ("names", "known", "reason"),
    [
        ([], {}, "nobody has a token and no host name is allowed"),
        (["review.example.org"], {}, "and nobody has a token. Run: assay reviewer add NAME"),
        ([], MARIA, "and no host name is allowed. Run"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.9", "review.example.org", ""])
def test_an_address_that_others_reach_needs_people_and_host_names(
    host: str, names: list[str], known: dict[str, people.Person], reason: str
) -> None:
    with pytest.raises(Mistake) as refused:
        hosts.hosts_of(host, names, known)
    assert f"Address '{host}' can be reached from other machines" in str(refused.value)
    assert reason in str(refused.value)


def test_an_address_that_others_reach_serves_only_the_names_that_were_given() -> None:
    assert hosts.hosts_of("0.0.0.0", ["review.example.org"], MARIA) == ("review.example.org",)


@pytest.mark.parametrize("name", ["*", "http://x", "x:80", "a b", "", "x/y"])
def test_a_host_name_is_exact(name: str) -> None:
    with pytest.raises(Mistake, match="is no host name"):
        hosts.hosts_of("0.0.0.0", [name], MARIA)
