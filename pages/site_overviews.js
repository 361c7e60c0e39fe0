// Views over all networks: the leaderboard, benchmarks, comparisons, curves of trainings, regions.

/** Whether a benchmark is among those that the leaderboard is asked for. */
const isChosen = ({benchmark}) => ["region", "species", "access"].every((name) => !choices[name] || (benchmark[name] ?? "") === choices[name]);

const choices = {columns: "nodes", text: "", region: "", species: "", access: "", hidden: new Set()};

/** A dot with its interval on the scale of all composites, from the lowest end of an interval to the highest. */
function bar(site) {
  const {composite} = site;
  let [lo, hi] = [Infinity, -Infinity];
  for (let place = 0; place < site.count; ++place) {
    for (const value of [composite.value(place), composite.lo(place), composite.hi(place)]) {
      if (measured(value)) [lo, hi] = [Math.min(lo, value), Math.max(hi, value)];
    }
  }
  const at = (value) => 4 + 82 * (hi > lo ? (value - lo) / (hi - lo) : 0.5);
  return (place) => {
    const value = composite.value(place);
    const parts = [drawing("line", {x1: 3, x2: 87, y1: 8, y2: 8, class: "track"})];
    if (measured(composite.lo(place)) && measured(composite.hi(place))) {
      parts.push(drawing("line", {x1: at(composite.lo(place)), x2: at(composite.hi(place)), y1: 8, y2: 8, class: "spread"}));
    }
    if (measured(value)) parts.push(drawing("circle", {cx: at(value), cy: 8, r: 3, class: "dot"}));
    return drawing("svg", {width: 90, height: 16, viewBox: "0 0 90 16", "aria-hidden": "true", class: "bar"}, parts);
  };
}

const leafText = (site, column) => (value, place) => {
  const status = site.statusOf(place, column.row);
  if (!measured(value)) return element("span", {class: `status ${status === "missing" ? "missing" : ""}`}, status === "ok" ? "no score" : status);
  return ["imported", "other edition", "within null"].includes(status)
    ? element("span", {}, fixed(value), " ", element("span", {class: "status"}, status)) : fixed(value);
};

const attributeText = (column) => {
  if (column.kind === "text") return (value) => value ?? "";
  return column.key === "parameters" ? millions : (value) => short(value);
};

/** Every column of the leaderboard that there can be, in order. */
function leaderboardColumns(site) {
  const drawn = bar(site);
  const {composite} = site;
  const narrow = narrowPage();
  const spread = (place) => interval(composite.lo(place), composite.hi(place)) || (measured(site.error(place)) ? `\u00b1 ${fixed(site.error(place))}` : "");
  const nodes = site.nodeColumns.map((column) => ({key: column.key, label: column.label, width: 104, value: (place) => column.value(place),
    shown: (value) => measured(value) ? fixed(value) : element("span", {class: "status missing"}, "no score")}));
  const leaves = site.leafColumns.filter(isChosen).map((column) => ({key: column.key, label: column.label, width: 122, value: (place) => column.value(place),
      shown: leafText(site, column)}));
  return [
    {key: "rank", label: "rank", width: 92, frozen: !narrow, ascending: true, value: (place) => site.rank.rank[place],
     shown: (_, place) => element("span", {}, rankText(site, place) || "none", " ", element("span", {class: "status missing"}, rankRange(site, place)))},
    {key: "network", label: "network", header: true, width: narrow ? 150 : 240, frozen: true, value: (place) => site.names[place],
     shown: (name, place) => element("a", {href: `#/${networkRoute(name)}`, class: "name"}, name,
         site.imported[place] ? element("span", {class: "status"}, " imported") : [])},
    {key: "composite", label: composite.label, width: 262, value: (place) => composite.value(place),
     shown: (value, place) => element("span", {class: "composite"}, element("b", {}, fixed(value) || "none"), drawn(place),
                                      element("span", {class: "missing"}, spread(place)))},
    ...(choices.columns === "nodes" ? nodes : leaves),
    ...site.attributes.map((column) => ({key: column.key, label: column.label, text: column.kind === "text", width: column.kind === "text" ? 160 : 104,
                                         value: (place) => column.value(place), shown: attributeText(column)})),
  ];
}

const fileColumns = (site) => {
  const plainOf = (column, key = column.key) => [{key, value: (place) => column.value(place)}, {key: `${key} ci_lo`, value: (place) => column.lo(place)},
                                                 {key: `${key} ci_hi`, value: (place) => column.hi(place)}];
  return [{key: "rank", value: (place) => site.rank.rank[place]}, {key: "rank_lo", value: (place) => site.rank.rank_lo[place]},
          {key: "rank_hi", value: (place) => site.rank.rank_hi[place]}, {key: "network", value: (place) => site.names[place]},
              ...plainOf(site.composite, "composite"),
          {key: "error", value: (place) => site.error(place)}];
};

/** What a file of the leaderboard has: the columns in sight, and the ends of the intervals. */
function savedColumns(site, shown) {
  const byKey = new Map([...site.nodeColumns, ...site.leafColumns].map((column) => [column.key, column]));
  return [...fileColumns(site), ...shown.filter(({key}) => !["rank", "network", "composite"].includes(key)).flatMap((column) => {
    const of = byKey.get(column.key);
    return of && of.of.lo ? [column, {key: `${column.key} ci_lo`, value: (place) => of.lo(place)}, {key: `${column.key} ci_hi`, value: (place) => of.hi(place)},
                             ...(of.kind === "benchmark" ? [{key: `${column.key} status`, value: (place) => site.statusOf(place, of.row)}] : [])] : [column];
  })];
}

function leaderboard(site) {
  const visibleColumns = () => leaderboardColumns(site).filter(({key}) => !choices.hidden.has(key));
  const fitting = () => {
    const wanted = choices.text.toLowerCase();
    const narrowed = ["region", "species", "access"].some((name) => choices[name]);
    const leaves = narrowed ? site.leafColumns.filter(isChosen) : [];
    const texts = site.attributes.filter((column) => column.kind === "text");
    return site.names.map((_, place) => place).filter((place) =>
      (!wanted || site.names[place].toLowerCase().includes(wanted) ||
          texts.some((column) => String(column.value(place) ?? "").toLowerCase().includes(wanted))) &&
      (!narrowed || leaves.some((column) => site.statusOf(place, column.row) !== "missing")));
  };
  const count = element("span", {class: "muted", role: "status", id: "count"});
  const told = () => {
    const rows = fitting();
    const columns = visibleColumns();
    count.textContent = `${whole(rows.length)} of ${plural(site.count, "network")}, ${plural(columns.length, "column")}`;
    return [rows, columns];
  };
  const [rows, columns] = told();
  const board = grid({id: "leaderboard", title: "Leaderboard", columns, rows, aside: count, saved: (shown) => savedColumns(site, shown)});
  let now = rows;
  const refresh = (other_columns, other_data = false) => {
    const [rows, columns] = told();
    if (other_columns) {
      board.change(columns);
      listColumns();
    }
    if (other_data || rows.length !== now.length || rows.some((place, at) => place !== now[at])) board.show(rows);
    now = rows;
  };
  const values = (name) => [...new Set(site.benchmarks.map((benchmark) => benchmark[name] ?? "").filter(Boolean))].sort();
  const filterOf = (name) => {
    if (choices[name] && !values(name).includes(choices[name])) choices[name] = "";
    return chooser(name, [["", "all"], ...values(name).map((value) => [value, visible(value)])], choices[name], (value) => {
      choices[name] = value;
      if (value && choices.columns === "nodes") {
        choices.columns = "benchmarks";
        which.querySelector("select").value = "benchmarks";
      }
      refresh(true);
    });
  };
  const which = chooser("columns", [["nodes", "regions of the tree"], ["benchmarks", "every benchmark"]], choices.columns, (value) => {
    choices.columns = value;
    refresh(true);
  });
  const search = element("input", {type: "search", id: "find"});
  search.value = choices.text;
  search.addEventListener("input", () => {
    choices.text = search.value;
    refresh(false);
  });
  const boxes = element("div", {class: "boxes"});
  const listColumns = () => boxes.replaceChildren(...leaderboardColumns(site).filter(({key}) => key !== "network").map((column) => {
    const box = element("input", {type: "checkbox"});
    box.checked = !choices.hidden.has(column.key);
    box.addEventListener("change", () => {
      if (box.checked) choices.hidden.delete(column.key);
      else choices.hidden.add(column.key);
      const [, columns] = told();
      board.change(columns);
    });
    return element("label", {}, box, column.label);
  }));
  const chooseColumns = element("details", {}, element("summary", {}, "Choose columns"), boxes);
  chooseColumns.addEventListener("toggle", () => chooseColumns.open && listColumns());
  const intro = element("p", {class: "intro"});
  const introduce = () => intro.replaceChildren(visible(
    `${plural(site.count, "network")} on ${plural(site.benchmarks.length, "benchmark")} by the composite ${site.tree.name}` +
    `${site.tree.description ? ` (${site.tree.description})` : ""}. Networks that share a rank (=) are not told apart by 95 % of their draws; behind a rank ` +
    "stands the range that it has over draws. Lines are 95 % intervals."));
  introduce();
  const take = (newer) => {
    site = newer;
    introduce();
    refresh(true, true);
  };
  return {
    title: site.title, take, nodes: [
      intro,
      element("form", {class: "asked", role: "search", "aria-label": "Filter the leaderboard"},
        element("label", {class: "field"}, element("span", {}, "find"), search), which, ["region", "species", "access"].map(filterOf)),
      chooseColumns, board.node,
    ],
  };
}

function benchmarkList(site) {
  const scored = (row) => site.names.map((_, place) => site.leafColumns[row].value(place)).filter(measured);
  return {
    title: "Benchmarks", nodes: [tableOrGrid({
      id: "benchmarks", title: "Benchmarks", rows: site.benchmarks.map((_, row) => row), columns: [
        {key: "benchmark", label: "benchmark", header: true, width: 300, frozen: !narrowPage(), value: (row) => site.benchmarks[row].identifier,
         shown: (name) => element("a", {href: `#/${benchmarkRoute(name)}`}, breakable(name))},
        ...["region", "species", "modality", "metric", "ceiling", "access"].map((name) =>
          ({...words(name, name, (row) => site.benchmarks[row][name] ?? ""), width: 130})),
        number("networks", "networks", (row) => scored(row).length, (value) => whole(value)),
        number("best", "best", (row) => scored(row).length ? Math.max(...scored(row)) : null), number("median", "median", (row) => median(scored(row))),
      ]})],
  };
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Compare

/** Pearson's r of pairs, least squares, and the 95 % interval of r by Fisher's z, which needs more than three. */
function fitOf(points) {
  const n = points.length;
  if (n < 3) return {n, r: null, lo: null, hi: null, slope: null, at: null};
  const mean = (place) => points.reduce((sum, point) => sum + point[place], 0) / n;
  const [mx, my] = [mean(0), mean(1)];
  let [sxx, syy, sxy] = [0, 0, 0];
  for (const [x, y] of points) {
    sxx += (x - mx) ** 2;
    syy += (y - my) ** 2;
    sxy += (x - mx) * (y - my);
  }
  if (!(sxx > 0 && syy > 0)) return {n, r: null, lo: null, hi: null, slope: sxx > 0 ? 0 : null, at: sxx > 0 ? my : null};
  const r = Math.max(-1, Math.min(1, sxy / Math.sqrt(sxx * syy)));
  const slope = sxy / sxx;
  const half = n > 3 ? 1.959963984540054 / Math.sqrt(n - 3) : null;
  const end = (sign) => half === null ? null : Math.abs(r) === 1 ? r : Math.tanh(Math.atanh(r) + sign * half);
  return {n, r, lo: end(-1), hi: end(1), slope, at: my - slope * mx};
}

const GROUPS = {composite: "Composite", node: "Nodes of the tree", benchmark: "Benchmarks", attribute: "Attributes"};

function columnChooser(label, all, value, act) {
  const groups = Object.entries(GROUPS).map(([kind, name]) => [name,
      [...all].filter(([, column]) => column.kind === kind).map(([key, column]) => [key, visible(column.label)])]);
  return chooser(label, groups.filter(([, list]) => list.length), value, act);
}

function compare(site, query) {
  const all = site.columns();
  const keys = [...all.keys()];
  const known = (key, otherwise) => all.has(key) ? key : otherwise;
  const fallback = ["attribute:imagenet_top1", "attribute:parameters"].find((key) => all.has(key)) ?? keys[1] ?? keys[0];
  const state = {x: known(query.get("x"), fallback), y: known(query.get("y"), keys[0]), log: query.has("log") ? query.get("log") === "1" : null};
  const holder = element("div");
  const show = () => {
    const [x, y] = [all.get(state.x), all.get(state.y)];
    const log = state.log ?? x.key === "parameters";
    const useful = (place) => measured(x.value(place)) && measured(y.value(place)) && (!log || x.value(place) > 0);
    const places = site.names.map((_, place) => place).filter(useful);
    const place_x = (value) => log ? Math.log10(value) : value;
    const fit = fitOf(places.map((place) => [place_x(x.value(place)), y.value(place)]));
    const axis = log ? `log10 of ${x.label}` : x.label;
    const ends = fit.lo === null ? " (an interval needs more than three networks)" : `, 95 % interval ${interval(fit.lo, fit.hi)} (Fisher's z)`;
    const sentence = fit.r === null ? `n = ${fit.n}: ${fit.n < 3 ? "too few for a correlation" : "one of the two does not vary, so there is no correlation"}.`
      : `Pearson r = ${fixed(fit.r)}${ends}, n = ${fit.n}, ` +
        `between ${y.label} and ${axis}; least squares: slope ${short(fit.slope)}.`;
    forgetCharts();
    forgetGrids();
    holder.replaceChildren(
      element("p", {class: "lead", id: "fit", role: "status"}, sentence),
      chart({
        id: "compare", title: `${y.label} over ${x.label}`, alternative: `Dots, one a network: ${sentence}`,
        caption: "Lines are 95 % intervals where they are known; the long one is the fit. Fisher's z takes networks as independent draws.",
        height: (width) => Math.min(520, Math.max(300, width * 0.6)),
        option: (width, look) => {
          const points = places.map((place) => [x.value(place), y.value(place), y.lo(place), y.hi(place), place]);
          const wide = places.map((place) => [x.value(place), y.value(place), x.lo(place), x.hi(place), place]);
          const xs = places.map((place) => x.value(place));
          const outer = places.length ? [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))] : [];
          const line = fit.slope === null ? [] : outer.map((value) => [value, fit.at + fit.slope * place_x(value)]);
          const tell = ({data: [, , , , place]}) => lines(plain(site.names[place]),
            `${plain(x.label)}: ${x.key === "parameters" ? millions(x.value(place)) : short(x.value(place))}` +
              (measured(x.lo(place)) ? ` (${interval(x.lo(place), x.hi(place))})` : ""),
            `${plain(y.label)}: ${short(y.value(place))}${measured(y.lo(place)) ? ` (${interval(y.lo(place), y.hi(place))})` : ""}`);
          const named = (label, room) => shortened(label, room, 12);
          return {
            grid: {left: 64, right: 24, top: 28, bottom: 52},
            xAxis: {...axisLook(look), type: log ? "log" : "value", scale: true, name: named(x.label, width - 120), nameLocation: "middle", nameGap: 30,
                    axisLabel: {color: look.muted, fontSize: 11, hideOverlap: true,
                        formatter: (value) => x.key === "parameters" ? millions(value) : short(value)}},
            yAxis: {...axisLook(look), type: "value", scale: true, name: named(y.label, width / 2),
                nameTextStyle: {color: look.muted, fontSize: 12, align: "left", padding: [0, 0, 0, -50]},
                    axisLabel: {color: look.muted, fontSize: 11, formatter: (value) => short(value)}},
            series: [errorBars(points, "y", look.muted), errorBars(wide, "x", look.muted),
                     {type: "line", data: line, silent: true, symbol: "none", lineStyle: {color: look.ink, width: 1.5, type: "dashed"},
                         tooltip: {show: false}, z: 2},
                     {type: "scatter", data: points, symbolSize: 8, itemStyle: {color: look.accent, opacity: 0.85}, tooltip: {formatter: tell}, z: 3}],
          };
        },
      }),
      tableOrGrid({
        id: "compared", title: "The same as a table", rows: places, columns: [
          {key: "network", label: "network", header: true, width: 260, frozen: !narrowPage(), value: (place) => site.names[place],
           shown: (name) => element("a", {href: `#/${networkRoute(name)}`}, breakable(name))},
          ...[["x", x], ["y", y]].flatMap(([axis, column]) => [
            number(`${axis}: ${column.key}`, column.label, (place) => column.value(place), (value) => short(value)),
            ...(column.of.lo ? [number(`${axis} ci_lo`, "95 % from", (place) => column.lo(place)),
                number(`${axis} ci_hi`, "to", (place) => column.hi(place))] : [])]),
        ]}));
    startGrids();
    drawAll();
    logarithmic.checked = log;
  };
  const changed = () => {
    history.replaceState(null, "", `#/compare?x=${encodeName(state.x)}&y=${encodeName(state.y)}${state.log === null ? "" : `&log=${Number(state.log)}`}`);
    show();
  };
  const logarithmic = element("input", {type: "checkbox"});
  logarithmic.addEventListener("change", () => {
    state.log = logarithmic.checked;
    changed();
  });
  const pick = (name, label) => columnChooser(label, all, state[name], (value) => {
    state[name] = value;
    state.log = name === "x" ? null : state.log;
    changed();
  });
  return {
    title: "Compare", late: show, nodes: [
      element("form", {class: "asked", "aria-label": "What to compare"}, pick("x", "across"), pick("y", "up"),
              element("label", {class: "check"}, logarithmic, "logarithmic across")), holder],
  };
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Curves

/** Networks of trainings: [run, places in order of their step]. */
function runsOf(site) {
  const steps = site.attribute("step");
  const runs = new Map();
  if (!steps) return runs;
  const run = site.attribute("run");
  site.names.forEach((_, place) => {
    if (!measured(steps.value(place))) return;
    const name = String(run?.value(place) ?? "one run");
    runs.set(name, [...(runs.get(name) ?? []), place]);
  });
  for (const places of runs.values()) places.sort((a, b) => steps.value(a) - steps.value(b));
  return new Map([...runs].sort(([a], [b]) => byText(a, b)));
}

function curves(site, query) {
  const runs = runsOf(site);
  if (!runs.size) return {title: "Training curves", nodes: [element("p", {}, "No network has the tag step, which records of a training carry.")]};
  const all = site.columns();
  const steps = site.attribute("step");
  const state = {y: all.has(query.get("y")) ? query.get("y") : [...all.keys()][0]};
  const holder = element("div");
  const show = () => {
    const y = all.get(state.y);
    const best = [...runs].map(([run, places]) => {
      const top = places.filter((place) => measured(y.value(place))).sort((a, b) => y.value(b) - y.value(a))[0];
      return `${run}: ${top === undefined ? "none" : `best ${fixed(y.value(top))} at step ${whole(steps.value(top))}`}`;
    });
    forgetCharts();
    forgetGrids();
    const rows = [...runs.values()].flat();
    const runOf = (place) => String(site.attribute("run")?.value(place) ?? "one run");
    holder.replaceChildren(
      chart({
        id: "curves", title: `${y.label} along training`, alternative: `Lines, one a run, of ${y.label} along steps. ${best.slice(0, 12).join("; ")}.`,
        caption: "Runs differ in colour, dash and mark; vertical lines are 95 % intervals.",
        height: (width) => (width < NARROW ? 320 : 420) + (runs.size > 1 ? 24 : 0),
        option: (width, look) => ({
          grid: {left: 60, right: 24, top: runs.size > 1 ? 40 : 16, bottom: 48},
          legend: {show: runs.size > 1, type: "scroll", top: 0, textStyle: {color: look.ink}, pageTextStyle: {color: look.ink},
              formatter: (name) => shortened(names.get(name) ?? name, 160, 12)},
          xAxis: {...axisLook(look), type: "value", name: "step", nameLocation: "middle", nameGap: 28,
              axisLabel: {color: look.muted, fontSize: 11, hideOverlap: true, formatter: (value) => short(value)}},
          yAxis: {...axisLook(look), type: "value", scale: true},
          series: [...runs].flatMap(([run, places], at) => {
            const points = places.map((place) => [steps.value(place), y.value(place), y.lo(place), y.hi(place), place]);
            return [errorBars(points, "y", look.line(at)), {
              type: "line", name: `run ${at}`, data: points, symbol: SYMBOLS[at % SYMBOLS.length], symbolSize: 7, color: look.line(at), connectNulls: false,
              lineStyle: {width: 2, type: DASHES[at % DASHES.length]},
              tooltip: {formatter: ({data: [step, value, lo, hi, place]}) => lines(plain(run),
                  `step ${whole(step)}: ${fixed(value)}${measured(lo) ? `, ${interval(lo, hi)}` : ""}`, plain(site.names[place]))},
            }];
          }),
        }),
      }),
      tableOrGrid({
        id: "curves", title: "The same as a table", rows, columns: [
          {...words("run", "run", runOf), width: 160}, number("step", "step", (place) => steps.value(place), (value) => short(value)),
          {key: "network", label: "network", header: true, width: 240, value: (place) => site.names[place],
           shown: (name) => element("a", {href: `#/${networkRoute(name)}`}, breakable(name))},
          number(y.key, y.label, (place) => y.value(place)), number("ci_lo", "95 % from", (place) => y.lo(place)),
              number("ci_hi", "to", (place) => y.hi(place)),
        ]}));
    startGrids();
    drawAll();
  };
  const names = new Map([...runs.keys()].map((run, at) => [`run ${at}`, run]));
  const choice = columnChooser("score", all, state.y, (value) => {
    state.y = value;
    history.replaceState(null, "", `#/curves?y=${encodeName(value)}`);
    show();
  });
  return {title: "Training curves", late: show, nodes: [element("form", {class: "asked", "aria-label": "What to draw"}, choice), holder]};
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Regions

/** The score on a region: of the tree's node of that name where it has one, else the mean of the region's benchmarks that a network has a score on. */
function regionColumn(site, region) {
  const node = site.nodeColumns.find((column) => column.key === region || region === "behavior" && ["behavior", "behavior_vision"].includes(column.key));
  const leaves = site.leafColumns.filter(({benchmark}) => benchmark.region === region);
  if (node) return {column: node, leaves, what: `the tree's node ${node.label}`};
  const value = (place) => {
    const values = leaves.map((column) => column.value(place)).filter(measured);
    return values.length ? values.reduce((sum, one) => sum + one, 0) / values.length : null;
  };
  return {column: new Column("region", region, region, {value}), leaves, what: "the mean of its benchmarks that a network has a score on"};
}

function regions(site) {
  const others = [...new Set(site.benchmarks.map(({region}) => region).filter((region) => region && !VISUAL_STREAM.includes(region)))].sort();
  const all = [...VISUAL_STREAM, ...others].map((region) => {
    const of = regionColumn(site, region);
    const value = (place) => of.column.value(place);
    const places = site.names.map((_, place) => place).filter((place) => measured(value(place))).sort((a, b) => value(b) - value(a));
    return {region, ...of, places, median: median(places.map((place) => of.column.value(place)))};
  });
  const best = (one) => one.places.length ? one.column.value(one.places[0]) : null;
  const drawn = regionDiagram(site, all.filter(({region}) => VISUAL_STREAM.includes(region)));
  const known = all.filter((one) => one.places.length);
  const holder = element("div");
  const show = (region) => {
    const one = known.find((each) => each.region === region);
    forgetCharts();
    forgetGrids();
    holder.replaceChildren(stripChart(site, {id: "region", title: `Networks on ${region}`, column: one.column, places: one.places}),
                           ofNetworks(site, {id: "region", title: `Networks on ${region}`, column: one.column, places: one.places}));
    startGrids();
    drawAll();
  };
  return {
    title: "Regions", late: () => known.length && show(known[0].region), nodes: [
      element("p", {}, "The ventral visual stream from V1 to IT, and behaviour behind it: what networks reach in each. A region's score is " +
                       "that of the tree's node of its name, or the mean of its benchmarks where the tree has none."),
      drawn,
      table({
        id: "regions", title: "Regions", rows: all, columns: [
          {key: "region", label: "region", header: true, value: (one) => one.region},
          number("benchmarks", "benchmarks", (one) => one.leaves.length, (value) => whole(value)),
              number("networks", "networks", (one) => one.places.length, (value) => whole(value)),
          words("best_network", "best network", (one) => one.places.length ? site.names[one.places[0]] : "",
                (name) => name ? element("a", {href: `#/${networkRoute(name)}`}, breakable(name)) : "none"),
          number("best", "its score", best), number("ci_lo", "95 % from", (one) => one.places.length ? one.column.lo(one.places[0]) : null),
          number("ci_hi", "to", (one) => one.places.length ? one.column.hi(one.places[0]) : null), number("median", "median", (one) => one.median),
          words("median_network", "median network", (one) => one.places.length ? site.names[one.places[(one.places.length - 1) >> 1]] : "", breakable),
          words("score", "score is", (one) => one.what)]}),
      known.length ? [element("h2", {}, "Distribution"), chooser("region", known.map(({region}) => [region, visible(region)]), known[0].region, show),
          holder] : []],
  };
}

/** The stream as boxes from left to right, with every network as a dot on a scale from 0 to 1 that the regions share. On a narrow page, from top to bottom. */
function regionDiagram(site, stream) {
  const narrow = narrowPage();
  const [wide, high, gap] = [196, 132, 34];
  const [width, height] = narrow ? [wide + 8, stream.length * (high + gap)] : [stream.length * (wide + gap), high + 8];
  const parts = stream.flatMap((one, index) => {
    const [x, y] = narrow ? [4, 4 + index * (high + gap)] : [4 + index * (wide + gap), 4];
    const values = one.places.map((place) => one.column.value(place));
    const at = (value) => x + 12 + (wide - 24) * Math.max(0, Math.min(1, value));
    const way = narrow ? `M ${x + wide / 2} ${y - gap + 3} v ${gap - 8} m -4 -6 l 4 6 l 4 -6`
                       : `M ${x - gap + 3} ${y + high / 2} h ${gap - 8} m -6 -4 l 6 4 l -6 4`;
    const arrow = index ? [drawing("path", {class: "flow", d: way})] : [];
    const line = (dy, text, kind = "") => drawing("text", {x: x + 12, y: y + dy, class: kind}, text);
    const cut = (name) => [...visible(name)].length > 27 ? `${[...visible(name)].slice(0, 26).join("")}\u2026` : name;
    return [...arrow, drawing("rect", {x, y, width: wide, height: high, rx: 4, class: "region"}), line(24, one.region, "name"),
      line(43, `${plural(one.leaves.length, "benchmark")}, ${plural(one.places.length, "network")}`, "quiet"),
      ...(values.length ? [line(64, `best ${fixed(values[0])}, median ${fixed(one.median)}`), line(81, cut(site.names[one.places[0]]), "quiet"),
        drawing("line", {x1: x + 12, x2: x + wide - 12, y1: y + 104, y2: y + 104, class: "track"}),
        ...values.slice(0, 400).map((value) => drawing("line", {x1: at(value), x2: at(value), y1: y + 98, y2: y + 110, class: "tick"})),
        drawing("circle", {cx: at(values[0]), cy: y + 104, r: 4, class: "dot"}), drawing("text", {x: x + 12, y: y + 125, class: "small"}, "0"),
        drawing("text", {x: x + wide - 18, y: y + 125, class: "small"}, "1")] : [line(64, "no score", "quiet")])];
  });
  const reached = (one) => one.places.length ? `best ${site.names[one.places[0]]} ${fixed(one.column.value(one.places[0]))}, median ${fixed(one.median)}`
                                             : "no score";
  const alternative = stream.map((one) => `${one.region}: ${reached(one)}`);
  const made = drawing("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "stream",
      "aria-label": visible(`The visual stream. ${alternative.join("; ")}.`)}, parts);
  const saveDrawing = () => save(new Blob([standing(made)], {type: "image/svg+xml"}), "cortiscore-stream.svg");
  const tools = element("div", {class: "tools"}, element("span", {class: "title"}, "The visual stream"),
                        button("SVG", saveDrawing, "Save SVG: The visual stream"),
                        button("PNG", () => savePicture(made, width, height), "Save PNG: The visual stream"));
  return element("figure", {}, tools, element("div", {class: "stream-holder"}, made),
                 element("figcaption", {}, "Ticks are networks on a scale from 0 to 1, the dot is the best. The same stands in the table."));
}

/** A drawing as a file of its own: what the page's style says of it is written into it. */
function standing(made) {
  const copy = made.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const [from, to] = [[made, ...made.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((one, place) => {
    const style = getComputedStyle(one);
    for (const name of ["fill", "stroke", "stroke-width", "font-size", "font-weight"]) to[place].setAttribute(name, style.getPropertyValue(name));
    if (one.localName === "text") to[place].setAttribute("font-family", "sans-serif");
    to[place].removeAttribute("class");
  });
  copy.prepend(drawing("rect", {width: "100%", height: "100%", fill: getComputedStyle(document.body).backgroundColor}));
  return new XMLSerializer().serializeToString(copy);
}

function savePicture(made, width, height) {
  const image = new Image();
  image.addEventListener("load", () => {
    const canvas = element("canvas", {width: 2 * width, height: 2 * height});
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => save(blob, "cortiscore-stream.png"), "image/png");
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standing(made))}`;
}
