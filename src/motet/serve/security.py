"""Who may talk to the server: checks of Host, Origin, token and size, and headers of answers.

A page of another site that is open in the user's browser can send requests to this machine; the
Origin header gives it away. A site whose name was made to point here (DNS rebinding) is given away
by the Host header.
"""

from __future__ import annotations

import dataclasses
import hmac
import re
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from motet.serve.limits import MB, Limits
from motet.serve.problems import as_response, problem

COOKIE = "motet_token"
WILDCARDS = ("0.0.0.0", "::", "")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_UPLOADS = (
    (re.compile(r"^/api/(sounds|takes/import)$"), "max_sound_mb"),
    (re.compile(r"^/api/avatars$"), "max_avatar_mb"),
    (re.compile(r"^/api/persons$"), "max_video_mb"),
)
_MULTIPART_MB = 1
"""Room for the frame around an uploaded file."""


@dataclasses.dataclass(frozen=True)
class Access:
    """From where the server may be used."""

    host: str = "127.0.0.1"
    """Address it listens on."""
    port: int = 8420
    token: str = ""
    """Needed by every request when it is set."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may use the server, e.g. https://example.org."""

    def is_host_allowed(self, host: str) -> bool:
        """Whether a Host header names this server."""
        if self.host in WILDCARDS:  # any name may lead here; the token guards
            return bool(host)
        names = {*LOOPBACK} if self.host in LOOPBACK or self.host == "::1" else {self.host.lower()}
        own = {f"{name}:{self.port}" for name in names}
        foreign = {urlsplit(origin).netloc for origin in self.allowed_origins}
        return host.lower() in own | foreign | (names if self.port == 80 else set())

    def is_origin_allowed(self, origin: str, host: str) -> bool:
        """Whether an Origin header is this server's own page, or one that was allowed."""
        same = urlsplit(origin).netloc.lower() == host.lower() and origin != "null"
        return same or origin in self.allowed_origins


class Guard:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self._app, self._access, self._limits = app, access, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None and scope["type"] == "websocket":
            await _deny(refusal, scope, receive, send)
        elif refusal is not None:
            await refusal(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            limited = _Limited(receive, self._limit(scope["path"]))
            await self._app(scope, limited, _with_headers(send, self._policy(scope)))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._access.is_host_allowed(host):
            text = f"this server is not {host[:80]!r}; open http://127.0.0.1:{self._access.port}"
            return as_response(problem(403, text))
        if origin is not None and not self._access.is_origin_allowed(origin, host):
            text = f"pages of {origin[:80]} may not use this server; start it with --allow-origin"
            return as_response(problem(403, text))
        length = headers.get("content-length", "0")
        most = self._limit(scope["path"])
        if scope["type"] == "http" and length.isdecimal() and int(length) > most:
            text = f"the request is larger than {most / MB:g} MB; send less, or raise --max-..."
            return as_response(problem(413, text))
        return self._token_refusal(scope, headers)

    def _token_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self._access.token:
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        in_address = query.pop("t", [""])[0]
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        if any(self._is_token(token) for token in (bearer, cookie)):
            return None
        if not self._is_token(in_address):
            return as_response(problem(401, "a token is needed; open the address with ?t=TOKEN"))
        if scope["type"] == "websocket" or scope["method"] != "GET":
            return None
        # The token leaves the address bar and the history, and becomes a cookie.
        rest = urlencode(query, doseq=True)
        response = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
        response.set_cookie(COOKIE, self._access.token, httponly=True, samesite="strict")
        return response

    def _is_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._access.token.encode())

    def _limit(self, path: str) -> int:
        for pattern, name in _UPLOADS:
            if pattern.match(path):
                return (int(getattr(self._limits, name)) + _MULTIPART_MB) * MB
        return self._limits.max_json_mb * MB

    def _policy(self, scope: Scope) -> str:
        host = Headers(scope=scope).get("host", "")
        sockets = f"ws://{host} wss://{host}"  # older browsers do not count them as 'self'
        return (
            "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
            f" connect-src 'self' blob: data: {sockets}; worker-src 'self' blob:;"
            " script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline';"
            " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
        )


class _Limited:
    """`receive` that ends a request whose body is larger than allowed, also one that states no
    length.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return message if self._left >= 0 else {"type": "http.disconnect"}


def _with_headers(send: Send, policy: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", policy)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "no-referrer")
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


async def _deny(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a socket before it is open, with the status of the refusal."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await refusal(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
