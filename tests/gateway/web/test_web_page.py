"""The page as a reader sees it, in headless Chromium: numbers, search, sort, explain, outages."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from tests.gateway.web.browser import Browser, Page, chromium, open_browser
from tests.gateway.web.conftest import Served
from tests.gateway.web.made_up import UGLY_NAME, MadeUpGateway

pytestmark = pytest.mark.slow  # a browser takes its seconds
Serve = Callable[..., Served]
Look = Callable[[Callable[[Browser], Awaitable[None]]], None]

ROWS_SHOWN = "document.querySelectorAll('#sa-rows tr').length"
TABLE = "JSON.parse(document.getElementById('sa-table').dataset.asked ?? '{}')"
FIRST_SPI = "Number(document.querySelector('#sa-rows tr')?.dataset.spi)"


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Run what a reader does, in a browser of its own."""
    chromium()

    def run(reader: Callable[[Browser], Awaitable[None]]) -> None:
        async def main() -> None:
            with trio.fail_after(120):
                async with open_browser(tmp_path) as browser:
                    await reader(browser)

        trio.run(main)

    return run


async def column(page: Page, name: str) -> list[str]:
    """The texts of a column of the table of SAs."""
    selector = json.dumps(f"#sa-rows [data-column={name}]")
    found = await page.evaluate(
        f"Array.from(document.querySelectorAll({selector}), each => each.textContent)"
    )
    return list(found)


def leaves(status: dict[str, Any]) -> dict[str, float]:
    """The numbers of ``status`` by the names that the page has for them."""
    found: dict[str, float] = {"uptime_ns": status["uptime_ns"], "pid": status["pid"]}
    found |= {"rule.threshold": status["rule"]["threshold"], "events_lost": status["events_lost"]}
    for table in ("packets", "card", "sas"):
        found |= {f"{table}.{key}": value for key, value in status[table].items()}
    found |= {
        f"packets.dropped.{reason}": value for reason, value in found.pop("packets.dropped").items()
    }
    for table in ("edges", "ports"):
        for row in status[table]:
            found |= {f"{table}.{row['name']}.{key}": value for key, value in row.items()}
    return found


def test_the_numbers_on_the_page_are_those_of_the_gateway(serve: Serve, look: Look) -> None:
    """Every one that has a name, exactly; no complaints, and nothing fetched elsewhere."""
    gateway = MadeUpGateway()
    served = serve(gateway.ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        shown, given = await page.numbers(), leaves(served.get("/api/status").json)
        assert len(shown) > 60
        assert shown == {field: given[field] for field in shown}
        missing = {field for field in given if field.startswith(("packets.", "card."))} - {
            *shown, "card.profile", "packets.dropped.not_ip",
        }  # fmt: skip
        assert not missing, "on no place of the page"
        assert await page.evaluate("document.title") == "made-up · saactors gateway"
        assert await page.evaluate("document.getElementById('state').textContent") == "ready"
        assert all(url.startswith((served.url, "data:")) for url in page.requests)
        assert page.complaints == []

    look(reader)


def test_plots_and_numbers_move_with_the_gateway(serve: Serve, look: Look) -> None:
    """Every second a point, and rates that are differences of what the gateway counts."""
    gateway = MadeUpGateway()
    gateway.moving(True)
    served = serve(gateway.ask)
    points = "(document.getElementById('{}').data?.[0].y ?? [])"

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25 && {points.format('packets')}.length > 0")
        before = await page.numbers()
        await page.until(f"{points.format('bits')}.length >= 3")
        after = await page.numbers()
        assert after["packets.nic_packets"] > before["packets.nic_packets"]
        last = await page.evaluate(f"{points.format('packets')}.at(-1)")
        assert last == pytest.approx(gateway.rates[:64].sum(), rel=0.5)
        slots = await page.evaluate("document.getElementById('card').data[2].y.at(-1)")
        residents = await page.evaluate("document.getElementById('card').data[1].y.at(-1)")
        assert (slots, residents) == (64, 64)
        bars = await page.evaluate("document.getElementById('hottest').data[0].x")
        assert bars == sorted(bars) == pytest.approx(sorted(gateway.rates)[-12:])
        assert page.complaints == []

    look(reader)


def test_moves_edges_and_drops_are_listed(serve: Serve, look: Look) -> None:
    """Moves newest first, the fullest edge first, each reason with its packets."""
    gateway = MadeUpGateway()
    served = serve(gateway.ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        texts = "Array.from(document.querySelectorAll('{}'), each => each.textContent)"
        moves = await page.evaluate(texts.format("#moves td:nth-child(4)"))
        given = served.get("/api/moves?limit=50").json["rows"]
        assert moves == [move["reason"] for move in given]
        edges = await page.evaluate(texts.format("#edges td:first-child"))
        assert (edges[0], len(edges)) == ("arbiter → software", 7)
        drops = await page.evaluate(texts.format("#drops td:first-child"))
        assert drops == ["no policy", "replayed", "icv failed"]

    look(reader)


def test_search_sort_pages_and_explain(serve: Serve, look: Look) -> None:
    """By mouse and by keyboard; what is shown is what the gateway answers to it."""
    gateway = MadeUpGateway()
    served = serve(gateway.ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        await page.click("[data-sort=spi]")
        await page.until(f"{TABLE}.sort === 'spi' && {FIRST_SPI} === 4096")
        await page.click("[data-sort=spi]")
        await page.until(f"{FIRST_SPI} === 4395")
        await page.click("#next")
        await page.until(f"{FIRST_SPI} === 4370")
        assert "26–50 of 300" in await page.evaluate("document.getElementById('place').innerText")

        await page.evaluate("document.activeElement.blur()")
        await page.press("/")
        await page.write("site-29")
        await page.until(f"{TABLE}.search === 'site-29' && {ROWS_SHOWN} === 11")
        rows = served.get("/api/sa.list?search=site-29&sort=spi&limit=25").json["rows"]
        assert await column(page, "name") == [row["name"] for row in rows]
        await page.evaluate("document.querySelector('#sa-rows button').focus()")
        await page.press("Enter", "\r")
        await page.until("document.getElementById('explain-facts').childElementCount > 0")
        spi = await page.evaluate(FIRST_SPI)
        explained = served.get(f"/api/explain?spi={spi}").json
        shown = "document.querySelector('[data-explained=\"{}\"]').dataset.value"
        for field in ("saving_ns", "load_host_ns", "threshold", "saved_ns"):
            assert float(await page.evaluate(shown.format(field))) == explained[field]
        assert float(await page.evaluate(shown.format("sa.metric"))) == explained["sa"]["metric"]
        text = await page.evaluate("document.getElementById('explain').innerText")
        assert all(line in text for line in [*explained["text"], explained["to_change"]])
        await page.press("Escape")
        await page.until("!document.getElementById('explain').open")
        assert page.complaints == []

    look(reader)


def test_filters_and_sas_that_are_deleted_meanwhile(serve: Serve, look: Look) -> None:
    """A page that is no more becomes the last one there is, and the dialog says what happened."""
    gateway = MadeUpGateway()
    served = serve(gateway.ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        await page.evaluate(
            "(() => { const where = document.getElementById('where'); where.value = 'loading'; "
            "where.dispatchEvent(new Event('change')); })()"
        )
        await page.until(f"{ROWS_SHOWN} === 1 && {FIRST_SPI} === {4096 + gateway.slots}")
        await page.evaluate(
            "(() => { const where = document.getElementById('where'); where.value = ''; "
            "where.dispatchEvent(new Event('change')); })()"
        )
        await page.until(f"{ROWS_SHOWN} === 25")
        await page.click("#last")
        await page.until(f"{TABLE}.offset === 275")
        await page.click("#sa-rows tr:last-child button")
        await page.until("document.getElementById('explain-facts').childElementCount > 0")
        gateway.sas = 10
        await page.until(f"{TABLE}.offset === 0 && {ROWS_SHOWN} === 10")
        problem = "document.querySelector('#explain-problem:not([hidden])')?.innerText"
        await page.until(f"{problem} !== undefined")
        assert "expected the SPI of an SA" in await page.evaluate(problem)
        assert await page.evaluate("document.getElementById('notice').hidden")

    look(reader)


def test_names_are_shown_as_they_are_and_never_run(serve: Serve, look: Look) -> None:
    """Whoever adds an SA chooses its name: it is text in the table, the plot and the dialog."""
    gateway = MadeUpGateway()
    gateway.names = [UGLY_NAME] * gateway.sas
    served = serve(gateway.ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        assert set(await column(page, "name")) == {UGLY_NAME}
        await page.click("#sa-rows tr:nth-child(3) td")
        await page.until("document.getElementById('explain').innerText.includes('onerror')")
        assert (
            await page.evaluate("document.querySelectorAll('img, script:not([src])').length") == 0
        )
        assert await page.evaluate("document.title") == "made-up · saactors gateway"
        assert page.complaints == []

    look(reader)


def test_a_gateway_that_goes_away_and_comes_back(serve: Serve, look: Look) -> None:
    """The page says so, keeps what it knew, and goes on by itself when there is an answer."""
    gateway = MadeUpGateway()
    answers = [True]

    async def ask(command: str, arguments: Any) -> dict[str, Any]:
        if not answers[0]:
            raise ConnectionError
        return await gateway.ask(command, arguments)

    served = serve(ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        assert await page.evaluate("document.getElementById('notice').hidden")
        answers[0] = False
        await page.until(
            "document.querySelector('#notice:not([hidden])')?.innerText.includes('does not answer')"
        )
        assert await page.evaluate(ROWS_SHOWN) == 25
        gateway.started_epoch_ns += 1_000_000  # another process
        gateway.draining = True
        answers[0] = True
        await page.until("document.getElementById('notice').hidden")
        assert await page.evaluate("document.getElementById('state').textContent") == "draining"

        served.stop()  # nobody listens any more
        await page.until(
            "document.querySelector('#notice:not([hidden])')?.innerText.includes('does not answer')"
        )
        gateway.draining = False
        serve(ask, port=urlsplit(served.url).port)
        await page.until("document.getElementById('notice').hidden")
        assert await page.evaluate("document.getElementById('state').textContent") == "ready"

    look(reader)


def test_a_hundred_thousand_sas_stay_usable(serve: Serve, look: Look) -> None:
    """A search, a sort and the last page each show within a second; the page holds 25 rows."""
    gateway = MadeUpGateway(sas=100_000, slots=16_384)
    gateway.moving(True)
    served = serve(gateway.ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url)
        await page.until(f"{ROWS_SHOWN} === 25")
        await page.click("#last")
        assert (
            await page.until("document.getElementById('place').innerText.includes('100 000 of')")
            < 1
        )
        await page.click("[data-sort=metric]")
        assert await page.until(f"{TABLE}.sort === 'metric' && {TABLE}.offset === 0") < 1
        await page.click("#search")
        await page.write("site-4242")
        assert await page.until("document.getElementById('place').dataset.value === '11'") < 1
        assert await page.evaluate("document.querySelectorAll('*').length") < 1500
        assert page.complaints == []

    look(reader)


@pytest.mark.parametrize("width", [360, 900, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_window(width: int, scheme: str, serve: Serve, look: Look) -> None:
    """Nothing is wider than the window but what scrolls in its own frame; colours follow."""
    served = serve(MadeUpGateway().ask)

    async def reader(browser: Browser) -> None:
        page = await browser.open(served.url, width)
        await page.prefer(scheme)
        await page.until(f"{ROWS_SHOWN} === 25")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(18, 21, 27)") == (scheme == "dark")
        assert page.complaints == []

    look(reader)
