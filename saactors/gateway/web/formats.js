// Numbers as people read them, and elements that show them.
//
// An element shows text; the raw value stands beside it in data-value and its place in the answer of
// `status` in data-field, so that a test, or another program, reads exactly what was answered.

const STEPS = ["", "k", "M", "G", "T", "P"];

// Three digits and a unit that steps by 1000; what fits into four digits stays exact.
function scaled(value, unit, exactBelow = 1000) {
  let rest = Math.abs(value);
  if (rest < exactBelow && Number.isInteger(value)) {
    return unit ? `${value} ${unit}` : String(value);
  }
  let step = 0;
  while (rest >= 999.5 && step < STEPS.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const digits = rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  const sign = value < 0 ? "−" : "";
  return `${sign}${rest.toFixed(digits)} ${STEPS[step]}${unit}`.trimEnd();
}

function duration(nanoseconds) {
  const seconds = Math.round(Math.abs(nanoseconds) / 1e9);
  if (seconds >= 86400) {
    return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
  }
  if (seconds >= 3600) {
    return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
  }
  if (seconds >= 120) {
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
  const units = [["s", 1e9], ["ms", 1e6], ["µs", 1e3]];
  for (const [unit, size] of units) {
    if (Math.abs(nanoseconds) >= size) {
      return `${Number((nanoseconds / size).toPrecision(3))} ${unit}`.replace("-", "−");
    }
  }
  return `${Math.round(nanoseconds)} ns`.replace("-", "−");
}

export const formats = {
  count: (value) => scaled(value, "", 10000),
  bytes: (value) => scaled(value, "B"),
  bits: (value) => scaled(value, "bit/s"),
  rate: (value) => scaled(value < 100 ? Math.round(value * 10) / 10 : Math.round(value), ""),
  plain: (value) => scaled(Math.round(value * 100) / 100, "", 10000),
  percent: (value) => `${(value * 100).toFixed(1)} %`,
  exact: String,
  duration,
};

export const spiText = (spi) => `0x${spi.toString(16).padStart(8, "0")}`;

// The time of day of something that happened so long after the gateway's start.
export function clock(status, timeNs) {
  const at = new Date(status.started_epoch_ns / 1e6 + timeNs / 1e6);
  const pad = (number, width = 2) => String(number).padStart(width, "0");
  const day = at.toDateString() === new Date().toDateString() ? "" : `${at.getMonth() + 1}-${pad(at.getDate())} `;
  return `${day}${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

// The value at a path such as "packets.in_packets"; undefined where there is none.
export const at = (answer, path) => path.split(".").reduce((inner, name) => inner?.[name], answer);

// Text is set as text, whatever it holds: names come from whoever added an SA.
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function setNumber(element, value, kind) {
  const known = value !== null && value !== undefined;
  element.dataset.value = known ? String(value) : "";
  setText(element, known ? formats[kind](value) : "–");
  if (known && kind !== "exact") {
    const exact = typeof value === "number" ? value.toLocaleString("en-GB", { maximumFractionDigits: 3 }) : value;
    element.title = kind === "duration" ? `${exact} ns` : String(exact);
  }
}

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  made.textContent = text;
  return made;
}

// Makes the rows of a table body fit `items`: rows that are there are filled again, so that focus
// and selection stay where they are.
export function fillRows(body, items, makeRow, fillRow) {
  while (body.rows.length > items.length) {
    body.deleteRow(-1);
  }
  items.forEach((item, place) => {
    let row = body.rows[place];
    if (!row) {
      row = makeRow();
      body.append(row);
    }
    fillRow(row, item);
  });
}
