// Shows the profiles in #data: one as the profile of a job on a machine, several as machines side by side.

// Of data_manifests/profile.schema.json, in the order in which a job goes through them: what a sentence calls each, and what it is.
const STAGES = new Map([
  ["open", ["opening the network", "a network's file, or weights"]],
  ["recordings", ["reading recordings", "a benchmark's files, and what is checked of them"]],
  ["decode", ["decoding images", "image files to pixels"]],
  ["place", ["placing images", "pixels on the network's screen, resized and normalised"]],
  ["forward", ["the forward pass", "the network itself"]],
  ["keep", ["keeping layers", "layers that are asked for, copied out of a micro-batch"]],
  ["reduce", ["reducing activations", "activations to what a metric looks at"]],
  ["mapping", ["mappings", "a metric between a layer and recordings"]],
  ["ceiling", ["ceilings", "what the data's own noise allows"]],
  ["resample", ["bootstraps", "bootstraps"]],
  ["store", ["storing records", "a record, until it is durable"]],
  ["other", ["what has no name", "the rest of a job"]],
]);
const NOT_MEASURED = "not measured";

// ---------------------------------------------------------------------------------------------------------------------------------------
// Text and numbers

/** Exponent notation is for machines: what toPrecision writes so is written out. */
const digits = (value, precision = 3) => {
  const text = value.toPrecision(precision);
  return (text.includes("e") ? String(Number(text)) : text).replace("-", "\u2212");
};

/** Three digits and a prefix: 21.3 GB/s. */
function si(value, unit, trimmed = false) {
  if (!measured(value)) return NOT_MEASURED;
  const rounded = Number(value.toPrecision(3));
  const power = rounded === 0 ? 0 : Math.max(-12, Math.min(18, 3 * Math.floor(Math.log10(Math.abs(rounded)) / 3)));
  const prefix = ["p", "n", "\u00b5", "m", "", "k", "M", "G", "T", "P", "E"][power / 3 + 4];
  const scaled = rounded / 10 ** power;
  const text = trimmed || rounded === 0 ? digits(Number(scaled.toPrecision(3)), 3).replace(/\.?0+$/, (zeros) => zeros.startsWith(".") ? "" : zeros)
                                        : digits(scaled);
  return `${text}\u00a0${prefix}${unit}`.trimEnd();
}

/** Memory goes by powers of two, as --memory-gib does. */
function bytes(value) {
  if (!measured(value)) return NOT_MEASURED;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let power = 0;
  while (power < units.length - 1 && Math.abs(value) / 1024 ** power >= 999.5) ++power;
  const scaled = value / 1024 ** power;
  return `${power === 0 ? whole(scaled) : digits(scaled)}\u00a0${units[power]}`;
}

const whole = (value) => measured(value) ? Math.round(value).toString().replace("-", "\u2212").replace(/\B(?=(\d{3})+$)/g, "\u202f") : NOT_MEASURED;

/** 41.2 s, 12 min 5 s, 5 h 53 min, 3 d 4 h. */
function duration(seconds) {
  if (!measured(seconds)) return NOT_MEASURED;
  if (Math.abs(seconds) < 119.5) return si(seconds, "s");
  const sign = seconds < 0 ? "\u2212" : "";
  const total = Math.round(Math.abs(seconds));
  const pair = (unit, large, small, of) => {
    const all = Math.round(total / unit);
    return `${sign}${whole(Math.floor(all / of))}\u00a0${large} ${all % of}\u00a0${small}`;
  };
  if (total < 3600) return pair(1, "min", "s", 60);
  return total < 48 * 3600 - 30 ? pair(60, "h", "min", 60) : pair(3600, "d", "h", 24);
}

function percent(share) {
  if (!measured(share)) return NOT_MEASURED;
  const value = 100 * share;
  if (value !== 0 && Math.abs(value) < 0.1) return value < 0 ? "> \u22120.1\u00a0%" : "< 0.1\u00a0%";
  return `${value.toFixed(Math.abs(value) < 9.95 ? 1 : 0).replace("-", "\u2212")}\u00a0%`;
}

/** Seconds that stand below each other: as many decimals as give the largest four digits, but two at least. */
function secondsLike(values) {
  const largest = Math.max(0, ...values.filter(measured).map(Math.abs));
  const decimals = largest > 0 ? Math.max(2, Math.min(6, 3 - Math.floor(Math.log10(largest)))) : 3;
  const least = 10 ** -decimals;
  return (value) => {
    if (!measured(value) || value === 0) return measured(value) ? "0" : NOT_MEASURED;
    return Math.abs(value) < least / 2 ? `< ${least.toFixed(decimals)}` : value.toFixed(decimals).replace("-", "\u2212");
  };
}

const fixed = (value, decimals) => measured(value) ? value.toFixed(decimals).replace("-", "\u2212") : NOT_MEASURED;
const times = (value) => measured(value) ? `${digits(value)}\u00a0\u00d7` : NOT_MEASURED;
const ratio = (value, first) => measured(value) && measured(first) && first !== 0 ? value / first : null;
const yesNo = (value) => typeof value === "boolean" ? (value ? "yes" : "no") : NOT_MEASURED;
const listed = (words) => words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
const letterOf = (index) => index < 26 ? String.fromCharCode(65 + index) : `#${index + 1}`;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const intensityOf = (work) => work.bytes > 0 ? ratio(work.flops, work.bytes) : null;
const bySeconds = (works) => [...works].sort((a, b) => b.seconds - a.seconds);

// ---------------------------------------------------------------------------------------------------------------------------------------
// Elements

const stageClass = (stage) => STAGES.has(stage) ? `stage-${stage}` : "stage-other";
const swatch = (stage) => element("span", {class: `swatch ${stageClass(stage)}`, "aria-hidden": "true"});
const stageName = (stage) => element("span", {class: STAGES.has(stage) ? "word" : ""}, swatch(stage), stage);
const legend = (stages) => element("ul", {class: "legend", "aria-label": "Colours of stages"}, stages.map((stage) => element("li", {}, stageName(stage))));

function button(text, name, act) {
  const made = element("button", {type: "button", "aria-label": name}, text);
  made.addEventListener("click", act);
  return made;
}

/** A section with a heading, and a place in the contents. */
function section(id, title, ...children) {
  const contents = document.querySelector("#contents ul");
  contents.append(element("li", {}, element("a", {href: `#${id}`}, title)));
  const made = element("section", {}, element("h2", {id}, title), children);
  document.getElementById("page").append(made);
  return made;
}

const screenOnly = (text) => element("span", {class: "screen"}, text);

/** Flags of a command: lines break between them, not after their dashes. */
const flagsOf = (text) => element("code", {}, text.split(" ").flatMap((word, index) => [index ? " " : "", element("span", {}, word)]));

function card(pairs) {
  return element("dl", {class: "card"}, pairs.map(([term, ...descriptions]) =>
    [element("dt", {}, term), element("dd", {}, descriptions)]).flat());
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Tables

const kindOf = (column) => column.header || column.text ? "text" : column.word ? "word" : "number";

function cellOf(column, row) {
  const value = column.value(row);
  const shown = column.shown ? column.shown(value, row) : value ?? NOT_MEASURED;
  if (column.header) return element("th", {scope: "row"}, typeof shown === "string" ? breakable(shown) : shown);
  const kinds = [kindOf(column)];
  if (shown === NOT_MEASURED || shown === "not tried") kinds.push("missing");
  if (column.bad && column.bad(value)) kinds.push("bad");
  return element("td", {class: kinds.join(" ")}, shown);
}

/**
 * A table with a button that saves it. A column has a key (of the CSV), a label, value(row) and perhaps shown(value, row); `header` names the
 * row, `text` is set left, as is a `word`, which does not break; `bad(value)` says what is to stand out. @return with fill(rows), which shows others.
 */
function table({id, title, columns, rows}) {
  let shown = rows;
  const body = element("tbody");
  const fill = (others) => {
    shown = others;
    body.replaceChildren(...others.map((row) => element("tr", {}, columns.map((column) => cellOf(column, row)))));
  };
  fill(rows);
  const head = element("tr", {}, columns.map((column) =>
    element("th", {scope: "col", class: kindOf(column)}, column.label)));
  const made = element("table", {"aria-labelledby": `table-${id}`}, element("thead", {}, head), body);
  const csv = () => save(new Blob([csvOf(columns, shown)], {type: "text/csv;charset=utf-8"}), `cortiscore-${id}.csv`);
  const tools = element("div", {class: "tools"}, element("span", {class: "title", id: `table-${id}`}, title),
                        button("Save CSV", `Save CSV: ${visible(title)}`, csv));
  const small = columns.length < 5 && !columns.some((column) => column.text);
  const all = element("div", {class: small ? "table small" : "table", id: `of-${id}`}, tools,
                      element("div", {class: "scroll", role: "group", tabindex: "0", "aria-labelledby": `table-${id}`}, made));
  all.fill = fill;
  return all;
}

const number = (key, label, value, shown) => ({key, label, value, shown});
const words = (key, label, value, more = {}) => ({key, label, value, text: true, ...more});
const word = (key, label, value) => ({key, label, value, word: true});

/** Columns of work, whatever is done: of stages, and of groups of layers. */
function workColumns(works) {
  const seconds = secondsLike(works.map((work) => work.seconds));
  return [
    number("seconds", "seconds", (work) => work.seconds, seconds),
    number("spread", "\u00b1", (work) => work.spread, seconds),
    number("share", "share", (work) => work.share, percent),
    number("of_peak", "of peak", (work) => work.of_peak, percent),
    word("bound", "bound by", (work) => work.bound),
    number("flops", "operations", (work) => work.flops, (value) => si(value, "FLOP")),
    number("bytes", "moved", (work) => work.bytes, (value) => si(value, "B")),
    number("flop_per_byte", "FLOP a byte", intensityOf, (value) => measured(value) ? digits(value) : NOT_MEASURED),
    number("flops_s", "FLOP/s", (work) => work.flops_s, (value) => si(value, "FLOP/s")),
    number("bytes_s", "B/s", (work) => work.bytes_s, (value) => si(value, "B/s")),
    number("operators", "operators", (work) => work.operators, whole),
  ];
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Charts

const charts = [];

/** The page's colours and font as the charts need them: resolved, for the scheme of now. */
function lookOfNow() {
  const names = ["paper", "raised", "ink", "muted", "rule", "outline", "accent"];
  const probe = (kind) => element("span", {class: `hidden ${kind}`});
  const ofNames = names.map((name) => probe(`look-${name}`));
  const ofStages = [...STAGES.keys()].map((stage) => probe(`stage-${stage}`));
  const probes = document.body.appendChild(element("div", {class: "hidden", "aria-hidden": "true"}, ofNames, ofStages));
  fontOfNow = getComputedStyle(document.body).fontFamily;
  const look = Object.fromEntries(names.map((name, index) => [name, getComputedStyle(ofNames[index]).color]));
  const stages = new Map([...STAGES.keys()].map((stage, index) => [stage, getComputedStyle(ofStages[index]).getPropertyValue("--stage").trim()]));
  look.of = (stage) => stages.get(stage) ?? stages.get("other");
  look.font = fontOfNow;
  probes.remove();
  return look;
}

const axisLook = (look) => ({
  axisLine: {lineStyle: {color: look.muted}},
  axisTick: {lineStyle: {color: look.muted}},
  axisLabel: {color: look.muted, fontSize: 11},
  splitLine: {lineStyle: {color: look.rule}},
  nameTextStyle: {color: look.muted, fontSize: 11},
});

/** As wide as the longest of the names needs, at most so many pixels. */
const widthOf = (names, most) => Math.min(most, Math.max(...names.map((name) => textWidth(name, 12))) + 4);

/** Names of rows, the first at the top. */
const rowAxis = (look, names, width, more = {}) => ({
  ...axisLook(look), type: "category", inverse: true, data: names.map((name) => shortened(name, width, 12)), axisTick: {show: false}, splitLine: {show: false},
  axisLabel: {color: look.ink, fontSize: 12, interval: 0, ...more},
});

const secondsAxis = (look, narrow, labels = {}) => ({
  ...axisLook(look), type: "value", min: 0, splitNumber: narrow ? 2 : 4,
  axisLabel: {color: look.muted, fontSize: 11, hideOverlap: true, formatter: (value) => si(value, "s", true), ...labels},
});

/**
 * A figure of one chart. `alternative` says in words what the chart shows, `caption` how it is read. height(width) and option(width, look) are
 * asked for anew at every width, scheme and print. `zoom` has the axis that is zoomed and the share of it that is shown at first.
 */
function chart({id, title, alternative, caption, height, option, zoom = null}) {
  const canvas = element("div", {class: "canvas", id: `chart-${id}`, role: "img", "aria-label": visible(alternative)});
  const made = {id, canvas, height, option, zoom: zoom && {start: 0, end: zoom.end}, drawn: null, ratio: null, width: null};
  const tools = element("div", {class: "tools"}, element("span", {class: "title"}, title), zoom ? zoomButtons(made, title, zoom) : [],
                        button("Save PNG", `Save PNG: ${visible(title)}`, () => savePng(made)));
  charts.push(made);
  return element("figure", {}, tools, canvas, element("figcaption", {}, caption));
}

function zoomButtons(made, title, {back, forth}) {
  const move = (text, name, of) => button(text, `${text}: ${visible(title)}, ${name}`, () => {
    const {start, end} = made.zoom;
    const [from, to] = of(start, end);
    const span = Math.min(100, Math.max(0.01, to - from));
    const first = Math.max(0, Math.min(100 - span, from));
    made.drawn.dispatchAction({type: "dataZoom", dataZoomIndex: 0, start: first, end: first + span});
  });
  return [
    move("+", "zoom in", (a, b) => [a + (b - a) / 4, b - (b - a) / 4]),
    move("\u2212", "zoom out", (a, b) => [a - (b - a) / 2, b + (b - a) / 2]),
    move(back, "half a view", (a, b) => [a - (b - a) / 2, b - (b - a) / 2]),
    move(forth, "half a view", (a, b) => [a + (b - a) / 2, b + (b - a) / 2]),
    move("All", "whole", () => [0, 100]),
  ];
}

/** Zoom by dragging, by the slider and by Ctrl and the wheel, which alone scrolls the page; on paper everything is shown. */
function zoomOf(made, look, axis, slider) {
  if (!made.zoom || printing()) return [];
  const range = {[axis]: 0, filterMode: axis === "xAxisIndex" ? "none" : "filter", ...made.zoom};
  const handle = {color: look.muted};
  return [
    {type: "inside", ...range, zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, moveOnMouseWheel: false, preventDefaultMouseMove: false},
    {type: "slider", ...range, showDataShadow: false, brushSelect: false, borderColor: look.rule, fillerColor: "rgba(128,140,155,.25)",
     handleStyle: handle, moveHandleStyle: handle, textStyle: {color: look.muted, fontSize: 11}, ...slider},
  ];
}

/** Canvases are as fine as the screen, and twice as fine as its points on paper. */
function draw(made, look, width) {
  const ratio = printing() ? 2 : devicePixelRatio;
  const height = made.height(width);
  made.canvas.style.height = `${height}px`;
  if (made.ratio !== ratio) {
    made.drawn?.dispose();
    made.drawn = echarts.init(made.canvas, null, {renderer: "canvas", width, height, devicePixelRatio: ratio});
    made.drawn.on("datazoom", () => {
      const [{start, end}] = made.drawn.getOption().dataZoom;
      made.zoom = {start, end};
    });
  } else {
    if (printing()) made.drawn.dispatchAction({type: "hideTip"});
    made.drawn.resize({width, height});
  }
  Object.assign(made, {ratio, width});
  made.drawn.setOption(common(look, made.option(width, look, made)), {notMerge: true});
}

function drawAll() {
  const look = lookOfNow();
  const widths = charts.map((made) => printing() ? PRINT_WIDTH : made.canvas.clientWidth);  // all before anything changes: layout is slow
  charts.forEach((made, index) => draw(made, look, widths[index]));
}

function savePng(made) {
  const look = lookOfNow();
  made.drawn.renderToCanvas({pixelRatio: 2, backgroundColor: look.paper})
    .toBlob((blob) => save(blob, `cortiscore-${made.id}.png`), "image/png");
}

function redrawWhenNeeded() {
  const setPrinting = (on) => {
    if (on === printing()) return;
    document.documentElement.classList.toggle("printing", on);
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
// Charts of work

const ofPeak = (work) => measured(work.of_peak) ? `${percent(work.of_peak)} of peak${work.bound ? `, ${work.bound}` : ""}` : "of peak: not measured";

const barLabel = (work, narrow) => narrow ? `${duration(work.seconds)}  ${percent(work.share)}`
                                          : `${duration(work.seconds)}   ${percent(work.share)}   ${ofPeak(work)}`;

const workTooltip = (name, work) => lines(
  plain(name), `${duration(work.seconds)} \u00b1 ${duration(work.spread)}, ${percent(work.share)}`, ofPeak(work),
  `operations: ${si(work.flops, "FLOP")}, moved: ${si(work.bytes, "B")}`, `rate: ${si(work.flops_s, "FLOP/s")}, ${si(work.bytes_s, "B/s")}`,
  `${whole(work.operators)} operators`);

/** Bars of seconds, with a tick where the least time would be that the measured peaks allow. */
function workBars(works, nameOf, stageOf, zoomed) {
  return (width, look, made) => {
    const narrow = width < NARROW;
    const sliding = zoomed && !printing();
    const names = works.map((work) => visible(nameOf(work)));
    const nameWidth = widthOf(names, narrow ? 92 : 190);
    const least = works.flatMap((work, row) => measured(work.of_peak) ? [[work.seconds * work.of_peak, row]] : []);
    return {
      grid: {left: nameWidth + 12, right: (narrow ? 104 : 265) + (sliding ? 30 : 0), top: 8, bottom: 28},
      xAxis: secondsAxis(look, width < NARROW),
      yAxis: rowAxis(look, names, nameWidth),
      dataZoom: sliding ? zoomOf(made, look, "yAxisIndex", {orient: "vertical", right: 4, width: 16, top: 8, bottom: 28, showDetail: false}) : [],
      series: [
        {
          type: "bar", barCategoryGap: "35%", encode: {x: 0, y: 1}, clip: true,
          data: works.map((work) => ({value: work.seconds, itemStyle: {color: look.of(stageOf(work)), borderColor: look.outline, borderWidth: 1}})),
          label: {show: true, position: "right", distance: 6, color: look.ink, fontSize: 12, backgroundColor: look.paper, padding: [1, 3],
                  formatter: ({dataIndex}) => barLabel(works[dataIndex], narrow)},
          tooltip: {formatter: ({dataIndex}) => workTooltip(nameOf(works[dataIndex]), works[dataIndex])},
        },
        {
          type: "scatter", symbol: "rect", symbolSize: [3, 20], silent: true, tooltip: {show: false}, data: least, z: 3,
          itemStyle: {color: look.ink, borderColor: look.paper, borderWidth: 1},
        },
      ],
    };
  };
}

function stageChart(profile) {
  const works = bySeconds(profile.stages);
  return chart({
    id: "stages", title: "Seconds by stage",
    alternative: `Bars of seconds by stage, the longest first: ${works.map((work) => `${work.stage} ${barLabel(work, false)}`).join("; ")}.`,
    caption: "Seconds of the wall clock. The upright tick in a bar is the least time that this machine's measured peaks would allow; where there is " +
             "none, no operations were counted.",
    height: () => 36 + 30 * works.length,
    option: workBars(works, (work) => work.stage, (work) => work.stage, false),
  });
}

function forwardChart(profile) {
  const works = profile.forward;
  const atOnce = 24;
  const many = works.length > atOnce;
  const longest = bySeconds(works)[0];
  return chart({
    id: "forward", title: "Seconds of the forward pass by group of layers",
    alternative: `Bars of seconds by group of layers, ${works.length} in the network's order. ${longest.group} takes longest: ${barLabel(longest, false)}.`,
    caption: ["In the network's order. The tick is the least time that the measured peaks would allow." +
             (many ? " " : ""), many ? screenOnly("Drag, the slider, the buttons, or Ctrl and the wheel show other groups.") : []],
    height: () => 36 + (printing() && many ? Math.max(11, Math.min(20, 860 / works.length)) * works.length : 26 * Math.min(works.length, atOnce)),
    zoom: many ? {end: 100 * (atOnce - 1) / (works.length - 1), back: "\u2191", forth: "\u2193"} : null,
    option: workBars(works, (work) => work.group, () => "forward", many),
  });
}

/** Its own spans of a thread: what is within another, on top of it. */
function spansOf(profile) {
  const threads = [...new Set(profile.timeline.map(([thread]) => thread))].sort((a, b) => typeof a === "number" && typeof b === "number" ? a - b : 0);
  const spans = profile.timeline
    .map(([thread, stage, detail, begin, end]) => ({row: threads.indexOf(thread), thread, stage, detail: detail ?? "", begin, end}))
    .sort((a, b) => (b.end - b.begin) - (a.end - a.begin));
  return {threads, spans};
}

const threadName = (thread) => typeof thread === "number" ? `thread ${thread}` : String(thread);

/** Seconds of a thread in a stage, without those of spans within. */
function secondsByThread({threads, spans}) {
  return threads.map((thread, row) => {
    const seconds = new Map();
    const open = [];
    for (const span of spans.filter((one) => one.row === row).sort((a, b) => a.begin - b.begin || b.end - a.end)) {
      while (open.length && open.at(-1).end <= span.begin) open.pop();
      const add = (stage, value) => seconds.set(stage, (seconds.get(stage) ?? 0) + value);
      add(span.stage, span.end - span.begin);
      if (open.length) add(open.at(-1).stage, -(span.end - span.begin));
      open.push(span);
    }
    return {thread, seconds};
  });
}

function spanShape(look, spans, rowHeight) {
  return (parameters, api) => {
    const span = spans[parameters.dataIndex];
    const [left, middle] = api.coord([span.begin, span.row]);
    const [right] = api.coord([span.end, span.row]);
    const height = rowHeight * 0.72;
    const {x, y, width, height: whole} = parameters.coordSys;
    const shape = echarts.graphic.clipRectByRect({x: left, y: middle - height / 2, width: Math.max(1, right - left), height}, {x, y, width, height: whole});
    const outlined = right - left > 4;
    return shape && {type: "rect", shape, style: {fill: look.of(span.stage), stroke: outlined ? look.outline : null, lineWidth: outlined ? 0.5 : 0}};
  };
}

function timelineChart(profile, {threads, spans}) {
  const rowHeight = threads.length > 16 ? 16 : 30;
  const end = Math.max(...spans.map((span) => span.end));
  const tooltip = ({dataIndex}) => {
    const span = spans[dataIndex];
    return lines(plain(threadName(span.thread)), `${span.stage}${span.detail ? ` \u00b7 ${plain(span.detail)}` : ""}`, duration(span.end - span.begin),
                 `from ${duration(span.begin)} to ${duration(span.end)}`);
  };
  return chart({
    id: "timeline", title: "What each thread did",
    alternative: `${spans.length} spans of ${threads.length} threads over ${duration(end)}, coloured by stage. The table below has their sums.`,
    caption: ["The last profiled repetition; spans too short to be seen are left out. ",
              screenOnly("Drag, the slider, the buttons, or Ctrl and the wheel zoom.")],
    height: () => 70 + rowHeight * threads.length + (printing() ? 0 : 30),
    zoom: {end: 100, back: "\u2190", forth: "\u2192"},
    option: (width, look, made) => ({
      grid: {left: 78, right: 20, top: 10, bottom: printing() ? 40 : 70},
      xAxis: {...secondsAxis(look, width < NARROW, {showMaxLabel: false}), max: end},
      yAxis: rowAxis(look, threads.map((thread) => visible(threadName(thread))), 66, {interval: threads.length > 32 ? "auto" : 0}),
      dataZoom: zoomOf(made, look, "xAxisIndex", {bottom: 8, height: 22, labelFormatter: (value) => duration(value)}),
      series: [{type: "custom", clip: true, progressive: 0, renderItem: spanShape(look, spans, rowHeight), encode: {x: [1, 2], y: 0},
                data: spans.map((span) => [span.row, span.begin, span.end]), tooltip: {formatter: tooltip}}],
    }),
  });
}

function timelineTable(profile, of) {
  const rows = secondsByThread(of);
  const stages = [...STAGES.keys()].filter((stage) => rows.some((row) => row.seconds.has(stage)));
  const seconds = secondsLike(rows.flatMap((row) => [...row.seconds.values()]));
  return table({
    id: "timeline", title: "Seconds of threads by stage, of the spans that are drawn",
    columns: [
      {key: "thread", label: "thread", header: true, value: (row) => threadName(row.thread)},
      ...stages.map((stage) => ({key: stage, label: stageName(stage), value: (row) => row.seconds.get(stage) ?? 0, shown: seconds})),
    ],
    rows,
  });
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// The roofline

/** Roofs of a machine: a rate of operations and a rate of bytes, measured or published. */
function roofsOf(profile) {
  const {limits, published} = profile.machine;
  const roofs = [];
  const add = (rates, memory, kind, name) => {
    for (const [precision, flops] of Object.entries(rates ?? {}))
      if (flops > 0 && memory > 0) roofs.push({kind, precision, flops, memory, name: `${precision} ${name}`, bold: precision === profile.job.precision});
  };
  add(limits.flops_s, limits.memory_bytes_s, "measured", "measured");
  if (profile.machine.threads > 1) {
    const one = limits.flops_s_one_thread ?? {};
    const rates = Object.hasOwn(one, profile.job.precision) ? {[profile.job.precision]: one[profile.job.precision]} : one;
    add(rates, limits.memory_bytes_s_one_thread, "one thread", "one thread");
  }
  add(published.flops_s, published.memory_bytes_s ?? limits.memory_bytes_s, "published", "published");
  return roofs;
}

/** Stages and groups of layers whose operations and bytes were counted, the longest first. */
function pointsOf(profile) {
  const of = (works, nameOf, kind) => works
    .map((work) => ({work, kind, name: nameOf(work), stage: work.stage ?? "forward", x: intensityOf(work), y: work.flops_s}))
    .filter((point) => point.x > 0 && point.y > 0);
  return [...of(profile.stages, (work) => work.stage, "stage"), ...of(profile.forward, (work) => work.group, "group")]
    .sort((a, b) => b.work.seconds - a.work.seconds);
}

/** Whole decades around everything. Where room is short there is one more, for the names of roofs. */
function rooflineRange(roofs, points, narrow) {
  const xs = [...points.map((point) => point.x), ...roofs.map((roof) => roof.flops / roof.memory)];
  const ys = [...points.map((point) => point.y), ...roofs.map((roof) => roof.flops)];
  const decade = (value, round) => 10 ** round(Math.log10(value));
  return {left: decade(Math.min(...xs) / 2, Math.floor), right: decade(Math.max(...xs) * (narrow ? 30 : 4), Math.ceil),
          bottom: decade(Math.min(...ys) / 2, Math.floor), top: decade(Math.max(...ys) * 2, Math.ceil)};
}

const GRID = {left: 58, right: 22, top: 30, bottom: 48};

/** From operations a byte and their rate to pixels of the chart. */
function rooflinePlace(range, width, height) {
  const along = (value, least, most) => (Math.log10(value) - Math.log10(least)) / (Math.log10(most) - Math.log10(least));
  return ([x, y]) => [GRID.left + along(x, range.left, range.right) * (width - GRID.left - GRID.right),
                      height - GRID.bottom - along(y, range.bottom, range.top) * (height - GRID.top - GRID.bottom)];
}

const roofLabel = (roof, narrow) => narrow ? `${visible(roof.precision)} ${si(roof.flops, "", true)}`
                                            : `${visible(roof.name)} ${si(roof.flops, "FLOP/s", true)}`;

/** The name of each roof stands above its right end, or under it where another is above; or not at all. */
function roofLabels(roofs, range, place, narrow) {
  const taken = [];
  const [end] = place([range.right, roofs[0].flops]);
  const levels = roofs.map((roof) => place([range.right, roof.flops])[1]);
  return roofs.map((roof, index) => {
    const level = levels[index];
    const text = roofLabel(roof, narrow);
    const box = (top) => ({left: end - textWidth(text, 11) - 4, right: end, top, bottom: top + 13});
    const crossed = (top, bottom) => levels.some((other, at) => at !== index && other > top && other < bottom);
    const free = ([, {top, bottom}]) => !crossed(top, bottom) && taken.every((other) => bottom < other.top || top > other.bottom);
    const [side, chosen] = [["above", box(level - 16)], ["under", box(level + 3)]].find(free) ?? [null, null];
    if (chosen) taken.push(chosen);
    return {text, side, box: chosen};
  });
}

/** Roofs of one memory share its slope, which is drawn up to the highest of them. */
function roofSeries(roofs, labels, range, look) {
  const highest = new Map();
  for (const roof of roofs) if (roof.flops > (highest.get(roof.memory)?.flops ?? 0)) highest.set(roof.memory, roof);
  return roofs.flatMap((roof, index) => {
    const {text, side} = labels[index];
    const ridge = roof.flops / roof.memory;
    const from = Math.max(range.left, range.bottom / roof.memory);
    const flat = [[ridge, roof.flops], [range.right, roof.flops]];
    const color = roof.kind === "measured" ? look.ink : look.muted;
    const style = {color, width: roof.bold && roof.kind === "measured" ? 2 : 1, type: {measured: "solid", published: [8, 5]}[roof.kind] ?? [2, 3]};
    const label = {show: side !== null, position: "left", align: "right", verticalAlign: side === "under" ? "top" : "bottom",
                   offset: [4, side === "under" ? 4 : -3], color, fontSize: 11, formatter: () => text};
    return [
      {type: "line", silent: true, symbol: "none", lineStyle: style, z: 1,
       data: highest.get(roof.memory) === roof ? [[from, from * roof.memory], ...flat] : flat},
      {type: "scatter", silent: true, symbolSize: 0.01, z: 1, data: [[range.right, roof.flops]], label},
    ];
  });
}

const pointName = (point) => shortened(visible(point.name), 150, 11);

function symbolSizes(points) {
  const longest = Math.max(...points.map((point) => point.work.seconds));
  return points.map((point) => 7 + 15 * Math.sqrt(Math.max(0, point.work.seconds) / longest));
}

/** On which side of each point its name covers nothing that is there already; null where there is no such side. The first points choose first. */
function labelSides(points, sizes, taken, place, width) {
  const boxes = [...taken];
  const free = (box) => box.left > GRID.left && box.right < width && boxes.every((other) =>
    box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom);
  points.forEach((point, index) => {
    const [x, y] = place([point.x, point.y]);
    boxes.push({left: x - sizes[index] / 2, right: x + sizes[index] / 2, top: y - sizes[index] / 2, bottom: y + sizes[index] / 2});
  });
  return points.map((point, index) => {
    const [x, y] = place([point.x, point.y]);
    const across = textWidth(pointName(point), 11) + 6;
    const away = sizes[index] / 2 + 2;
    const box = (left, top) => ({left, right: left + across, top, bottom: top + 13});
    const sides = {right: box(x + away, y - 6.5), left: box(x - away - across, y - 6.5),
                   top: box(x - across / 2, y - away - 14), bottom: box(x - across / 2, y + away + 1)};
    const side = Object.keys(sides).find((name) => free(sides[name])) ?? null;
    if (side) boxes.push(sides[side]);
    return side;
  });
}

function pointSeries(points, look, sizes, sides) {
  const data = points.map((point, index) => ({
    value: [point.x, point.y], symbol: point.kind === "stage" ? "circle" : "diamond", symbolSize: sizes[index],
    itemStyle: {color: look.of(point.stage), borderColor: look.outline, borderWidth: 1, opacity: 0.9},
    label: {show: sides[index] !== null, position: sides[index] ?? "right", fontWeight: point.kind === "stage" ? 600 : 400},
  }));
  return {
    type: "scatter", data, z: 2, clip: false,
    label: {color: look.ink, fontSize: 11, distance: 3, formatter: ({dataIndex}) => pointName(points[dataIndex])},
    tooltip: {formatter: ({dataIndex}) => {
      const {name, work, x} = points[dataIndex];
      return lines(workTooltip(name, work), `${digits(x)} FLOP a byte`);
    }},
  };
}

const rooflineHeight = (width) => width < NARROW ? 380 : 480;

const logAxis = (look, name, min, max, formatter, more) => ({
  ...axisLook(look), type: "log", name, min, max, minorSplitLine: {show: false},
  axisLabel: {color: look.muted, fontSize: 11, hideOverlap: true, formatter}, ...more,
});

function rooflineChart(profile) {
  const roofs = roofsOf(profile);
  const points = pointsOf(profile);
  if (!roofs.length || !points.length)
    return element("p", {class: "muted"}, "No operations were counted, or no peak was measured: there is no roofline to draw.");
  const all = profile.stages.length + profile.forward.length;
  const kinds = new Set(roofs.map((roof) => roof.kind));
  const ofRoofs = roofs.map((roof) => `${roof.name} ${si(roof.flops, "FLOP/s")} and ${si(roof.memory, "B/s")}`);
  const ofPoints = points.map((point) => `${point.name} ${digits(point.x)} FLOP a byte at ${si(point.y, "FLOP/s")}`);
  return chart({
    id: "roofline", title: "Roofline",
    alternative: `Rates against operations a byte, both logarithmic. Roofs: ${ofRoofs.join("; ")}. Points: ${ofPoints.join("; ")}.`,
    caption: "Circles are stages, diamonds groups of layers, larger where they take more time. Under a slope memory bounds, under a level arithmetic. " +
             "Solid roofs are measured" + (kinds.has("one thread") ? ", dotted ones by a single thread" : "") +
             (kinds.has("published") ? ", dashed ones published by the maker" : "") +
             (points.length < all ? `. ${all - points.length} of ${all} have no counted operations and are not placed.` : "."),
    height: rooflineHeight,
    option: (width, look) => {
      const narrow = width < NARROW;
      const range = rooflineRange(roofs, points, narrow);
      const place = rooflinePlace(range, width, rooflineHeight(width));
      const labels = roofLabels(roofs, range, place, narrow);
      const taken = labels.flatMap(({box}) => box ?? []);
      const sizes = symbolSizes(points);
      return {
        grid: GRID,
        xAxis: logAxis(look, "operations a byte (FLOP/B)", range.left, range.right, (value) => value < 1000 ? String(value) : si(value, "", true),
                       {nameLocation: "middle", nameGap: 28}),
        yAxis: logAxis(look, "FLOP/s", range.bottom, range.top, (value) => si(value, "", true),
                       {nameTextStyle: {color: look.muted, fontSize: 11, align: "right"}}),
        series: [...roofSeries(roofs, labels, range, look), pointSeries(points, look, sizes, labelSides(points, sizes, taken, place, width))],
      };
    },
  });
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// What is said first

const doing = (work) => STAGES.get(work.stage)?.[0] ?? work.stage;
const namedJob = (job) => `${job.network} on ${listed(job.benchmarks.map((benchmark) => benchmark.identifier))}`;
const triedChange = (profile) => profile.changes.find((change) => change.tried) ?? null;

function gainInWords(gain) {
  if (!measured(gain)) return "by a time that was not measured";
  return gain >= 0 ? `${percent(gain)} less` : `${percent(-gain)} more`;
}

function triedInWords({tried, flags, predicted_gain: predicted}) {
  const agreed = tried.as_predicted ? `as predicted (${gainInWords(predicted)})` : `where ${gainInWords(predicted)} was predicted`;
  return ["With ", flagsOf(flags), ` it took ${duration(tried.measured_s)}: ${gainInWords(tried.measured_gain)}, ${agreed}.`];
}

function checkpointsInWords({sweep}) {
  const all = sweep.of ? `: ${whole(sweep.of.checkpoints)} take ${duration(3600 * sweep.of.hours)}` : "";
  return `A sweep does ${measured(sweep.checkpoints_h) ? digits(sweep.checkpoints_h) : NOT_MEASURED} checkpoints an hour${all}.`;
}

function leadOf(profile) {
  const [longest] = bySeconds(profile.stages);
  const bound = longest && measured(longest.of_peak)
    ? `, ${longest.bound ? `bound by ${longest.bound} ` : ""}at ${percent(longest.of_peak)} of the measured peak` : "";
  const most = longest ? `; ${percent(longest.share)} of that goes to ${doing(longest)}${bound}` : "";
  const tried = triedChange(profile);
  return element("p", {class: profile.verdict.valid ? "lead" : "lead invalid", id: "lead"}, `It takes ${duration(profile.wall_s.plain)}${most}. `,
                 tried ? [...triedInWords(tried), " "] : "No change was tried. ", checkpointsInWords(profile));
}

function verdictOf(profile, name = null) {
  const {valid, reasons, notes} = profile.verdict;
  return element("div", {class: valid ? "verdict" : "verdict invalid"},
    element("p", {}, name === null ? [] : [name, " "], element("strong", {}, valid ? "VALID" : "INVALID"),
            valid ? " \u00b7 the measurement can be trusted." : " \u00b7 do not decide by these numbers:"),
    reasons.length ? element("ul", {}, reasons.map((reason) => element("li", {}, reason))) : [],
    notes.map((note) => element("p", {class: "muted"}, note)));
}

function figures(entries) {
  return element("dl", {class: "figures"}, entries.map(([term, ...values]) =>
    element("div", {}, element("dt", {}, term), values.map((value) => element("dd", {}, value)))));
}

const interval = ({ci_lo: low, ci_hi: high}) => {
  const seconds = (value) => measured(value) ? (value < 1e4 ? digits(value, 4) : whole(value)) : NOT_MEASURED;
  return `95\u00a0% interval ${seconds(low)} to ${seconds(high)}\u00a0s`;
};

function keyFigures(profile) {
  const {wall_s: wall, sweep, memory, machine} = profile;
  return figures([
    ["Wall time", duration(wall.plain), interval(wall)],
    ["Images a second", measured(profile.images_s) ? digits(profile.images_s) : NOT_MEASURED,
     `${whole(profile.job.presentations)} shown, forward passes: ${whole(profile.job.forward_passes)}`],
    ["Checkpoints an hour", measured(sweep.checkpoints_h) ? digits(sweep.checkpoints_h) : NOT_MEASURED, `the next takes ${duration(sweep.next_s)}`],
    sweep.of ? [`${whole(sweep.of.checkpoints)} checkpoints`, duration(3600 * sweep.of.hours), `the first takes ${duration(sweep.first_s)}`]
             : ["First checkpoint", duration(sweep.first_s), "recordings, stimuli and ceilings included"],
    ["Peak memory", bytes(memory.host_peak_bytes), `of ${bytes(machine.memory_bytes)}`],
    ["Clock of stages costs", percent(ratio(wall.profiled - wall.plain, wall.plain)), "of the wall time, and is not in it"],
  ]);
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Sections of one profile or of several

const named = (profiles) => profiles.map((profile, index) => ({profile, letter: letterOf(index), name: profile.machine.name}));
const machineColumn = (several) => several ? [words("machine", "machine", (row) => `${row.letter} ${row.name}`)] : [];

function changesSection(profiles) {
  const several = profiles.length > 1;
  const rows = named(profiles).flatMap((of) => of.profile.changes.map((change) => ({...of, change})));
  const title = several ? "What could be changed on each" : "What could be changed";
  if (!rows.length) return section("changes", title, element("p", {}, "No change is predicted to make it faster."));
  const notTried = (shown) => (value, row) => row.change.tried ? shown(value) : "not tried";
  const tried = (key) => (row) => row.change.tried ? row.change.tried[key] : null;
  return section("changes", title,
    element("p", {class: "muted"}, "The most promising first; that one was tried. Gains are what a network takes less, over what it takes now; " +
            "a prediction holds where what was gained differs by at most a quarter of it."),
    table({
      id: "changes", title: "Changes, what was predicted of them and what was tried",
      columns: [
        {key: "change", label: "change", header: true, value: (row) => row.change.change},
        ...machineColumn(several),
        words("flags", "flags", (row) => row.change.flags, {shown: flagsOf}),
        words("why", "why", (row) => row.change.why),
        number("predicted_s", "predicted", (row) => row.change.predicted_s, duration),
        number("predicted_gain", "gain predicted", (row) => row.change.predicted_gain, percent),
        number("measured_s", "tried", tried("measured_s"), notTried(duration)),
        number("measured_gain", "gain tried", tried("measured_gain"), notTried(percent)),
        {key: "as_predicted", label: "as predicted", value: (row) => row.change.tried ? String(row.change.tried.as_predicted) : null,
         shown: (value) => value === null ? "not tried" : yesNo(value === "true"), bad: (value) => value === "false"},
      ],
      rows,
    }));
}

/** Hours for so many checkpoints: the first has recordings, stimuli and ceilings to make. What the profile says of a number is taken from it. */
function hoursFor(sweep, checkpoints) {
  if (sweep.of && sweep.of.checkpoints === checkpoints) return sweep.of.hours;
  return measured(sweep.first_s) && measured(sweep.next_s) ? (sweep.first_s + (checkpoints - 1) * sweep.next_s) / 3600 : null;
}

const clockIn = (hours) => new Date(Date.now() + 3600000 * hours)
  .toLocaleString("en-GB", {weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit"});

function sweepSection(profiles) {
  const input = element("input", {type: "number", id: "checkpoints", min: "1", max: "1000000", step: "1", inputmode: "numeric"});
  input.value = String(profiles.find((profile) => profile.sweep.of)?.sweep.of.checkpoints ?? 100);
  const rowsFor = (checkpoints) => named(profiles).map((of) => ({...of, sweep: of.profile.sweep, hours: hoursFor(of.profile.sweep, checkpoints)}));
  const valid = () => Number.isInteger(input.valueAsNumber) && input.valueAsNumber >= 1 && input.valueAsNumber <= 1e6;
  const sweeps = table({
    id: "sweep", title: "Of a sweep over checkpoints of this graph",
    columns: [
      {key: "machine", label: "machine", header: true, value: (row) => profiles.length > 1 ? `${row.letter} ${row.name}` : row.name},
      number("first_s", "first checkpoint", (row) => row.sweep.first_s, duration),
      number("next_s", "each other", (row) => row.sweep.next_s, duration),
      number("checkpoints_h", "checkpoints an hour", (row) => row.sweep.checkpoints_h, (value) => measured(value) ? digits(value) : NOT_MEASURED),
      number("energy_j_checkpoint", "energy each", (row) => row.sweep.energy_j_checkpoint, (value) => si(value, "J")),
      number("hours", "all of them", (row) => row.hours, (value) => measured(value) ? duration(3600 * value) : NOT_MEASURED),
    ],
    rows: rowsFor(input.valueAsNumber),
  });
  const answer = element("p", {id: "ends", role: "status"});
  const show = () => {
    if (!valid()) return answer.replaceChildren("A whole number from 1 to 1 000 000, please.");
    const rows = rowsFor(input.valueAsNumber);
    sweeps.fill(rows);
    answer.replaceChildren(rows.map((row) => (profiles.length > 1 ? `${row.letter}: ` : "") + (measured(row.hours)
      ? `${duration(3600 * row.hours)}, started now until ${clockIn(row.hours)}` : NOT_MEASURED)).join("; ") + ".");
  };
  input.addEventListener("input", show);
  show();
  return section("sweep", "A sweep over checkpoints",
    element("div", {class: "ask"}, element("label", {for: "checkpoints"}, "How many checkpoints?"), input, answer), sweeps);
}

const glossary = () => element("details", {}, element("summary", {}, "What the stages are"),
  card([...STAGES].map(([stage, [, meaning]]) => [stageName(stage), meaning])));

function stagesSection(profile) {
  const works = bySeconds(profile.stages);
  section("stages", "Where the time goes", stageChart(profile), table({
    id: "stages", title: "Stages",
    columns: [{key: "stage", label: "stage", header: true, value: (work) => work.stage, shown: stageName}, ...workColumns(works)],
    rows: works,
  }), glossary());
}

function forwardSection(profile) {
  if (!profile.forward.length) return section("forward", "The forward pass", element("p", {}, "Groups of layers: not measured."));
  return section("forward", "The forward pass", forwardChart(profile), table({
    id: "forward", title: "Groups of layers",
    columns: [{key: "group", label: "layers", header: true, value: (work) => work.group}, ...workColumns(profile.forward)],
    rows: profile.forward,
  }));
}

function timelineSection(profile) {
  const of = spansOf(profile);
  if (!of.spans.length) return section("timeline", "The timeline", element("p", {}, "Spans: not measured."));
  const stages = [...STAGES.keys()].filter((stage) => of.spans.some((span) => span.stage === stage));
  return section("timeline", "The timeline", legend(stages), timelineChart(profile, of), timelineTable(profile, of));
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// The machine

const LIMITS = [
  ["host_to_device_bytes_s", "to the device", (value) => si(value, "B/s")],
  ["device_to_host_bytes_s", "from the device", (value) => si(value, "B/s")],
  ["decode_images_s", "JPEG decoded, 256 \u00d7 256", (value) => measured(value) ? `${digits(value, 3)} images/s` : NOT_MEASURED],
  ["disk_read_bytes_s", "disk, reading", (value) => si(value, "B/s")],
  ["disk_write_bytes_s", "disk, writing", (value) => si(value, "B/s")],
  ["operator_s", "least time of an operator", (value) => si(value, "s")],
];

const rate = (unit) => (value) => si(value, unit);

/** Every limit of a machine: [key, label, measured, by one thread, published, shown]; undefined where there is no such thing. */
function limitsOf({limits, published}) {
  const precisions = [...new Set([limits.flops_s, limits.flops_s_one_thread, published.flops_s].flatMap((rates) => Object.keys(rates ?? {})))];
  const of = (rates, precision) => Object.hasOwn(rates ?? {}, precision) ? rates[precision] : null;
  return [
    ...precisions.map((precision) => [`flops_s.${precision}`, `products, ${precision}`, of(limits.flops_s, precision),
                                      of(limits.flops_s_one_thread, precision), of(published.flops_s, precision), rate("FLOP/s")]),
    ["memory_bytes_s", "memory", limits.memory_bytes_s, limits.memory_bytes_s_one_thread, published.memory_bytes_s, rate("B/s")],
    ...LIMITS.map(([key, label, shown]) => [key, label, limits[key], undefined, undefined, shown]),
  ].map(([key, label, all, one, maker, shown]) => ({key, label, all, one, maker, shown}));
}

function limitsTable(machine) {
  const limit = (key, label, value) => number(key, label, value, (shown, row) => shown === undefined ? "" : row.shown(shown));
  return table({
    id: "limits", title: "What the machine can do at most",
    columns: [
      {key: "limit", label: "limit", header: true, value: (row) => row.key, shown: (_, row) => row.label},
      limit("measured", "measured", (row) => row.all),
      limit("one_thread", "by one thread", (row) => row.one),
      limit("published", "published", (row) => row.maker),
    ],
    rows: limitsOf(machine),
  });
}

const code = (text) => element("code", {}, text);

function machineSection(profile) {
  const {machine, job, engine} = profile;
  section("machine", "The machine", card([
    ["Name", machine.name], ["Processor", machine.cpu], ["Threads", `${whole(machine.threads)}, of which the job used ${whole(job.threads)}`],
    ["Memory", bytes(machine.memory_bytes)], ["Device", machine.device ?? "none"], ["System", machine.system],
    ["Limits measured", machine.measured], ["Published peaks", machine.published.source || "not known"],
    ["Machine", code(machine.fingerprint)], ["Network", code(job.fingerprint)], ["Job", code(job.key)],
    ["Profiled", `${profile.start} to ${profile.end}, Cortiscore ${engine.version}, torch ${engine.torch}`],
  ]), limitsTable(machine));
}

const MEMORY = {
  host_peak_bytes: "the process at its peak", host_before_bytes: "the process before the job", planned_bytes: "planned for activations",
  stimulus_bytes: "decoded stimuli", spilled_bytes: "spilled to a disk", device_peak_bytes: "the device at its peak",
};
const DEVICE = {
  clock_hz: ["clock", rate("Hz")], power_w: ["power", rate("W")],
  temperature_c: ["temperature", (value) => measured(value) ? `${digits(value)}\u00a0\u00b0C` : NOT_MEASURED],
  throttled: ["throttled", yesNo], bus_bytes: ["over the bus", rate("B")],
};

function memorySection(profile) {
  const rows = Object.entries(profile.memory).map(([key, value]) => ({key, label: Object.hasOwn(MEMORY, key) ? MEMORY[key] : key, value}));
  const made = section("memory", "Memory", table({
    id: "memory", title: "Memory",
    columns: [
      {key: "memory", label: "memory of", header: true, value: (row) => row.key, shown: (_, row) => row.label},
      number("bytes", "bytes", (row) => row.value, bytes),
      number("of_machine", "of the machine's memory", (row) => row.key.startsWith("device") || row.key.startsWith("spilled") ? undefined
        : ratio(row.value, profile.machine.memory_bytes), (value) => value === undefined ? "" : percent(value)),
    ],
    rows,
  }));
  if (profile.device === null) return made.append(element("p", {class: "muted"}, "Clock, power and temperature of a device: not measured."));
  return made.append(table({
    id: "device", title: "The device while it worked",
    columns: [
      {key: "reading", label: "reading", header: true, value: (row) => row.key, shown: (_, row) => row.label},
      number("value", "value", (row) => row.value, (value, row) => row.shown(value)),
    ],
    rows: Object.entries(DEVICE).map(([key, [label, shown]]) => {
      const value = profile.device[key] ?? null;
      return {key, label, value: value === null || typeof value === "number" ? value : String(value), shown: () => shown(value)};
    }),
  }));
}

function scoresSection(profiles) {
  const several = profiles.length > 1;
  const rows = named(profiles).flatMap((of) => of.profile.scores.map((score) => ({...of, score})));
  section("scores", "Scores", element("p", {class: "muted"}, "Equal: records with and without the clock of stages are the same to the bit."), table({
    id: "scores", title: "Scores, and whether measuring changed them",
    columns: [
      {key: "benchmark", label: "benchmark", header: true, value: (row) => row.score.benchmark},
      ...machineColumn(several),
      words("layer", "layer", (row) => row.score.layer),
      number("raw", "raw", (row) => row.score.raw, (value) => fixed(value, 4)),
      number("ceiled", "ceiled", (row) => row.score.ceiled, (value) => fixed(value, 4)),
      {key: "equal", label: "equal to the bit", value: (row) => String(row.score.equal), shown: (value) => value === "true" ? "equal" : "NOT equal",
       bad: (value) => value !== "true"},
    ],
    rows,
  }));
}

function repetitionsSection(profile) {
  const {wall_s: wall} = profile;
  const seconds = secondsLike(profile.repetitions.map((repetition) => repetition.wall_s));
  const apart = ratio(wall.stages_sum - wall.profiled, wall.profiled);
  section("repetitions", "Repetitions", element("p", {},
    `Median without the clock of stages ${duration(wall.plain)} (${interval(wall)}), with it ${duration(wall.profiled)}. ` +
    `Stages together make ${duration(wall.stages_sum)}` + (measured(apart) ? `, ${gainInWords(-apart)} than the latter.` : ".")),
  table({
    id: "repetitions", title: "Repetitions, in their order",
    columns: [
      {key: "repetition", label: "repetition", header: true, value: (row) => row.order, shown: (value) => String(value)},
      word("kind", "kind", (row) => row.kind),
      number("wall_s", "seconds", (row) => row.wall_s, seconds),
    ],
    rows: profile.repetitions.map((repetition, index) => ({...repetition, order: index + 1})),
  }));
}

function commandSection(profiles) {
  const several = profiles.length > 1;
  section("command", several ? "Measure them again" : "Measure it again", named(profiles).flatMap(({profile, letter, name}) => [
    several ? element("h3", {}, `${letter} ${name}`) : [],
    element("pre", {class: "command", tabindex: "0", role: "group", "aria-label": visible(several ? `Command of ${letter} ${name}` : "Command")},
            profile.command),
  ].flat()));
}

function jobSection(job) {
  section("job", "The job", card([
    ["Network", job.network], ["Benchmarks", listed(job.benchmarks.map((benchmark) => benchmark.identifier))],
    ["Layers", Object.keys(job.layers).length ? Object.entries(job.layers).map(([region, layer]) => `${region} = ${layer}`).join(", ")
                                              : `${whole(job.candidates)} candidates compete`],
    ["Precision", job.precision], ["Device", job.device], ["Threads", whole(job.threads)], ["Memory allowed", bytes(job.memory_gib * 1024 ** 3)],
    ["Bootstraps", whole(job.n_boot)], ["Shown in one pass", whole(job.presentations)], ["Forward passes", whole(job.forward_passes)],
  ]));
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// One profile

function showProfile(profile) {
  document.title = visible(`${profile.job.network}: profile, Cortiscore`);
  document.getElementById("top").append(element("p", {class: "eyebrow"}, `Profile of a scoring job \u00b7 ${profile.machine.name} \u00b7 ${profile.start}`),
                                        element("h1", {}, namedJob(profile.job)));
  document.getElementById("page").append(verdictOf(profile), leadOf(profile), keyFigures(profile));
  changesSection([profile]);
  sweepSection([profile]);
  stagesSection(profile);
  forwardSection(profile);
  timelineSection(profile);
  section("roofline", "How near the peaks", rooflineChart(profile));
  machineSection(profile);
  memorySection(profile);
  scoresSection([profile]);
  repetitionsSection(profile);
  jobSection(profile.job);
  commandSection([profile]);
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Several

const deviceOrCpu = ({device, cpu}) => device ?? cpu;

/** Rows of one thing each, machines as columns, each with its ratio to the first. */
function sideBySide({id, title, of, rows, profiles}) {
  const columns = named(profiles).flatMap(({profile, letter, name}, index) => [
    {key: `${letter} ${name}`, label: [`${letter} ${name}`, element("small", {}, deviceOrCpu(profile.machine))],
     value: (row) => row.values[index] ?? null, shown: (value, row) => row.shown(value)},
    ...(index === 0 ? [] : [{key: `${letter} over A`, label: `${letter} over A`, value: (row) => ratio(row.values[index], row.values[0]),
                             shown: (value) => measured(value) ? element("span", {class: "ratio"}, times(value)) : NOT_MEASURED}]),
  ]);
  const names = {key: of, label: of, header: true, value: (row) => row.key, shown: (_, row) => row.mark ?? row.label};
  return table({id, title, columns: [names, ...columns], rows});
}

function comparedFigures(profiles) {
  const row = (key, label, value, shown) => ({key, label, values: profiles.map(value), shown});
  const plainNumber = (value) => measured(value) ? digits(value) : NOT_MEASURED;
  return sideBySide({
    id: "figures", title: "Side by side", of: "figure", profiles,
    rows: [
      row("wall_s", "wall time", (profile) => profile.wall_s.plain, duration),
      row("ci_lo", "95 % interval, from", (profile) => profile.wall_s.ci_lo, duration),
      row("ci_hi", "to", (profile) => profile.wall_s.ci_hi, duration),
      row("images_s", "images a second", (profile) => profile.images_s, plainNumber),
      row("checkpoints_h", "checkpoints an hour", (profile) => profile.sweep.checkpoints_h, plainNumber),
      row("next_s", "the next checkpoint", (profile) => profile.sweep.next_s, duration),
      row("energy_j_checkpoint", "energy a checkpoint", (profile) => profile.sweep.energy_j_checkpoint, rate("J")),
      row("host_peak_bytes", "memory at its peak", (profile) => profile.memory.host_peak_bytes, bytes),
      row("device_peak_bytes", "the device's memory at its peak", (profile) => profile.memory.device_peak_bytes, bytes),
      row("threads", "threads used", (profile) => profile.job.threads, whole),
    ],
  });
}

/** Works of all profiles by name, in the order of the first that has each. */
function worksByName(profiles, list, nameOf) {
  const names = [...new Set(profiles.flatMap((profile) => list(profile).map(nameOf)))];
  return names.map((name) => ({name, works: profiles.map((profile) => list(profile).find((work) => nameOf(work) === name) ?? null)}));
}

const comparedStages = (profiles) => worksByName(profiles, (profile) => profile.stages, (work) => work.stage)
  .sort((a, b) => Math.max(...b.works.map((work) => work?.seconds ?? 0)) - Math.max(...a.works.map((work) => work?.seconds ?? 0)));

function comparedWork({id, title, of, rows, profiles, mark}) {
  const seconds = secondsLike(rows.flatMap((row) => row.works.map((work) => work?.seconds)));
  return sideBySide({id, title, of, profiles, rows: rows.map((row) => (
    {key: row.name, label: row.name, mark: mark?.(row.name), values: row.works.map((work) => work?.seconds ?? null), shown: seconds}))});
}

/** The whole of each machine's time, by stage. */
function stackedChart(profiles, rows) {
  const machines = named(profiles);
  return chart({
    id: "machines", title: "Time of each machine by stage",
    alternative: `Bars of seconds, one a machine, stages on end: ${machines.map(({profile, letter, name}) => `${letter} ${name} ` +
      `${duration(sum(profile.stages.map((work) => work.seconds)))}, most of it ${bySeconds(profile.stages)[0]?.stage}`).join("; ")}.`,
    caption: "Stages on end, in seconds of the wall clock; the number is their sum.",
    height: () => 40 + 44 * machines.length,
    option: (width, look) => {
      const names = machines.map(({letter, name}) => visible(`${letter} ${name}`));
      const nameWidth = widthOf(names, width < NARROW ? 80 : 190);
      const of = (row, index) => row.works[index]?.seconds ?? 0;
      return {
        grid: {left: nameWidth + 12, right: 76, top: 8, bottom: 28},
        xAxis: secondsAxis(look, width < NARROW),
        yAxis: rowAxis(look, names, nameWidth),
        series: rows.map((row, order) => ({
          type: "bar", name: row.name, stack: "all", barCategoryGap: "30%", data: machines.map((_, index) => of(row, index)),
          itemStyle: {color: look.of(row.name), borderWidth: 0},
          label: {show: order === rows.length - 1, position: "right", distance: 6, color: look.ink, fontSize: 12, backgroundColor: look.paper, padding: [1, 3],
                  formatter: ({dataIndex}) => duration(sum(rows.map((one) => of(one, dataIndex))))},
          tooltip: {formatter: ({dataIndex}) => lines(`${machines[dataIndex].letter} ${plain(machines[dataIndex].name)}`, `${row.name}: ` +
                                                      duration(row.works[dataIndex]?.seconds ?? null))},
        })),
      };
    },
  });
}

/** A bar a machine within each stage, the slowest's the longest. The colour is the stage's, the letter the machine's. */
function groupedChart(profiles, rows) {
  const machines = named(profiles);
  const secondsOf = (row, index) => row.works[index]?.seconds ?? null;
  const slowest = (row) => Math.max(...row.works.map((work) => work?.seconds ?? 0));
  const label = (row, index, narrow) => {
    const over = ratio(secondsOf(row, index), secondsOf(row, 0));
    return `${machines[index].letter}  ${duration(secondsOf(row, index))}${index > 0 && measured(over) && !narrow ? `  ${times(over)}` : ""}`;
  };
  const words = rows.map((row) => `${row.name} ${machines.map((_, index) => label(row, index, false)).join(", ")}`);
  const bar = (row, index, look) => ({value: ratio(secondsOf(row, index), slowest(row)),
                                      itemStyle: {color: look.of(row.name), borderColor: look.outline, borderWidth: 1}});
  return chart({
    id: "compared", title: "Each stage, machine by machine",
    alternative: `Bars by stage, one a machine: ${words.join("; ")}.`,
    caption: "Within a stage, the slowest machine's bar is the longest: where the others' are short, they are faster at it. The colour is the stage's, the " +
             "letter the machine's, the factor over the first.",
    height: () => 16 + rows.length * (14 + (printing() ? 12 : 17) * machines.length),
    option: (width, look) => {
      const narrow = width < NARROW;
      return {
        grid: {left: 98, right: narrow ? 92 : 150, top: 8, bottom: 8},
        xAxis: {...axisLook(look), type: "value", min: 0, max: 1, axisLabel: {show: false}, splitLine: {show: false}},
        yAxis: rowAxis(look, rows.map((row) => row.name), 84),
        series: machines.map(({letter, name}, index) => ({
          type: "bar", name: visible(`${letter} ${name}`), barGap: "15%", barCategoryGap: "22%", data: rows.map((row) => bar(row, index, look)),
          label: {show: true, position: "right", color: look.ink, fontSize: 11, formatter: ({dataIndex}) => label(rows[dataIndex], index, narrow)},
          tooltip: {formatter: ({dataIndex}) => rows[dataIndex].works[index]
            ? workTooltip(`${letter} ${name}: ${rows[dataIndex].name}`, rows[dataIndex].works[index]) : NOT_MEASURED},
        })),
      };
    },
  });
}

function comparedLimits(profiles) {
  const all = profiles.map((profile) => limitsOf(profile.machine));
  const keys = new Map(all.flat().map((limit) => [limit.key, limit]));
  const rowsOf = (field, suffix) => [...keys.values()].map((limit) => ({
    key: `${limit.key}${suffix.key}`, label: `${limit.label}${suffix.label}`, shown: limit.shown,
    values: all.map((limits) => limits.find((one) => one.key === limit.key)?.[field] ?? null),
  }));
  const known = (row) => row.values.some(measured);
  return sideBySide({
    id: "limits", title: "Limits", of: "limit", profiles,
    rows: [...rowsOf("all", {key: "", label: ""}), ...rowsOf("one", {key: ".one_thread", label: ", one thread"}).filter(known),
           ...rowsOf("maker", {key: ".published", label: ", published"}).filter(known)],
  });
}

function comparedLead(profiles) {
  const machines = named(profiles).sort((a, b) => a.profile.wall_s.plain - b.profile.wall_s.plain);
  const [fastest, next] = machines;
  const first = named(profiles)[0];
  const other = fastest.letter === "A" ? next : first;
  const factor = ratio(other.profile.wall_s.plain, fastest.profile.wall_s.plain);
  const [longest] = bySeconds(fastest.profile.stages);
  const doubtful = machines.filter(({profile}) => !profile.verdict.valid).map(({letter}) => letter).sort();
  return element("p", {class: "lead", id: "lead"},
    `${fastest.letter} (${fastest.name}) is the fastest: ${duration(fastest.profile.wall_s.plain)}, ` +
    `${measured(factor) ? digits(factor) : "?"} times as fast as ${other.letter} (${other.name}, ${duration(other.profile.wall_s.plain)})` +
    (longest ? `; most of its time goes to ${doing(longest)}` : "") + ". ",
    `${checkpointsInWords(fastest.profile)}`,
    doubtful.length ? ` What was measured on ${listed(doubtful)} is not valid.` : "");
}

/** Machines are compared on one job alone. */
function sameJob(profiles) {
  if (profiles.every((profile) => profile.job.key === profiles[0].job.key)) return [];
  const others = named(profiles).filter(({profile}) => profile.job.key !== profiles[0].job.key).map(({letter}) => letter);
  return element("div", {class: "verdict invalid", role: "note"}, element("p", {}, element("strong", {}, "NOT THE SAME JOB"),
    ` \u00b7 ${listed(others)} computed something else than A: network, data or options differ, and times say nothing of the machines.`));
}

function comparedMachines(profiles) {
  const row = (label, value) => ({label, values: profiles.map(value)});
  const columns = named(profiles).map(({letter, name}, index) => words(`${letter} ${name}`, `${letter} ${name}`, (of) => of.values[index] ?? null));
  return table({
    id: "machines", title: "Machines", columns: [{key: "property", label: "property", header: true, value: (of) => of.label}, ...columns],
    rows: [
      row("processor", ({machine}) => machine.cpu), row("threads", ({machine}) => whole(machine.threads)),
      row("memory", ({machine}) => bytes(machine.memory_bytes)),
      row("device", ({machine}) => machine.device ?? "none"), row("system", ({machine}) => machine.system), row("precision", ({job}) => job.precision),
      row("limits measured", ({machine}) => machine.measured), row("published peaks", ({machine}) => machine.published.source || "not known"),
      row("profiled", (profile) => profile.start), row("engine", ({engine}) => `${engine.version}, torch ${engine.torch}`),
      row("fingerprint", ({machine}) => machine.fingerprint),
    ],
  });
}

function showComparison(profiles) {
  const [{job}] = profiles;
  document.title = visible(`${job.network} on ${profiles.length} machines, Cortiscore`);
  document.getElementById("top").append(element("p", {class: "eyebrow"}, `${profiles.length} machines on one scoring job`), element("h1", {}, namedJob(job)));
  const verdicts = named(profiles).map(({profile, letter, name}) => verdictOf(profile, `${letter} ${name}`));
  document.getElementById("page").append(...[sameJob(profiles)].flat(), ...verdicts, comparedLead(profiles), comparedFigures(profiles));
  sweepSection(profiles);
  const stages = comparedStages(profiles);
  section("stages", "Where the time goes", legend([...STAGES.keys()].filter((stage) => stages.some((row) => row.name === stage))),
          stackedChart(profiles, stages), groupedChart(profiles, stages),
          comparedWork({id: "stages", title: "Seconds by stage", of: "stage", rows: stages, profiles, mark: stageName}), glossary());
  const groups = worksByName(profiles, (profile) => profile.forward, (work) => work.group);
  if (groups.length) section("forward", "The forward pass",
    comparedWork({id: "forward", title: "Seconds by group of layers", of: "layers", rows: groups, profiles}));
  section("limits", "What the machines can do at most", comparedLimits(profiles));
  section("machines", "The machines", comparedMachines(profiles));
  changesSection(profiles);
  scoresSection(profiles);
  jobSection(job);
  commandSection(profiles);
}

// ---------------------------------------------------------------------------------------------------------------------------------------

const {profiles} = JSON.parse(document.getElementById("data").textContent);
document.querySelector("noscript").remove();
document.getElementById("contents").append(element("ul"));
if (profiles.length === 1) showProfile(profiles[0]);
else showComparison(profiles);
document.getElementById("foot").append(
  element("p", {}, "Made by Cortiscore; charts by Apache ECharts. The file holds all that it shows and asks nothing of a network."));
drawAll();
redrawWhenNeeded();
