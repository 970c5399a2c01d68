"""Clients of the review over HTTP that decide as fast as they may, and what they waited for."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
import uuid
from typing import Any

Row = dict[str, Any]


class Client:
    """One kept-alive connection with a session; as little work as can be, since it shares the cores."""

    def __init__(self, host: str) -> None:
        self._host, self._cookie = host, ""
        self.acknowledged: list[str] = []
        self.waited: list[float] = []

    async def enter(self, token: str) -> None:
        name, port = self._host.split(":")
        self._reader, self._writer = await asyncio.open_connection(name, int(port))
        head, _ = await self._post("/session", {"token": token})
        self._cookie = re.search(rb"set-cookie: (assay_session=[^;]+)", head, re.IGNORECASE)[1].decode()  # type: ignore[index]

    async def decide(self, version: str, places: list[int]) -> None:
        told = [{"op": uuid.uuid4().hex, "n": n, "action": "relabel", "label": "class 07"} for n in places]
        started = time.perf_counter()
        _, body = await self._post("/api/answers", {"v": version, "answers": told})
        self.waited.append(time.perf_counter() - started)
        saved = json.loads(body)["saved"]
        assert len(saved) == len(told), body[:300]
        self.acknowledged += saved

    async def _post(self, path: str, content: Any) -> tuple[bytes, bytes]:
        raw = json.dumps(content).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\norigin: http://{self._host}\r\ncookie: {self._cookie}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
        )
        self._writer.write(head.encode() + raw)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        body = await self._reader.readexactly(int(found[1])) if found else b""
        assert answer[9:12] in (b"200", b"204"), (answer, body)
        return answer, body


async def load(
    host: str, tokens: list[str], version: str, seconds: float, *, items: int, each: int, pause: float
) -> list[Client]:
    """Clients that decide for so many seconds, `each` at a time; those with a pause begin spread over it."""
    clients = [Client(host) for _ in tokens]
    for client, token in zip(clients, tokens, strict=True):
        await client.enter(token)
    until = time.perf_counter() + seconds

    async def work(number: int, client: Client) -> None:
        await asyncio.sleep(pause * number / len(clients))
        place, own = 0, items // len(clients)
        while time.perf_counter() < until:
            began = time.perf_counter()
            await client.decide(version, [(place + n) % own + number * own for n in range(each)])
            place += each
            await asyncio.sleep(max(0.0, pause - (time.perf_counter() - began)))

    await asyncio.gather(*(work(number, client) for number, client in enumerate(clients)))
    return clients


def told(clients: list[Client], seconds: float) -> Row:
    waited = sorted(wait for client in clients for wait in client.waited)
    decisions = sum(len(client.acknowledged) for client in clients)
    return {
        "clients": len(clients),
        "decisions": decisions,
        "a_second": round(decisions / seconds, 1),
        "p50_ms": round(1000 * statistics.median(waited), 1),
        "p99_ms": round(1000 * waited[int(0.99 * (len(waited) - 1))], 1),
    }


async def version_of(host: str, token: str) -> str:
    """The catalogue's version, as a page learns it."""
    import httpx

    async with httpx.AsyncClient(base_url=f"http://{host}", headers={"origin": f"http://{host}"}) as client:
        await client.post("/session", json={"token": token})
        raw = (await client.get("/api/catalogue")).content
    return str(json.loads(raw[4 : 4 + int.from_bytes(raw[:4], "little")])["version"])
