"""Deadline: requests that are begun and not ended are cut off, so that they shut nobody out."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 5.0
"""In which the headers of a request have to be there."""
MOST_WAITING = 32
"""Connections without a whole request; of more, the oldest is closed."""


class PromptProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a deadline for headers and a cap on half requests."""

    _waiting: dict["PromptProtocol", None] = {}  # noqa: RUF012  # of all connections, in order
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()
        while len(self._waiting) > MOST_WAITING:
            next(iter(self._waiting))._cut_off()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._wait()
        elif self.conn.their_state is not h11.IDLE:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(SECONDS, self._cut_off)
            self._waiting[self] = None

    def _stop_waiting(self) -> None:
        self._waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut_off(self) -> None:
        self._stop_waiting()
        self.transport.close()
