// The plots. Colours come from the style sheet, so they follow the reader's choice of light or dark.
//
// The gateway keeps a history of packets by the second; bits are known only from the time this page
// was opened, as differences of two answers of `status`, and so are the points that follow.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 36rem)");
const SPAN_MS = 600_000; // as long as the gateway's own history
const POINTS_MAX = 601;
const COMPONENTS = ["nic", "software", "bypass"];

export class Plots {
  constructor() {
    this.points = [];
    this.bars = [];
    dark.addEventListener("change", () => this.draw());
  }

  // Begins again with what the gateway remembers.
  restart(status, history) {
    const second = history.width_ns / 1e9;
    this.points = history.points.map((point) => ({
      at: localTime(status, point.time_ns),
      packets: COMPONENTS.map((name) => point[`${name}_packets`] / second),
      bits: null,
      residents: point.residents,
      loads: point.loads / second,
    }));
  }

  // One more point: what happened between two answers.
  add(before, after) {
    const seconds = (after.uptime_ns - before.uptime_ns) / 1e9;
    if (seconds <= 0) {
      return null;
    }
    const growth = (name) => (after.packets[name] - before.packets[name]) / seconds;
    const point = {
      at: localTime(after, after.uptime_ns),
      packets: COMPONENTS.map((name) => growth(`${name}_packets`)),
      bits: COMPONENTS.map((name) => growth(`${name}_bytes`) * 8),
      residents: after.card.residents,
      loads: (after.card.loads - before.card.loads) / seconds,
    };
    this.points.push(point);
    this.points.splice(0, this.points.length - POINTS_MAX);
    this.slots = after.card.slots_max;
    return point;
  }

  draw() {
    if (!window.Plotly || this.points.length === 0) {
      return;
    }
    const times = this.points.map((point) => point.at);
    const stacked = (key, points) => COMPONENTS.map((name, place) => ({
      name, x: points.map((point) => point.at), y: points.map((point) => point[key][place]),
      type: "scatter", mode: "lines", stackgroup: "all", line: { width: 1, color: colour(name) },
      fillcolor: colour(`${name}-fill`), hovertemplate: "%{y:.3s}",
    }));
    plot("packets", stacked("packets", this.points), { yaxis: { tickformat: "~s" } }, times);
    const seen = this.points.filter((point) => point.bits !== null);
    const since = seen.length ? seen.map((point) => point.at) : times.slice(-1);
    plot("bits", stacked("bits", seen), { yaxis: { tickformat: "~s" } }, since);
    plot("card", this.#card(times), {
      yaxis: { range: [0, Math.max(1, this.slots ?? 0) * 1.08], ...wholeTicks(this.slots ?? 1) },
      yaxis2: { overlaying: "y", side: "right", rangemode: "tozero", showgrid: false, tickformat: "~s" },
      margin: { l: 46, r: 46, t: 26, b: 32 },
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 } },
    }, times);
    this.#drawBars();
  }

  #card(times) {
    const line = (name, y, own) => ({ name, x: times, y, type: "scatter", mode: "lines", hovertemplate: "%{y:.3~s}", ...own });
    return [
      line("loads/s", this.points.map((point) => point.loads), { yaxis: "y2", line: { width: 1, color: colour("software") } }),
      line("residents", this.points.map((point) => point.residents), { line: { width: 2, color: colour("nic") } }),
      line("slots", times.map(() => this.slots), { line: { width: 1, dash: "dot", color: colour("quiet") } }),
    ];
  }

  // Rows of sa.list, hottest first; names are told apart by their SPI.
  showHottest(rows) {
    this.bars = rows.filter((row) => row.packets_per_s > 0).map((row) => ({
      // Plotly reads some tags in its labels: without "<" there are none.
      label: `${row.name.replaceAll("<", "‹")} ${row.direction}`.slice(0, 28),
      rate: row.packets_per_s,
      where: row.where,
    }));
  }

  #drawBars() {
    const bars = [...this.bars].reverse();
    const colours = { nic: colour("nic"), software: colour("software"), loading: colour("bypass") };
    plot("hottest", [{
      type: "bar", orientation: "h",
      // Two SAs may have one name, so the place is the category and the name only its label.
      x: bars.map((bar) => bar.rate), y: bars.map((_, place) => place),
      marker: { color: bars.map((bar) => colours[bar.where]) },
      text: bars.map((bar) => bar.where), textposition: "none",
      hovertemplate: "%{x:.3~s} packets/s, %{text}<extra></extra>",
    }], {
      hovermode: "closest",
      margin: { l: 8, r: 12, t: 4, b: 32 },
      xaxis: { type: "linear", rangemode: "tozero", tickformat: "~s", range: undefined, showgrid: true },
      yaxis: {
        automargin: true, tickvals: bars.map((_, place) => place), ticktext: bars.map((bar) => bar.label),
        ticks: "outside", tickcolor: "transparent", showgrid: false,
      },
    });
  }
}

// Slots are whole: a card of two has no tick at one and a half.
const wholeTicks = (most) => (most < 8 ? { dtick: 1, tickformat: "d" } : { tickformat: "~s" });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Plotly shows dates without a time zone, so it is given the reader's local time.
function localTime(status, timeNs) {
  const at = new Date((status.started_epoch_ns + timeNs) / 1e6);
  return at.getTime() - at.getTimezoneOffset() * 60_000;
}

function plot(name, traces, own, times) {
  const axis = {
    gridcolor: colour("grid"), linecolor: colour("rule"), zerolinecolor: colour("rule"),
    tickfont: { size: 11 }, tickangle: 0, fixedrange: true,
  };
  const last = times?.at(-1);
  const first = times && Math.max(last - SPAN_MS, Math.min(times[0], last - 60_000));
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: colour("quiet") },
    hoverlabel: { bgcolor: colour("card"), bordercolor: colour("rule"), font: { color: colour("ink") } },
    hovermode: "x unified",
    dragmode: false,
    showlegend: false,
    margin: { l: 46, r: 10, t: 8, b: 32 },
    ...own,
    xaxis: {
      ...axis, type: "date", showgrid: false, nticks: narrow.matches ? 4 : 6,
      tickformat: last - first > 300_000 ? "%H:%M" : "%H:%M:%S", hoverformat: "%H:%M:%S",
      range: times && [first, last], ...own.xaxis,
    },
    yaxis: { ...axis, rangemode: "tozero", ...own.yaxis },
  };
  if (own.yaxis2) {
    layout.yaxis2 = { ...axis, ...own.yaxis2 };
  }
  window.Plotly.react(name, traces, layout, { displayModeBar: false, responsive: true });
}
