"""Who may ask: this machine's browser, with the token, for our own page. An ASGI layer.

Against other machines: the server listens on 127.0.0.1 only. Against other programs and users of
this machine: the token, in the address at first, then in a cookie. Against pages of other sites in
the same browser: Host (names that lead here), Origin, Sec-Fetch-Site and a cookie that is never
sent from there. Against markup that slipped through: the policy lets nothing in but our own files.
"""

import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 3_000_000  # of a request's body: 20,000 tiles with what their lines say take 1.2 MB
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NAMES = ("127.0.0.1", "localhost")
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_OURS = {"same-origin", "none"}  # Sec-Fetch-Site: from our page, or typed by the person
_STRANGER = (
    "This page is open to the one who started it: take the whole address that `prep review` "
    "printed, with its token."
)


class Guard:
    """Lets through what comes from the page that was opened with the token."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        """Guard an app that is served at a port."""
        self._app, self._token = app, token
        ends = (f":{port}", "") if port == 80 else (f":{port}",)  # browsers do not name that one
        self._hosts = {f"{name}{end}" for name in _NAMES for end in ends}
        self._cookie = f"prep-{port}"  # cookies are of a host, whatever the port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        refused = self._refuse(scope)
        if refused is not None:
            await refused(scope, receive, _with_headers(send))
        else:
            await self._app(scope, _limited(receive), _with_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        """Return what a request is answered with instead of what it asked for; None: let it in."""
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            return PlainTextResponse("This is not the address of prep review.", 421)
        origin = headers.get("origin")
        foreign = origin is not None and origin.removeprefix("http://") not in self._hosts
        if foreign or headers.get("sec-fetch-site", "none") not in _OURS:
            return PlainTextResponse("Another site's page may not ask for this.", 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return PlainTextResponse("That is more than this page ever sends.", 413)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if given and scope["path"] == "/" and self._is_token(given[0]):
            return self._let_in()
        return (
            None
            if self._is_token(self._read_cookie(headers))
            else PlainTextResponse(_STRANGER, 403)
        )

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())

    def _read_cookie(self, headers: Headers) -> str:
        # Other programs of this machine have theirs here too, written as they like: Python's own
        # parser gives up at the first that it does not know.
        return cookie_parser(headers.get("cookie", "")).get(self._cookie, "")

    def _let_in(self) -> Response:
        """Return an answer that takes the token out of the address, and into a cookie."""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
        return answer


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers


def _limited(receive: Receive) -> Receive:
    """Return a receive that breaks off a body which is longer than it said."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > MOST_BYTES else message

    return receive_limited
