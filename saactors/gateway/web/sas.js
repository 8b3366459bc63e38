// The table of SAs and the explain view. The gateway searches, sorts and pages, so the page holds one
// page of rows however many SAs there are.

import { element, fillRows, setNumber, setText, spiText } from "./formats.js";
import { showMovesOf } from "./lists.js";

const byId = (id) => document.getElementById(id);
const PAGE_ROWS = 25;

// heading, key in a row of sa.list, how it is shown, whether the gateway sorts by it
const COLUMNS = [
  ["SPI", "spi", "spi", true],
  ["Name", "name", "text", false],
  ["Dir", "direction", "text", false],
  ["Where", "where", "where", false],
  ["Packets/s", "packets_per_s", "rate", true],
  ["Bits/s", "bits_per_s", "bits", true],
  ["Metric", "metric", "plain", true],
  ["Packets", "packets", "count", true],
  ["Bytes", "bytes", "bytes", true],
  ["Saved", "saved_ns", "duration", true],
  ["Moves", "moves", "count", true],
  ["Suite", "suite", "text", false],
  ["From", "source", "text", false],
  ["To", "destination", "text", false],
];
const isNumber = (kind) => !["spi", "text", "where"].includes(kind);

export class SaTable {
  // `ask` fetches an answer; `changed` is called when the reader wants another page at once.
  constructor(ask, changed) {
    this.ask = ask;
    this.sort = "packets_per_s";
    this.descending = true;
    this.offset = 0;
    this.matched = 0;
    this.chosen = null;
    this.shown = 0;
    this.#makeHeads();
    const again = () => {
      this.offset = 0;
      changed();
    };
    let typing = 0;
    byId("search").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(again, 150); // not for every key of a word
    });
    byId("filter").addEventListener("submit", (event) => event.preventDefault());
    byId("direction").addEventListener("change", again);
    byId("where").addEventListener("change", again);
    const turn = (id, place) => byId(id).addEventListener("click", () => {
      this.offset = Math.max(0, Math.min(place(), this.#lastOffset()));
      changed();
    });
    turn("first", () => 0);
    turn("previous", () => this.offset - PAGE_ROWS);
    turn("next", () => this.offset + PAGE_ROWS);
    turn("last", () => this.#lastOffset());
    this.again = again;
    byId("explain-close").addEventListener("click", () => byId("explain").close());
    byId("explain").addEventListener("close", () => { this.chosen = null; });
    byId("explain").addEventListener("click", (event) => {
      if (event.target === byId("explain")) { // the backdrop belongs to the dialog itself
        byId("explain").close();
      }
    });
  }

  #lastOffset() {
    return Math.max(0, Math.floor((this.matched - 1) / PAGE_ROWS) * PAGE_ROWS);
  }

  #makeHeads() {
    for (const [heading, key, kind, sorts] of COLUMNS) {
      const head = element("th", isNumber(kind) ? "number" : "");
      head.scope = "col";
      if (sorts) {
        const button = element("button", "sort", heading);
        button.type = "button";
        button.dataset.sort = key;
        button.addEventListener("click", () => {
          // The first click shows what is largest, of SPIs the smallest.
          this.descending = this.sort === key ? !this.descending : key !== "spi";
          this.sort = key;
          this.#markSort();
          this.again();
        });
        head.append(button);
      } else {
        head.textContent = heading;
      }
      byId("sa-heads").append(head);
    }
    this.#markSort();
  }

  #markSort() {
    for (const button of byId("sa-heads").querySelectorAll("button")) {
      const head = button.parentElement;
      if (button.dataset.sort === this.sort) {
        head.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
      } else {
        head.removeAttribute("aria-sort");
      }
    }
  }

  // What the reader wants to see, as arguments of sa.list.
  arguments() {
    const wanted = { sort: this.sort, descending: this.descending, offset: this.offset, limit: PAGE_ROWS };
    for (const name of ["search", "direction", "where"]) {
      const value = byId(name).value.trim();
      if (value) {
        wanted[name] = value;
      }
    }
    return wanted;
  }

  async refresh(status) {
    this.status = status;
    const asked = ++this.shown;
    const wanted = this.arguments();
    const answer = await this.ask("sa.list", wanted);
    if (asked !== this.shown) {
      return; // the reader has asked for something else meanwhile
    }
    this.matched = answer.matched;
    if (this.offset > this.#lastOffset()) { // SAs were deleted: this page is no more
      this.offset = this.#lastOffset();
      await this.refresh(status);
      return;
    }
    fillRows(byId("sa-rows"), answer.rows, () => this.#makeRow(), fillRow);
    byId("sa-empty").hidden = answer.rows.length > 0;
    const exact = (value) => value.toLocaleString("en-GB").replaceAll(",", " ");
    const of = answer.matched === answer.total ? exact(answer.total) : `${exact(answer.matched)} found of ${exact(answer.total)}`;
    setText(byId("place"), answer.rows.length ? `${exact(this.offset + 1)}–${exact(this.offset + answer.rows.length)} of ${of}` : `0 of ${of}`);
    byId("place").dataset.value = String(answer.matched);
    byId("first").disabled = byId("previous").disabled = this.offset === 0;
    byId("next").disabled = byId("last").disabled = this.offset >= this.#lastOffset();
    byId("sa-table").dataset.asked = JSON.stringify(wanted);
  }

  #makeRow() {
    const row = element("tr");
    for (const [, key, kind] of COLUMNS) {
      const cell = element(key === "spi" ? "th" : "td", isNumber(kind) ? "number" : kind);
      cell.dataset.column = key;
      row.append(cell);
    }
    const button = element("button", "choose");
    button.type = "button";
    row.cells[0].scope = "row";
    row.cells[0].append(button);
    row.cells[3].append(element("span"));
    row.addEventListener("click", () => this.explain({ spi: Number(row.dataset.spi), destination: row.dataset.destination }));
    return row;
  }

  // Opens the explain view; it is refreshed with the rest of the page while it is open.
  async explain(named) {
    this.chosen = named;
    byId("explain-problem").hidden = true;
    setText(byId("explain-title"), `SA ${spiText(named.spi)}`);
    byId("explain-body").hidden = true;
    if (!byId("explain").open) {
      byId("explain").showModal();
    }
    byId("explain-title").focus();
    await this.refreshExplanation();
  }

  async refreshExplanation() {
    const named = this.chosen;
    if (named === null) {
      return;
    }
    const wanted = named.destination ? { spi: named.spi, destination: named.destination } : { spi: named.spi };
    try {
      const answer = await this.ask("explain", wanted);
      if (named === this.chosen) {
        showExplanation(this.status, answer);
        byId("explain-problem").hidden = true;
        byId("explain-body").hidden = false;
      }
    } catch (problem) {
      if (problem.told && named === this.chosen) { // an SA that was deleted meanwhile, say
        setText(byId("explain-problem"), problem.message);
        byId("explain-problem").hidden = false;
      } else if (!problem.told) {
        throw problem;
      }
    }
  }
}

function fillRow(row, sa) {
  row.dataset.spi = String(sa.spi);
  row.dataset.destination = sa.destination ?? "";
  COLUMNS.forEach(([, key, kind], place) => {
    const cell = row.cells[place];
    if (kind === "spi") {
      setText(cell.firstElementChild, spiText(sa.spi));
      cell.firstElementChild.setAttribute("aria-label", `explain ${spiText(sa.spi)} ${sa.name}`);
      cell.dataset.value = String(sa.spi);
    } else if (kind === "where") {
      cell.firstElementChild.className = `tag ${sa.where === "loading" ? "bypass" : sa.where}`;
      setText(cell.firstElementChild, sa.pinned === "auto" ? sa.where : `${sa.where}, pinned`);
      cell.dataset.value = sa.where;
    } else if (kind === "text") {
      setText(cell, sa[key] ?? "–");
    } else {
      setNumber(cell, sa[key], kind);
    }
  });
}

function showExplanation(status, answer) {
  const sa = answer.sa;
  setText(byId("explain-title"), `${sa.name} · ${spiText(sa.spi)} · ${sa.direction}`);
  const facts = [
    ["where", sa.where, "exact", "sa.where"],
    ["pinned", sa.pinned, "exact", "sa.pinned"],
    ["metric", sa.metric, "plain", "sa.metric"],
    ["lowest resident", answer.lowest?.metric, "plain", "lowest.metric"],
    ["threshold", answer.threshold, "plain", "threshold"],
    ["a packet would save", answer.saving_ns, "duration", "saving_ns"],
    ["a load costs", answer.load_host_ns, "duration", "load_host_ns"],
    ["saved so far", answer.saved_ns, "duration", "saved_ns"],
  ];
  const list = byId("explain-facts");
  if (list.childElementCount === 0) {
    for (const [name, , , field] of facts) {
      const value = element("dd");
      value.dataset.explained = field;
      list.append(element("dt", "", name), value);
    }
  }
  facts.forEach(([, value, kind], place) => setNumber(list.children[2 * place + 1], value, kind));
  const told = byId("explain-text");
  if (told.dataset.told !== answer.text.join("\n")) { // not every second: somebody may copy it
    told.dataset.told = answer.text.join("\n");
    told.replaceChildren(...answer.text.map((line) => element("li", "", line)));
  }
  setText(byId("explain-change"), answer.to_change);
  showMovesOf(status, answer.moves);
}
