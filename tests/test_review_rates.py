"""Does who asks too fast wait, and nobody else?"""

from __future__ import annotations

import time
from pathlib import Path

from toy_guard import AT, app, asked

from tasks.review import people
from tasks.review.entrance import COOKIE
from tasks.review.rates import Buckets, Rate
from tasks.review.sessions import Sessions


def test_somebody_who_asks_too_fast_waits_and_nobody_else_does(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    cookies = {}
    for name in ("maria", "bob"):
        value = sessions.exchange(people.add(tmp_path, name, "labeler", at=AT), now=time.time())
        cookies[name] = {"cookie": f"{COOKIE}={value}"}
    limited = app(sessions, person=Rate(3, 0.0), stranger=Rate(2, 0.0))
    assert [asked(limited, "GET", "/api/read", cookies["maria"]) for _ in range(4)] == [200, 200, 200, 429]
    assert [asked(limited, "GET", "/review", {}) for _ in range(3)] == [200, 200, 429]
    assert asked(limited, "GET", "/api/read", cookies["bob"]) == 200


def test_a_bucket_fills_with_time_and_the_names_do_not_pile_up() -> None:
    buckets = Buckets(Rate(2, 0.5))
    assert [buckets.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert [buckets.take("a", at) for at in (1.0, 2.0, 3.0)] == [False, True, False]
    assert buckets.left("a", 100.0) == 2
    for n in range(Buckets.MOST + 50):
        buckets.take(str(n), 0.0)
    assert len(buckets._left) == Buckets.MOST
