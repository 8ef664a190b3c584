"""Security: who may ask, and what a browser may do with the answer.

A page on 127.0.0.1 is reachable by every program and every web site that the same person has
open. So each request must name this very host (no DNS rebinding), hold the token that was
printed (no other user), come from this page (no other site), and ask without sending anything.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_ADDRESS = 2048
"""Characters of a path with its query; ours need under 200."""
LARGEST_ANSWER = 4 << 10
"""Bytes of an answer in a reader study."""
LARGEST_HEADERS = 16 << 10
"""Bytes of a request's first line and headers together; a longer one is cut off unread."""

ANSWER_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Guard:
    """Lets through only what this page itself would ask; `port` and `token` are this run's.

    `once` is a word that is exchanged for the token a single time: a browser is started with
    it, for other users can read what is on a command line.
    """

    app: ASGIApp
    port: int
    token: str
    once: str = ""
    _spent: set[str] = field(default_factory=set)
    takes_answers: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            return
        send = _with_headers(send)
        if self._exchanges(scope) and not _foreign_host(self, scope):
            self._spent.add(self.once)
            await RedirectResponse(f"/{self.token}/", 303)(scope, receive, send)
            return
        for wrong, status, sentence in _CHECKS:
            if wrong(self, scope):
                await PlainTextResponse(f"{sentence}\n", status)(scope, receive, send)
                return
        await self.app(_without_token(scope), receive, send)

    def _exchanges(self, scope: Scope) -> bool:
        given = scope["path"].strip("/").encode()
        fresh = bool(self.once) and self.once not in self._spent and scope["method"] == "GET"
        return fresh and secrets.compare_digest(given, self.once.encode())


def _foreign_host(guard: Guard, scope: Scope) -> bool:
    hosts = Headers(scope=scope).getlist("host")
    return hosts not in ([f"127.0.0.1:{guard.port}"], [f"localhost:{guard.port}"])


def _foreign_origin(guard: Guard, scope: Scope) -> bool:
    headers = Headers(scope=scope)
    own = f"http://{headers['host']}"
    site = headers.get("sec-fetch-site", "none")
    return headers.get("origin", own) != own or site not in ("none", "same-origin")


def _answers(guard: Guard, scope: Scope) -> bool:
    """Whether this is the one thing that may be sent: an answer in a reader study."""
    path = str(scope["path"])
    return guard.takes_answers and scope["method"] == "POST" and path.endswith("/answer")


def _sends_something(guard: Guard, scope: Scope) -> bool:
    headers = Headers(scope=scope)
    if _answers(guard, scope):
        size = headers.get("content-length", "")
        small = size.isdigit() and int(size) <= LARGEST_ANSWER
        is_json = headers.get("content-type", "").partition(";")[0] == "application/json"
        return not small or not is_json or "transfer-encoding" in headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _too_long(guard: Guard, scope: Scope) -> bool:
    return len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS


def _wrong_token(guard: Guard, scope: Scope) -> bool:
    given = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
    return not secrets.compare_digest(given.encode(), guard.token.encode())


def _wrong_method(guard: Guard, scope: Scope) -> bool:
    return scope["method"] != "GET" and not _answers(guard, scope)


# A wrong host is refused first, for it alone shows that somebody tricks the browser.
_CHECKS: tuple[tuple[Callable[[Guard, Scope], bool], int, str], ...] = (
    (_foreign_host, 421, "This page answers only to 127.0.0.1: open the printed address."),
    (_foreign_origin, 403, "Another site asked for this page: open the printed address."),
    (_wrong_method, 405, "This page can only be read: use GET."),
    (_sends_something, 413, "This page takes no data: ask without a body."),
    (_too_long, 414, f"The address is longer than {LONGEST_ADDRESS} characters."),
    (_wrong_token, 403, "The token is missing or old: open the address that was printed."),
)


def _without_token(scope: Scope) -> Scope:
    """The same request as the pages behind the guard know it."""
    path = "/" + "".join(scope["path"].split("/", 2)[2:])
    return {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}


def _with_headers(send: Send) -> Send:
    extra = [(name.encode(), value.encode()) for name, value in ANSWER_HEADERS.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *extra]
        await send(message)

    return sending
