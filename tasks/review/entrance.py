"""How does a token become a session? The exchange, and the cookie that a request carries afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..model import Mistake
from .sessions import HOURS, Sessions

COOKIE = "assay_session"


def cookie_of(headers: Headers) -> str:
    """The session that a request says it has, as it says it; empty where it says none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def exchange(sessions: Sessions, clock: Callable[[], float] = time.time) -> Route:
    """POST /session {"token": T}: 204 and the cookie, 401, or 503 where a link's use cannot be kept.

    Behind https the cookie is for https only.
    """

    async def session(request: Request) -> Response:
        try:
            content = await request.json()
        except (ValueError, RecursionError):
            return JSONResponse({"error": 'The body is not JSON. Send {"token": "..."}.'}, 400)
        token = content.get("token") if isinstance(content, dict) else None
        if not isinstance(token, str):
            return JSONResponse({"error": 'The body has no token. Send {"token": "..."}.'}, 400)
        try:
            cookie = sessions.exchange(token, now=clock())
        except Mistake as error:
            return JSONResponse({"error": str(error)}, 503)
        if cookie is None:
            sentence = "This token is not known, or the link was used or is over. Run: assay review"
            return JSONResponse({"error": sentence}, 401)
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=round(HOURS * 3600),
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.headers["origin"].startswith("https:"),
        )
        return response

    return Route("/session", session, methods=["POST"])
