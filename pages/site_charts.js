// Charts, on canvases: Apache ECharts' own SVG would need inline styles. What each shows stands in words and in a table as well.

const LINES = 8;  // looks of lines that are told apart, by colour, dash and symbol
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];
const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3]];

let charts = [];

/** The library stands in the page as text, and is run when the first chart is drawn: a leaderboard does not wait for it. The policy knows it by its hash. */
function startLibrary() {
  if (typeof echarts === "object") return true;
  const source = document.getElementById("charts");
  if (!source) return false;  // the page is not read so far yet
  const script = document.createElement("script");
  script.textContent = source.textContent;
  document.head.append(script);
  script.remove();
  return typeof echarts === "object";
}

/** The page's colours and font as the charts need them: resolved, for the scheme of now. */
function lookOfNow() {
  const names = ["paper", "raised", "ink", "muted", "rule", "outline", "accent", ...Array.from({length: LINES}, (_, place) => `line-${place}`)];
  const probes = names.map((name) => element("span", {class: `hidden look-${name}`}));
  const holder = document.body.appendChild(element("div", {class: "hidden", "aria-hidden": "true"}, probes));
  fontOfNow = getComputedStyle(document.body).fontFamily;
  const look = Object.fromEntries(names.map((name, place) => [name, getComputedStyle(probes[place]).color]));
  look.font = fontOfNow;
  look.line = (place) => look[`line-${place % LINES}`];
  holder.remove();
  return look;
}

const axisLook = (look) => ({
  axisLine: {lineStyle: {color: look.muted}}, axisTick: {lineStyle: {color: look.muted}}, axisLabel: {color: look.muted, fontSize: 11, hideOverlap: true},
  splitLine: {lineStyle: {color: look.rule}}, nameTextStyle: {color: look.muted, fontSize: 12},
});

/** Names of rows, the first at the top. */
const rowAxis = (look, names, width) => ({
  ...axisLook(look), type: "category", inverse: true, data: names.map((name) => shortened(name, width, 12)), axisTick: {show: false}, splitLine: {show: false},
  axisLabel: {color: look.ink, fontSize: 12, interval: 0},
});

/** Lines from lo to hi through points, along x or y: data are [x, y, lo, hi, ...]. */
const errorBars = (data, along, colour) => ({
  type: "custom", silent: true, data: data.filter(([x, y, lo, hi]) => [x, y, lo, hi].every(measured)),
      encode: {x: along === "x" ? [0, 2, 3] : 0, y: along === "y" ? [1, 2, 3] : 1},
  tooltip: {show: false}, z: 1,
  renderItem: (_, api) => {
    const [x, y, lo, hi] = [0, 1, 2, 3].map((place) => api.value(place));
    const [a, b] = along === "x" ? [api.coord([lo, y]), api.coord([hi, y])] : [api.coord([x, lo]), api.coord([x, hi])];
    return {type: "line", shape: {x1: a[0], y1: a[1], x2: b[0], y2: b[1]}, style: {stroke: colour, lineWidth: 1.5, opacity: 0.55}};
  },
});

/**
 * A figure of one chart. `alternative` says in words what the chart shows, `caption` how it is read. height(width) and option(width, look) are
 * asked for anew at every width, scheme and print.
 */
function chart({id, title, alternative, caption, height, option}) {
  const canvas = element("div", {class: "canvas", id: `chart-${id}`, role: "img", "aria-label": visible(alternative)});
  const made = {id, canvas, height, option, drawn: null, ratio: null, width: null};
  const tools = element("div", {class: "tools"}, element("span", {class: "title"}, title),
                        button("SVG", () => saveSvg(made), `Save SVG: ${title}`), button("PNG", () => savePng(made), `Save PNG: ${title}`));
  charts.push(made);
  return element("figure", {}, tools, canvas, element("figcaption", {}, caption));
}

/** Canvases are as fine as the screen, and twice as fine as its points on paper. */
function draw(made, look, width) {
  const ratio = printing() ? 2 : devicePixelRatio;
  const height = made.height(width);
  made.canvas.style.height = `${height}px`;
  if (made.ratio !== ratio) {
    made.drawn?.dispose();
    made.drawn = echarts.init(made.canvas, null, {renderer: "canvas", width, height, devicePixelRatio: ratio});
  } else {
    if (printing()) made.drawn.dispatchAction({type: "hideTip"});
    made.drawn.resize({width, height});
  }
  Object.assign(made, {ratio, width});
  made.drawn.setOption(common(look, made.option(width, look)), {notMerge: true});
}

function drawAll() {
  if (!charts.length || !startLibrary()) return;
  const look = lookOfNow();
  const widths = charts.map((made) => printing() ? PRINT_WIDTH : made.canvas.clientWidth);  // all before anything changes: layout is slow
  charts.forEach((made, index) => widths[index] && draw(made, look, widths[index]));
}

function forgetCharts() {
  for (const made of charts) made.drawn?.dispose();
  charts = [];
}

function savePng(made) {
  made.drawn.renderToCanvas({pixelRatio: 2, backgroundColor: lookOfNow().paper}).toBlob((blob) => save(blob, `cortiscore-${made.id}.png`), "image/png");
}

/** Drawn anew as text, which never becomes a part of this page. */
function saveSvg(made) {
  const look = {...lookOfNow(), font: "sans-serif"};
  const height = made.height(made.width);
  const drawn = echarts.init(null, null, {renderer: "svg", ssr: true, width: made.width, height});
  drawn.setOption(common(look, made.option(made.width, look)));
  save(new Blob([drawn.renderToSVGString()], {type: "image/svg+xml"}), `cortiscore-${made.id}.svg`);
  drawn.dispose();
}

function redrawWhenNeeded(onPrint) {
  const setPrinting = (on) => {
    if (on === printing()) return;
    document.documentElement.classList.toggle("printing", on);
    onPrint(on);
    drawAll();
  };
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
  matchMedia("print").addEventListener("change", (event) => setPrinting(event.matches));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  const observer = new ResizeObserver(() => {
    if (!printing() && charts.some((made) => made.canvas.clientWidth !== made.width)) drawAll();
  });
  observer.observe(document.getElementById("page"));
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Kinds of charts

/** Networks by their score on one thing, best first: named rows with intervals where they fit, else dots in their order. */
function stripChart(site, {id, title, column, places}) {
  const sorted = places.filter((place) => measured(column.value(place))).sort((a, b) => column.value(b) - column.value(a));
  const named = sorted.length <= 40;
  const label = column.label;
  const value = (place) => column.value(place);
  const first = sorted.slice(0, 3).map((place) => `${site.names[place]} ${fixed(value(place))}`);
  return chart({
    id, title,
    alternative: `Dots, one a network, by its score on ${label}: ${plural(sorted.length, "network")}, best ${first.join(", ")}, median ` +
                 `${fixed(median(sorted.map(value)))}.`,
    caption: `Best first${named ? "" : ", names on hover and in the table"}; lines are 95 % intervals.`,
    height: () => named ? 44 + 22 * sorted.length : 420,
    option: (width, look) => {
      const names = sorted.map((place) => site.names[place]);
      const nameWidth = named ? Math.min(width < NARROW ? 110 : 240, Math.max(40, ...names.map((name) => textWidth(plain(name), 12)))) : 30;
      const points = sorted.map((place, row) => [value(place), row, column.lo(place), column.hi(place), place]);
      return {
        grid: {left: nameWidth + 16, right: 24, top: 8, bottom: 32},
        xAxis: {...axisLook(look), type: "value", scale: true, splitNumber: width < NARROW ? 3 : 6},
        yAxis: named ? rowAxis(look, names, nameWidth) : {...axisLook(look), type: "value", inverse: true, min: -1, max: sorted.length,
            splitLine: {show: false}},
        series: [errorBars(points, "x", look.accent), {
          type: "scatter", data: points, symbolSize: named ? 9 : 6, itemStyle: {color: look.accent}, z: 2,
          tooltip: {formatter: ({data: [score, , lo, hi, place]}) => lines(plain(site.names[place]),
              `${fixed(score)}${measured(lo) ? `, ${interval(lo, hi)}` : ""}`)},
        }],
      };
    },
  });
}
