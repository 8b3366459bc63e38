"use strict";

// Draws the plots of the page. Colours come from the style sheet, so that they follow the reader's
// choice of light or dark; all plots share one stretch of time, so zooming one zooms them all.

const charts = JSON.parse(document.getElementById("charts").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 36rem)");
const touch = window.matchMedia("(pointer: coarse)"); // there, a drag scrolls the page

function styled(value) {
  if (Array.isArray(value)) {
    return value;
  }
  if (typeof value === "string" && value.startsWith("var(--")) {
    return getComputedStyle(document.documentElement).getPropertyValue(value.slice(4, -1)).trim();
  }
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, styled(inner)]));
  }
  return value;
}

function axis(own) {
  return {
    gridcolor: "var(--grid)",
    linecolor: "var(--rule)",
    zerolinecolor: "var(--rule)",
    tickfont: { size: 11 },
    fixedrange: true,
    ...own,
    title: { standoff: 10, font: { size: 12 }, ...own.title },
  };
}

function layout(chart) {
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: "var(--quiet)" },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--rule)", font: { color: "var(--ink)" } },
    hovermode: "x unified",
    dragmode: touch.matches ? false : "zoom",
    // The same margins for all, so that one instant stands at one place on the page.
    margin: { l: narrow.matches ? 52 : 64, r: 12, t: 8, b: 44 },
    showlegend: true,
    legend: {
      orientation: "h", x: 0, xanchor: "left", y: 1.01, yanchor: "bottom", traceorder: "normal",
      font: { size: narrow.matches ? 11 : 12 },
    },
    ...chart.layout,
    xaxis: axis({
      title: { text: chart.time }, range: chart.range, fixedrange: false, showgrid: false,
      anchor: chart.layout.yaxis2 ? "y2" : "y", hoverformat: ",.6~g",
    }),
    yaxis: axis(chart.layout.yaxis),
  };
  if (chart.layout.yaxis2) {
    base.yaxis2 = axis(chart.layout.yaxis2);
  }
  return styled(base);
}

const options = { responsive: true, displayModeBar: false, doubleClick: false };

function draw(chart) {
  return Plotly.react(chart.name, chart.traces.map(styled), layout(chart), options);
}

// Shows the same stretch of time in every plot; without one, the whole run.
function show(range) {
  for (const chart of charts) {
    chart.range = range ? [...range] : [...chart.whole];
    Plotly.relayout(chart.name, { "xaxis.range": [...chart.range] });
  }
  wholeRun.disabled = !range;
}

function follow(changed) {
  const from = changed["xaxis.range[0]"];
  const until = changed["xaxis.range[1]"];
  if (from !== undefined) {
    show([from, until]);
  }
}

const wholeRun = document.getElementById("whole-run");
wholeRun.addEventListener("click", () => show(null));

for (const chart of charts) {
  chart.whole = [...chart.range];
  draw(chart).then((plot) => {
    plot.on("plotly_relayout", follow);
    plot.on("plotly_doubleclick", () => show(null));
  });
}

for (const button of document.querySelectorAll("button[data-chart]")) {
  const chart = charts.find((one) => one.name === button.dataset.chart);
  button.addEventListener("click", () => {
    const logarithmic = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(logarithmic));
    chart.layout.yaxis.type = logarithmic ? "log" : "linear";
    draw(chart);
  });
}

for (const query of [dark, narrow]) {
  query.addEventListener("change", () => charts.forEach(draw));
}
