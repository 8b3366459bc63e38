"""Who may read what: stands before every route, and adds the headers that browsers go by.

Three things could let a stranger read the page, and each has its check:

- Another machine: beyond loopback there is a token (``options``), shown in the Authorization
  header (RFC 6750) by programs and in a cookie by browsers. ``/?token=…`` sets the cookie and
  redirects, so that the token does not stay in the address bar.
- A web page in a browser on this machine: our answers carry no CORS headers, so its scripts cannot
  read them; it could still rebind its own name to 127.0.0.1 and then be of our origin. Its requests
  say its name in ``Host``, so without a token only names of loopback are answered.
- A script that got into the page: the content security policy runs none but our own files.

Nothing changes anything here: all but GET is refused.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saactors.gateway.web.options import WebOptions

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OPEN_PATH: Final = "/healthz"  # says only that the process lives
# Plotly adds style elements of its own, other ones in each release; scripts are our files only.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_COOKIE_AGE: Final = 30 * 24 * 3600  # in seconds, RFC 6265 §5.2.2


class Guard:
    """An ASGI application around another one, which sees only what may be answered."""

    def __init__(self, app: ASGIApp, options: WebOptions) -> None:
        self._app = app
        self._token = options.token.encode() if options.token is not None else None
        bound = f"[{options.ip}]" if options.ip.version == 6 else str(options.ip)
        self._names = _LOOPBACK_NAMES | {bound}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            refused = self._refusal(HTTPConnection(scope))
            await (refused or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, request: HTTPConnection) -> Response | None:
        """What to answer in place of the application; nothing where it may answer."""
        if request.scope["method"] != "GET":
            allow = {"allow": "GET"}
            return PlainTextResponse("everything here is read by GET\n", 405, headers=allow)
        if self._token is None:
            return None if self._is_named_as_loopback(request) else _MISDIRECTED
        path = request.scope["path"]  # a URL would have the Host header in it, which anybody writes
        if path == _OPEN_PATH:
            return None
        if path == "/" and "token" in request.query_params:
            return self._entered(request, self._token)
        return None if self._is_known(request, self._token) else _unauthorized()

    def _is_named_as_loopback(self, request: HTTPConnection) -> bool:
        hosts = request.headers.getlist("host")
        return len(hosts) == 1 and _name_of(hosts[0]) in self._names

    def _is_known(self, request: HTTPConnection, token: bytes) -> bool:
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return hmac.compare_digest(shown.strip().encode(), token)
        cookie = request.cookies.get(_cookie_name(request), "")
        return hmac.compare_digest(cookie.encode(), _cookie_value(token).encode())

    def _entered(self, request: HTTPConnection, token: bytes) -> Response:
        """The browser keeps a digest: any token fits into a cookie so, and is not in it."""
        shown = request.query_params["token"]
        if not hmac.compare_digest(shown.encode(errors="replace"), token):
            return _unauthorized()
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            _cookie_name(request), _cookie_value(token),
            max_age=_COOKIE_AGE, path="/", httponly=True, samesite="strict",
        )  # fmt: skip
        return answer


_MISDIRECTED: Final = PlainTextResponse(
    "this address is for this machine: open http://127.0.0.1 or http://localhost, or give the "
    "gateway a token (web.token_file)\n",
    421,
)


def _unauthorized() -> Response:
    told = (
        "this gateway wants its token: open /?token=…, or send the header Authorization: Bearer …\n"
    )
    return PlainTextResponse(told, 401, headers={"www-authenticate": "Bearer"})


def _name_of(host: str) -> str:
    """The name in a Host header, without its port (RFC 9110 §7.2)."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.partition(":")[0].lower()


def _cookie_name(request: HTTPConnection) -> str:
    """With the port: browsers share cookies between ports, and so between gateways."""
    return f"saactors_{(request.scope.get('server') or ('', 0))[1]}"


def _cookie_value(token: bytes) -> str:
    return hmac.digest(token, b"saactors page cookie", hashlib.sha256).hex()


def _with_headers(send: Send) -> Send:
    """Adds the headers that every answer has; what may be kept says so itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
