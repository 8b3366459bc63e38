// The page of a running gateway: asks it once a second and shows what it answers.
//
// One round of questions at a time: the next one begins a second after the last one began, or when it
// has ended if that is later, so a slow gateway is asked less often. A page that nobody looks at asks
// nothing. When the gateway does not answer, the page says so and goes on asking.

import { Plots } from "./charts.js";
import { at, formats, setNumber, setText } from "./formats.js";
import { showDrops, showEdges, showMoves, showPorts } from "./lists.js";
import { SaTable } from "./sas.js";

const ROUND_MS = 1000;
const PATIENCE_MS = 5000;
const HOTTEST = 12;
const MOVES = 50;

const byId = (id) => document.getElementById(id);

// An answer, or an Error; with `told` it is the gateway's own refusal, in its words.
async function ask(command, given = {}) {
  const query = new URLSearchParams(given).toString();
  const response = await fetch(`/api/${command}${query ? `?${query}` : ""}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (response.status === 401) {
    throw new Error("The gateway wants its token: open /?token=… once.");
  }
  const answer = await response.json();
  if (answer.error) {
    const { what, found, expected, mend } = answer.error;
    const parts = [found && `found ${found}`, expected && `expected ${expected}`].filter(Boolean).join(", ");
    const problem = new Error([parts ? `${what}: ${parts}` : what, mend].filter(Boolean).join("; "));
    problem.told = true;
    throw problem;
  }
  return answer;
}

const plots = new Plots();
let last = null; // the status shown before, while it is of the same process and not too old
let running = false;
let timer = 0;

const table = new SaTable(ask, () => {
  if (last) {
    table.refresh(last).catch(showProblem);
  }
});

function showState(status) {
  const state = status.draining ? "draining" : status.ready ? "ready" : "starting";
  byId("state").className = `state ${state}`;
  setText(byId("state"), state);
  document.title = `${status.name} · saactors gateway`;
  const names = status.attached.length;
  byId("listeners").dataset.value = String(names);
  setText(byId("listeners"), String(names));
}

function showStatus(status) {
  for (const shown of document.querySelectorAll("[data-text]")) {
    setText(shown, String(at(status, shown.dataset.text) ?? "–"));
  }
  for (const shown of document.querySelectorAll("[data-field][data-kind]")) {
    setNumber(shown, at(status, shown.dataset.field), shown.dataset.kind);
  }
  showState(status);
  showDrops(status.packets.dropped);
  showEdges(status.edges);
  showPorts(status.ports);
  const dropped = Object.values(status.packets.dropped).reduce((sum, packets) => sum + packets, 0);
  setNumber(byId("dropped"), dropped, "count");
  const share = status.packets.in_packets ? dropped / status.packets.in_packets : 0;
  setText(byId("dropped-note"), `${formats.percent(share)} of what came in`);
  const { nic_packets: nic, software_packets: software } = status.packets;
  setText(byId("share-all"), nic + software ? formats.percent(nic / (nic + software)) : "–");
  document.body.dataset.uptimeNs = String(status.uptime_ns); // all numbers are of this moment
}

function showRates(point) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  setText(byId("rate"), formats.rate(sum(point.packets)));
  setText(byId("rate-bits"), formats.bits(Math.round(sum(point.bits))));
  const [nic, software] = point.packets;
  setText(byId("share"), nic + software > 0 ? formats.percent(nic / (nic + software)) : "–");
}

function showProblem(problem) {
  const text = problem.told || problem.message.startsWith("The gateway")
    ? problem.message
    : "The gateway does not answer. What you see is old; this page asks again every second.";
  setText(byId("notice"), text);
  byId("notice").hidden = false;
  document.body.classList.add("stale");
}

function showAnswering() {
  byId("notice").hidden = true;
  document.body.classList.remove("stale");
}

async function round() {
  const [status, hottest, moves] = await Promise.all([
    ask("status"),
    ask("sa.list", { sort: "packets_per_s", limit: HOTTEST }),
    ask("moves", { limit: MOVES }),
  ]);
  if (last && last.version !== status.version) {
    location.reload(); // another release, with another page
    return;
  }
  const follows = last && last.pid === status.pid && last.started_epoch_ns === status.started_epoch_ns
    && status.uptime_ns - last.uptime_ns < 3e9;
  if (follows) {
    const point = plots.add(last, status);
    if (point) {
      showRates(point);
    }
  } else {
    plots.slots = status.card.slots_max;
    plots.restart(status, await ask("history"));
  }
  last = status;
  showStatus(status);
  plots.showHottest(hottest.rows);
  plots.draw();
  showMoves(status, moves.rows);
  await table.refresh(status);
  await table.refreshExplanation();
}

async function tick() {
  if (running || document.hidden) {
    return;
  }
  running = true;
  const began = performance.now();
  try {
    await round();
    showAnswering();
  } catch (problem) {
    showProblem(problem);
  } finally {
    running = false;
    clearTimeout(timer);
    timer = setTimeout(tick, Math.max(0, ROUND_MS - (performance.now() - began)));
  }
}

document.addEventListener("visibilitychange", tick);
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("search").focus();
  }
});
tick();
