"use strict";

// Draws the plots of a lab's page. Colours come from the style sheet, so that they follow the
// reader's choice of light or dark.

const charts = JSON.parse(document.getElementById("charts").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 36rem)");

function styled(value) {
  if (typeof value === "string" && value.startsWith("var(--")) {
    return getComputedStyle(document.documentElement).getPropertyValue(value.slice(4, -1)).trim();
  }
  if (Array.isArray(value)) {
    return value.map(styled);
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
    zerolinecolor: "var(--quiet)",
    tickfont: { size: narrow.matches ? 10 : 11 },
    fixedrange: true,
    automargin: true,
    ...own,
    title: { standoff: 10, font: { size: 12 }, ...own.title },
  };
}

function layout(chart) {
  return styled({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: "var(--quiet)" },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--rule)", font: { color: "var(--ink)" } },
    hovermode: "closest",
    dragmode: false,
    margin: { l: 48, r: 16, t: 8, b: 44 },
    showlegend: true,
    ...chart.layout,
    legend: {
      orientation: "h", x: 0, xanchor: "left", y: 1.01, yanchor: "bottom", traceorder: "normal",
      font: { size: narrow.matches ? 10 : 12 },
      ...chart.layout.legend,
    },
    xaxis: axis(chart.layout.xaxis),
    yaxis: axis(chart.layout.yaxis),
  });
}

const options = { responsive: true, displayModeBar: false, doubleClick: false };

function draw(chart) {
  Plotly.react(chart.name, chart.traces.map(styled), layout(chart), options);
}

charts.forEach(draw);
for (const query of [dark, narrow]) {
  query.addEventListener("change", () => charts.forEach(draw));
}
