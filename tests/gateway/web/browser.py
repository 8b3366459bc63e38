"""Drives headless Chromium over the DevTools protocol, with trio.

    async with open_browser(tmp_path) as browser:
        page = await browser.open("http://127.0.0.1:9477/")
        await page.until("document.querySelectorAll('#sa-rows tr').length > 0")
        assert page.complaints == []

``complaints`` collects whatever a reader would find in the console as an error: exceptions, failed
requests, violations of the content security policy. The protocol:
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

START_WITHIN = 60.0  # s; the machine may be busy
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0",
)  # fmt: skip


def chromium() -> str:
    """Chromium's binary; skips where there is none."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("CHROMIUM MISSING: install it (apt-get install chromium) to check the page")
    return found


@asynccontextmanager
async def open_browser(profile: Path) -> AsyncIterator[Browser]:
    """A browser with a fresh profile; it and all its processes end with the block."""
    process = _started(profile)
    try:
        address = await _address(profile, process)
        async with (
            open_websocket_url(address, max_message_size=64 << 20) as socket,
            trio.open_nursery() as nursery,
        ):
            browser = Browser(socket)
            nursery.start_soon(browser.listen)
            yield browser
            nursery.cancel_scope.cancel()
    finally:
        with suppress(ProcessLookupError):  # its own session: nobody else's processes
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _started(profile: Path) -> subprocess.Popen[bytes]:
    command = [chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with (profile / "chromium.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


async def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Where it listens, once it has written that down."""
    file, log = trio.Path(profile / "DevToolsActivePort"), trio.Path(profile / "chromium.log")
    with trio.fail_after(START_WITHIN):
        while not (await file.exists() and (await file.read_text()).count("\n") >= 1):
            if process.poll() is not None:
                pytest.fail(f"chromium ended: {(await log.read_text())[-2000:]}")
            await trio.sleep(0.05)
    port, path = (await file.read_text()).split("\n")[:2]
    return f"ws://127.0.0.1:{port}{path}"


class Browser:
    """The connection: commands with their answers, events to the pages they are about."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._number = 0
        self._waiting: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def open(self, url: str, width: int = 1280, height: int = 900) -> Page:
        """A new page on ``url``."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self, attached["sessionId"])
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.call(f"{domain}.enable")
        await page.resize(width, height)
        await page.call("Page.navigate", url=url)
        return page

    async def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """One command and its result."""
        self._number += 1
        number = self._number
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        self._waiting[number] = send
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_message(
            json.dumps(message | ({"sessionId": session} if session else {}))
        )
        answer = await receive.receive()
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def listen(self) -> None:
        """Hand on what the browser says, until it goes away."""
        with suppress(ConnectionClosed):
            while True:
                message = json.loads(await self._socket.get_message())
                if "id" in message:
                    self._waiting.pop(message["id"]).send_nowait(message)
                elif message.get("sessionId") in self._pages:
                    self._pages[message["sessionId"]].notice(message["method"], message["params"])


class Page:
    """A tab: what a reader does, and what a reader sees."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.complaints: list[str] = []
        self.requests: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command for this page."""
        return await self._browser.call(method, self._session, **parameters)

    def notice(self, method: str, told: dict[str, Any]) -> None:
        """Keep what somebody might complain about."""
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            thrown = details.get("exception", {}).get("description", "")
            self.complaints.append(f"{details['text']} {thrown}")
        elif method == "Runtime.consoleAPICalled" and told["type"] in {"error", "warning"}:
            self.complaints.append(" ".join(str(each.get("value")) for each in told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{told['entry']['text']} ({told['entry'].get('url', '')})")
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in JavaScript; promises are waited for."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    async def until(self, expression: str, within: float = 20.0) -> float:
        """Wait until it is true; how long that took, in seconds."""
        began = trio.current_time()
        with trio.move_on_after(within) as patience:
            while not await self.evaluate(expression):  # noqa: ASYNC110 # it is the browser's
                await trio.sleep(0.02)
        assert not patience.cancelled_caught, f"not within {within} s: {expression}"
        return trio.current_time() - began

    async def numbers(self) -> dict[str, float]:
        """Every number that has a field's name, as the page was given it."""
        found = await self.evaluate(
            "Array.from(document.querySelectorAll('[data-field]'), "
            "each => [each.dataset.field, each.dataset.value])"
        )
        return {field: float(value) for field, value in found if value != ""}

    async def click(self, selector: str) -> None:
        """A click in the middle of an element, by the mouse."""
        await self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        place = await self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); "
            "const r = e.getBoundingClientRect(); "
            "return [r.x + Math.min(r.width, innerWidth - r.x) / 2, r.y + r.height / 2]; })()"
        )
        at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        await self.call("Input.dispatchMouseEvent", type="mousePressed", **at)
        await self.call("Input.dispatchMouseEvent", type="mouseReleased", **at)

    async def write(self, text: str) -> None:
        """Typed into whatever has the focus."""
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, text: str = "") -> None:
        """One key, by its name (https://www.w3.org/TR/uievents-key/)."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "/": 191}
        told = {"key": key, "windowsVirtualKeyCode": codes[key]}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **told, text=text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    async def resize(self, width: int, height: int) -> None:
        """Another size of window."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    async def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def screenshot(self, path: Path, whole: bool = True) -> None:
        """A picture in PNG of the whole page, or of the window."""
        picture = await self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole
        )
        await trio.Path(path).write_bytes(base64.b64decode(picture["data"]))
