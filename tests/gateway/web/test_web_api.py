"""The page over real HTTP: answers, errors, who is let in, and the headers of every answer."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from saactors.errors import ParameterError
from saactors.gateway.control.schema import COMMANDS
from saactors.gateway.web.app import READABLE
from saactors.gateway.web.options import WebOptions
from tests.gateway.web.conftest import Served, served_by
from tests.gateway.web.made_up import UGLY_NAME, MadeUpGateway

Serve = Callable[..., Served]
TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def gateway() -> MadeUpGateway:
    """One that stands still."""
    return MadeUpGateway()


@pytest.fixture(scope="module")
def page(gateway: MadeUpGateway) -> Any:
    """Its page, without a token."""
    with served_by(gateway.ask, WebOptions(port=0)) as served:
        yield served


@pytest.fixture(scope="module")
def guarded(gateway: MadeUpGateway) -> Any:
    """Its page, for those who know the token."""
    with served_by(gateway.ask, WebOptions(port=0, token=TOKEN)) as served:
        yield served


@pytest.mark.parametrize("command", ["status", "sa.list", "moves", "history"])
def test_answers_come_as_the_gateway_gives_them(
    command: str, gateway: MadeUpGateway, page: Served
) -> None:
    """The API adds nothing and leaves nothing out; the made-up one answers by the schema."""
    given = trio.run(gateway.ask, command, {})
    assert page.get(f"/api/{command}").json == given
    COMMANDS[command].answer.model_validate(given)


def test_explain_and_show_follow_the_schema(page: Served) -> None:
    """So what the page is tried with has the shape of what it will meet."""
    for command in ("explain", "sa.show"):
        answer = page.get(f"/api/{command}?spi=0x1005").json
        COMMANDS[command].answer.model_validate(answer)
        assert answer.get("sa", answer) if command == "sa.show" else answer["sa"]["spi"] == 0x1005


def test_arguments_of_every_type_come_from_the_query(page: Served) -> None:
    """Numbers, truth values and words."""
    query = "search=site&sort=spi&descending=false&offset=4&limit=3&direction=in&where=nic"
    answer = page.get(f"/api/sa.list?{query}").json
    assert [row["spi"] for row in answer["rows"]] == [4096 + place for place in (9, 11, 13)]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/sa.list?limit=0", "1 to 1000"),
        ("/api/sa.list?limit=many", "1 to 1000"),
        ("/api/sa.list?limit=3&limit=4", "two values"),
        ("/api/sa.list?colour=red", "an unknown argument"),
        ("/api/sa.list?descending=perhaps", "true or false"),
        ("/api/explain?spi=7", "reserved"),
        ("/api/explain?spi=99999999", "the SPI of an SA"),
        ("/api/explain", "spi"),
        ("/api/nothing", "an unknown one"),
        ("/api/card.show", "a gateway that is made up"),
    ],
)
def test_mistakes_are_told_as_json(path: str, told: str, page: Served) -> None:
    """With status 400, in the words of the control socket."""
    reply = page.get(path)
    assert (reply.status, set(reply.json["error"])) == (400, {"what", "found", "expected", "mend"})
    assert told in reply.text


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - READABLE))
def test_nothing_that_changes_or_pushes_is_there(
    command: str, gateway: MadeUpGateway, page: Served
) -> None:
    """Not even with the right arguments; the gateway is not asked."""
    reply = page.get(f"/api/{command}?spi=4096")
    assert (reply.status, command in gateway.asked) == (400, False)
    assert "only reads" in reply.text


def test_everything_that_only_reads_is_there() -> None:
    """By name, so that a new command is looked at before it is public."""
    assert sorted(READABLE) == [
        "card.show", "explain", "history", "moves", "policy.list", "rule.show", "sa.list",
        "sa.show", "status",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_get_is_answered(method: str, page: Served) -> None:
    """There is nothing to change here."""
    reply = page.get("/api/status", method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/", "/api/status", "/metrics", "/static/page.js", "/nothing"])
def test_every_answer_has_the_headers_that_keep_browsers_safe(path: str, page: Served) -> None:
    """Also those that something is not there."""
    headers = page.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe-eval" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert not {"server", "access-control-allow-origin"} & set(headers)


def test_the_page_has_no_inline_script_and_fetches_only_from_here(page: Served) -> None:
    """So the policy can forbid the rest."""
    text = page.get("/").text
    assert text.count("<script") == text.count("<script src=") == 2
    assert "style=" not in text
    assert "onclick" not in text
    assert "://" not in text


def test_plotly_comes_from_the_installed_package_and_may_be_kept(page: Served) -> None:
    """The network is not needed, and five megabytes are sent once."""
    reply = page.get("/plotly.js")
    assert (reply.status, len(reply.body)) == (200, int(reply.headers["content-length"]))
    assert b"plotly.js v" in reply.body[:200]
    again = page.get("/plotly.js", If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "app.py", "%2e%2e/app.py"])
def test_only_the_files_of_the_page_are_served(name: str, page: Served) -> None:
    """The list is closed, whatever the path looks like."""
    assert page.get(f"/static/{name}").status == 404


def test_names_are_json_and_not_html(page: Served) -> None:
    """A name may hold anything; it is text in a JSON answer that no browser takes for a page."""
    reply = page.get("/api/sa.list?limit=10")
    assert UGLY_NAME in [row["name"] for row in reply.json["rows"]]
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:9477", 200), ("LOCALHOST:80", 200),
        ("attacker.example", 421), ("127.0.0.1.attacker.example", 421), ("", 421),
        ("[::1", 421), ("localhost.attacker.example:9477", 421),
    ],
)  # fmt: skip
def test_without_a_token_only_names_of_loopback_are_answered(
    host: str, status: int, page: Served
) -> None:
    """A web site that rebinds its name to this machine is still called by its own name."""
    assert page.get("/api/status", Host=host).status == status
    assert page.get("/", Host=host).status == status


def test_with_a_token_strangers_are_told_only_that_the_process_lives(guarded: Served) -> None:
    """Every other route wants it, and the token is not in what they are told."""
    for path in ("/", "/api/status", "/metrics", "/readyz", "/plotly.js", "/static/page.js", "/x"):
        reply = guarded.get(path)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer"), path
        assert TOKEN not in reply.text
    assert guarded.get("/healthz").status == 200


@pytest.mark.parametrize("host", ["x/healthz?", "x/healthz#", "[::1", "x/?token=" + TOKEN + "#"])
def test_no_name_of_a_host_opens_what_is_closed(host: str, guarded: Served) -> None:
    """The header is the asker's own, so what is asked for must not be read from it."""
    assert guarded.get("/api/status", Host=host).status in {400, 401}


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401),
        ("Bearer ", 401), ("Bearer \xff\xfe", 401), (f"Basic {TOKEN}", 401), (TOKEN, 401),
    ],
)  # fmt: skip
def test_programs_show_the_token_in_a_header(shown: str, status: int, guarded: Served) -> None:
    """RFC 6750; any host name will do, since a browser does not send the header by itself."""
    reply = guarded.get("/api/status", Authorization=shown, Host="gateway.example")
    assert reply.status == status


def test_browsers_get_a_cookie_for_the_token(guarded: Served) -> None:
    """The token leaves the address bar at once, and the cookie is of no use to scripts."""
    entered = guarded.get(f"/?token={TOKEN}")
    assert (entered.status, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/", Cookie=cookie.partition(";")[0]).status == 200
    assert guarded.get("/", Cookie=cookie.partition(";")[0][:-1] + "g").status == 401
    assert guarded.get("/?token=wrong").status == 401


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"address": "0.0.0.0"}, "127.0.0.1 or ::1 as long as there is no token"),  # refused
        ({"address": "::"}, "set web.token_file"),
        ({"address": "gateway.example"}, "an IPv4 or IPv6 address"),
        ({"port": 65_536}, "0 to 65535"),
        ({"token": "short"}, "a token of 5 characters"),
        ({"token": "sixteen letters é"}, "other characters"),
    ],
)
def test_unsafe_options_are_refused(options: Mapping[str, Any], told: str) -> None:
    """Before anything listens, and without quoting a token."""
    with pytest.raises(ParameterError, match=r"web\.") as refused:
        WebOptions(**options)
    assert told in str(refused.value)
    assert str(options.get("token")) not in str(refused.value)
    assert TOKEN not in repr(WebOptions(token=TOKEN))


def test_with_a_token_any_address_may_be_listened_on(gateway: MadeUpGateway, serve: Serve) -> None:
    """And the page of IPv6 loopback has its URL in brackets."""
    served = serve(gateway.ask, address="0.0.0.0", token=TOKEN)
    port = urlsplit(served.url).port
    reached = Served(f"http://127.0.0.1:{port}/", served.stop)
    assert reached.get("/", Authorization=f"Bearer {TOKEN}").status == 200
    if socket.has_ipv6:
        assert serve(gateway.ask, address="::1").url.startswith("http://[::1]:")


def test_a_port_in_use_is_named(gateway: MadeUpGateway, page: Served) -> None:
    """With what to look for."""
    port = urlsplit(page.url).port or 0
    with (
        pytest.raises(BaseExceptionGroup) as refused,
        served_by(gateway.ask, WebOptions(port=port)),
    ):
        pass
    (problem,) = refused.value.exceptions
    assert isinstance(problem, ParameterError)
    assert f"port {port}: Address already in use" in str(problem)


def test_readiness_follows_the_gateway(serve: Serve) -> None:
    """503 while it is starting and while it drains; alive it is all the time."""
    gateway = MadeUpGateway()
    served = serve(gateway.ask)
    assert (served.get("/readyz").status, served.get("/readyz").text) == (200, "ready\n")
    gateway.draining = True
    assert (served.get("/readyz").status, served.get("/readyz").text) == (503, "draining\n")
    gateway.draining, gateway.ready = False, False
    assert (served.get("/readyz").status, served.get("/readyz").text) == (503, "starting\n")
    assert served.get("/healthz").text == "ok\n"


def test_numbers_that_json_has_no_word_for_become_null(serve: Serve) -> None:
    """A rule that never replaces has an endless threshold."""

    async def ask(_command: str, _arguments: Mapping[str, object]) -> dict[str, Any]:
        return {"threshold": math.inf, "rows": [{"metric": math.nan}], "kept": 1.5}

    answer = serve(ask).get("/api/status").json
    assert answer == {"threshold": None, "rows": [{"metric": None}], "kept": 1.5}


def test_a_mistake_of_ours_is_no_end(serve: Serve) -> None:
    """The asker gets 500 and the next one an answer."""
    gateway = MadeUpGateway()
    broken = [True]

    async def ask(command: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        if broken.pop() if broken else False:
            raise ZeroDivisionError
        return await gateway.ask(command, arguments)

    served = serve(ask)
    assert served.get("/api/status").status == 500
    assert served.get("/api/status").status == 200


def test_a_reader_that_does_not_read_does_not_stop_anybody(
    gateway: MadeUpGateway, serve: Serve
) -> None:
    """Others are answered meanwhile, and the kernel cuts it off so that the server can stop."""
    served = serve(gateway.ask)
    place = urlsplit(served.url)
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((place.hostname or "", place.port or 0))
        stuck.sendall(b"GET /plotly.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        assert served.get("/api/status").status == 200
        assert time.monotonic() - began < 1
        served.stop()
