"""Does the end of a session tell the truth: the summary, blind gold at the server, and publishing beside the page?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_review_app import Browser, at_one_server
from toy_review import reviewable, workspace

from tasks import answers, journal
from tasks.model import Mistake

__all__ = ["reviewable", "workspace"]  # fixtures
pytestmark = pytest.mark.slow
AT = "2026-05-01T10:00:00+00:00"


class Slow:
    """Publishes when it is let, or fails with a sentence."""

    def __init__(self) -> None:
        self.go, self.calls, self.wrong = threading.Event(), 0, ""

    def __call__(self, say: Callable[[str], None]) -> str:
        self.calls += 1
        say("ingest    160 items")
        assert self.go.wait(20)
        if self.wrong:
            raise Mistake(self.wrong)
        return "dataset@v1.0.0"


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def two(workspace: Path, slow: Slow) -> Iterator[tuple[Browser, Browser, Path]]:
    with at_one_server(workspace, lambda: AT, slow) as both:
        yield both


def test_the_summary_counts_what_counts_today(two: tuple[Browser, Browser, Path]) -> None:
    ann, _, _ = two
    ops = ann.say(
        {"n": 1, "action": "relabel", "label": "7"},
        {"n": 2, "action": "keep"},
        {"n": 3, "action": "unsure"},
        {"n": 4, "action": "remove"},
        {"n": 5, "action": "question", "note": "Upside down?"},
        {"n": 6, "action": "keep"},
    )["saved"]
    ann.say({"n": 6, "action": "undo", "of": ops[5]}, {"n": 2, "action": "relabel", "label": "1"})
    told = ann.ask("/api/summary", v=ann.version).json()
    counts = {"answers": 4, "fixed": 3, "confirmed": 0, "several": 0, "unsure": 1, "questions": 1}
    assert told["today"] == told["all"] == counts
    assert told["open"] == {"disputes": 0, "questions": 1, "returned": 0}
    assert told["gold"] is None and told["left"]["items"] > 0 and told["publishes"] is False


def test_gold_is_mixed_in_blind_and_its_answers_make_no_dispute(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, workspace = two
    given = rita.column("given").tolist()
    rita.say(*({"n": n, "action": "resolve", "label": str((given[n] + 1) % 10)} for n in range(8)))
    settled = answers.state(journal.everything(workspace))
    ann.enter_again()
    gold = [n for n in range(8) if ann.column("state")[n] == 0]
    assert len(gold) == 1  # 3 % of some thirty, and never none
    (n,) = gold
    assert ann.column("given")[n] == given[n] and ann.column("rank")[n] > 0 and ann.column("suggested")[n] == 65_535
    drawn = ann.column("checks") == ann.column("checks")[n]
    assert drawn.sum() > 5 and len(set(ann.column("p_wrong")[drawn].round(5).tolist())) <= 2
    item = ann.ask("/api/item", v=ann.version, n=n).json()
    assert (item["answers"], item["thread"], item["suggestion"], item["given"]) == ([], [], None, str(given[n]))
    assert item["findings"][0]["check"] == "audit_sample_v1"
    told = ann.say({"n": n, "action": "keep"})
    assert told["states"] == [[n, 1, 1]]
    assert answers.state(journal.everything(workspace)) == settled
    assert ann.column("mine")[n] == 1
    asked = ann.say({"n": n, "action": "question", "note": "Is it?"})["saved"][0]
    reply = rita.say({"n": n, "action": "answer", "of": asked, "note": "Look at the foot."})["saved"][0]
    item = ann.ask("/api/item", v=ann.version, n=n).json()
    assert [one["who"] for one in item["answers"]] == ["ann"]
    assert [(one["who"], one["open"]) for one in item["thread"]] == [("ann", False), ("rita", False)]
    rita.say({"n": n, "action": "undo", "of": reply})
    item = ann.ask("/api/item", v=ann.version, n=n).json()
    assert [(one["who"], one["open"]) for one in item["thread"]] == [("ann", True)]
    ann.say({"n": n, "action": "undo", "of": asked})
    found = ann.ask("/api/summary", v=ann.version).json()["gold"]
    assert (found["n"], found["right"]) == (1, 0)
    (row,) = rita.ask("/api/signoff", v=rita.version).json()["labelers"]
    assert (row["gold"]["n"], row["gold"]["right"]) == (1, 0)
    ann.say({"n": n, "action": "undo", "of": told["saved"][0]})
    assert ann.column("mine")[n] == 0
    ann.say({"n": n, "action": "relabel", "label": str((given[n] + 1) % 10)})
    assert ann.ask("/api/summary", v=ann.version).json()["gold"]["right"] == 1


def test_without_settled_items_there_is_no_gold(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    rita.say(*({"n": n, "action": "keep"} for n in range(8)))
    ann.enter_again()
    assert (ann.column("state")[:8] == 1).all()


def test_publishing_is_a_reviewers_one_at_a_time_and_stops_no_answer(
    two: tuple[Browser, Browser, Path], slow: Slow
) -> None:
    ann, rita, workspace = two
    for path in ("/api/publish", "/api/changes-to-publish"):
        assert ann.ask(path).status_code == 403
    assert ann.ask("/api/publish", {}).json()["error"] == "Publishing is a reviewer's; 'ann' is a labeler."
    assert rita.ask("/api/publish").json()["state"] == "idle"
    assert rita.ask("/api/publish", {}).status_code == 202
    assert rita.ask("/api/publish", {}).status_code == 409
    ann.say({"n": 1, "action": "keep"})
    assert len(journal.everything(workspace)) == 1
    assert rita.ask("/api/publish").json()["lines"] == ["ingest    160 items"]
    slow.go.set()
    told = ended(rita)
    assert (told["state"], told["tag"], slow.calls) == ("done", "dataset@v1.0.0", 1)


def test_a_revision_that_cannot_be_published_says_its_one_sentence_and_may_be_tried_again(
    two: tuple[Browser, Browser, Path], slow: Slow
) -> None:
    _, rita, _ = two
    slow.wrong = "Workspace 'ws' has uncommitted changes: params.yaml."
    slow.go.set()
    rita.ask("/api/publish", {})
    assert (ended(rita)["state"], ended(rita)["sentence"]) == ("failed", slow.wrong)
    slow.wrong = ""
    rita.ask("/api/publish", {})
    assert ended(rita)["tag"] == "dataset@v1.0.0"


def test_what_would_change_is_counted_by_class(two: tuple[Browser, Browser, Path]) -> None:
    ann, rita, _ = two
    given = ann.column("given").tolist()
    n, m, k = (given.index(c) for c in (1, 2, 3))
    ann.say({"n": n, "action": "relabel", "label": "2"}, {"n": m, "action": "remove"}, {"n": k, "action": "keep"})
    found = rita.ask("/api/changes-to-publish").json()
    assert found["since"] is None
    assert [found[name] for name in ("relabelled", "removed", "kept", "added", "open")] == [1, 1, 158, 0, 0]
    assert found["classes"] == [
        {"name": "2", "out": 0, "removed": 1, "into": 1},
        {"name": "1", "out": 1, "removed": 0, "into": 0},
    ]


def ended(rita: Browser) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while (told := dict(rita.ask("/api/publish").json()))["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return told
