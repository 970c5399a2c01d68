"""How does a mistake leave the server? As a status and one sentence, whatever route it comes from."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..model import Mistake
from .desk import Stale

STALE = "A run has renewed the data: load the page again."


class Refused(Exception):
    """A request that cannot be answered: (status, sentence)."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def told(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The handler, with each mistake as a status and one sentence; nothing else leaves."""

    def answered(request: Request) -> Response:
        try:
            return handler(request)
        except Stale:
            return JSONResponse({"error": STALE}, 409)
        except Refused as error:
            return JSONResponse({"error": str(error)}, error.status)
        except Mistake as error:
            return JSONResponse({"error": str(error)}, 400)

    return answered


def reviewer(request: Request, what: str) -> None:
    """Refused with 403 where the request is a labeler's; `what` only a reviewer may do."""
    session = request.state.session
    if session.role != "reviewer":
        raise Refused(403, f"{what} is a reviewer's; '{session.name}' is a labeler.")
