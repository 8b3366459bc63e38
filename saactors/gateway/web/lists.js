// The lists beside the plots: moves, edges, dropped packets, ports. Each takes an answer and shows it.

import { clock, element, fillRows, setNumber, setText, spiText } from "./formats.js";

const byId = (id) => document.getElementById(id);

function cells(...classNames) {
  const row = element("tr");
  for (const className of classNames) {
    row.append(element("td", className));
  }
  return row;
}

function number(cell, field, value, kind) {
  cell.dataset.field = field;
  setNumber(cell, value, kind);
}

// The same few words for each kind of move, with a colour that says where the SA went.
const MOVE_CLASSES = { load: "bypass", loaded: "nic", evicted: "software", lost: "dropped", refused: "dropped", pinned: "quiet" };

function fillMove(row, status, move, place) {
  setText(row.cells[0], clock(status, move.time_ns));
  const tag = row.cells[place].firstElementChild ?? row.cells[place].appendChild(element("span"));
  tag.className = `tag ${MOVE_CLASSES[move.move] ?? "quiet"}`;
  setText(tag, move.move);
  setText(row.cells[place + 1], move.reason);
}

export function showMoves(status, rows) {
  fillRows(byId("moves"), rows.length ? rows : [null], () => cells("time", "spi", "", "wraps"), (row, move) => {
    if (move === null) {
      setText(row.cells[3], "Nothing has moved yet.");
      return;
    }
    setText(row.cells[1], spiText(move.spi));
    fillMove(row, status, move, 2);
  });
}

export function showMovesOf(status, rows) {
  fillRows(byId("explain-moves"), rows, () => cells("time", "", "wraps"), (row, move) => fillMove(row, status, move, 1));
}

function edgeRow() {
  const row = cells("", "number", "bar", "number", "number", "number");
  const bar = element("span", "fill");
  bar.append(element("span"));
  row.cells[2].append(bar);
  return row;
}

export function showEdges(edges) {
  const fill = (edge) => (edge.capacity ? edge.queued / edge.capacity : 0);
  const sorted = [...edges].sort((a, b) => fill(b) - fill(a) || b.waited_ns - a.waited_ns || a.name.localeCompare(b.name));
  fillRows(byId("edges"), sorted, edgeRow, (row, edge) => {
    const field = `edges.${edge.name}`;
    setText(row.cells[0], edge.name);
    row.cells[0].title = `${edge.source} → ${edge.target}: ${edge.carries}`;
    number(row.cells[1], `${field}.queued`, edge.queued, "count");
    const bar = row.cells[2].firstElementChild;
    bar.firstElementChild.style.inlineSize = `${100 * fill(edge)}%`;
    bar.title = edge.capacity ? `room for ${edge.capacity}` : "no bound";
    bar.classList.toggle("full", fill(edge) > 0.9);
    number(row.cells[3], `${field}.high_water`, edge.high_water, "count");
    number(row.cells[4], `${field}.waits`, edge.waits, "count");
    number(row.cells[5], `${field}.waited_ns`, edge.waited_ns, "duration");
  });
}

export function showDrops(dropped) {
  const sorted = Object.entries(dropped).filter(([, packets]) => packets > 0).sort((a, b) => b[1] - a[1]);
  fillRows(byId("drops"), sorted.length ? sorted : [null], () => cells("", "number"), (row, drop) => {
    if (drop === null) {
      setText(row.cells[0], "None.");
      setText(row.cells[1], "");
      delete row.cells[1].dataset.field;
      return;
    }
    setText(row.cells[0], drop[0].replaceAll("_", " "));
    number(row.cells[1], `packets.dropped.${drop[0]}`, drop[1], "count");
  });
}

export function showPorts(ports) {
  fillRows(byId("ports"), ports, () => cells("wraps", "", "number", "number", "number", "number"), (row, port) => {
    const field = `ports.${port.name}`;
    setText(row.cells[0], `${port.name} (${port.kind})`);
    row.cells[0].title = port.detail;
    setText(row.cells[1], port.side);
    number(row.cells[2], `${field}.received_packets`, port.received_packets, "count");
    number(row.cells[3], `${field}.sent_packets`, port.sent_packets, "count");
    number(row.cells[4], `${field}.ring_dropped`, port.ring_dropped, "count");
    number(row.cells[5], `${field}.send_refused`, port.send_refused, "count");
  });
}
