// What is known of one network, and of one benchmark.

const WHAT_CONVENTION_MEANS = {
  r2_over_c: "raw\u00b2 / ceiling", r_over_c_squared: "(raw / ceiling)\u00b2", r_over_c: "raw / ceiling", r_over_c_clipped: "raw / ceiling, clipped to 0..1",
  r_over_c_squared_clipped: "(raw / ceiling)\u00b2, clipped to 0..1", raw_over_ceiling_clipped: "raw / ceiling, clipped to 0..1",
  raw_over_sqrt_ceiling: "raw / \u221aceiling", above_chance_clipped: "above chance, clipped to 0..1",
};

/** Figures at the top of a card: [name, what, more]. */
const figures = (list) => element("dl", {class: "figures"}, list.map(([name, what, more = ""]) =>
  element("div", {}, element("dt", {}, name), element("dd", {}, breakable(what || "not known")), more ? element("dd", {}, more) : [])));

const missingPage = (kind, name) => ({title: `No such ${kind}`,
    nodes: [element("p", {}, `This page knows no ${kind} that is called `, element("code", {}, name), ".")]});

const paragraphs = (title, texts) => texts.length ? [element("h2", {}, title), element("ul", {}, texts.map((text) => element("li", {}, text)))] : [];

/** A word of a shell: quoted where it is more than a name. */
const shellWord = (word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Whether layers competed for a score. */
const competed = (kind) => ["nested", "alternating_halves", "only"].includes(kind.selection);

/** The command line that scores the pair again, from its record. */
function commandOf(site, name, pair, setting) {
  const benchmark = site.benchmarks[pair.benchmark];
  const path = setting.path ?? `${name}.pt2`;
  const flags = ["cortiscore", "score", path.startsWith("-") ? `./${path}` : path, "-b", benchmark.identifier];
  const layer = String(pair.layer ?? "");
  const kind = pair.kind;
  if (kind.selection === "committed" && layer) flags.push("--layer", `${benchmark.region}=${layer}`);
  if (competed(kind)) {
    if (kind.selection === "alternating_halves") flags.push("--choice", "halves");
    if (kind.from !== "blocks") flags.push("--from", "all");
    const most = kind.most ?? kind.candidates;
    if (most !== 12) flags.push("--candidates", String(most));
  }
  if (benchmark.metric !== "rdm" && ["r_over_c", "r_over_c_squared"].includes(kind.convention)) flags.push("--ceiling-convention", kind.convention);
  if (measured(kind.n_boot) && kind.n_boot !== 1000) flags.push("--bootstrap", String(kind.n_boot));
  const over = String(kind.method ?? "").replace(/^.*bootstrap over /, "");
  if (over.endsWith(" and presentation")) flags.push("--over", "neuroid,presentation");
  else if (over === "presentation" && benchmark.kind === "neural" && !["rdm", "cka"].includes(benchmark.metric)) flags.push("--over", "presentation");
  const precision = setting.precision?.activations;
  if (precision && precision !== "float32") flags.push("--precision", precision);
  const device = String(setting.device?.name ?? "cpu");
  if (device !== "cpu") flags.push("--device", "cuda");
  return flags.map((word) => visible(shellWord(String(word)))).join(" ");
}

/** With how often it won, where layers competed in every split. */
function layerOf(pair) {
  if (pair.layer === null || pair.layer === undefined) return "";
  const layer = Array.isArray(pair.layer) ? pair.layer.join(" + ") : String(pair.layer);
  return pair.share ? `${layer} (${pair.share})` : layer;
}

function statusCell(site, place, pair, row) {
  const status = site.statusOf(place, row);
  return status === "ok" ? "ok" : element("strong", {class: "status"}, status);
}

/** Benchmarks of a network: a row each, also of those that it has no score on. */
function scoresOf(site, place, of) {
  const pairs = new Map(of.pairs.map((pair) => [pair.benchmark, pair]));
  const get = (name) => (row) => pairs.get(row)?.[name] ?? null;
  return table({
    id: "scores", title: "Scores", rows: site.benchmarks.map((_, row) => row),
    columns: [
      {key: "benchmark", label: "benchmark", header: true, value: (row) => site.benchmarks[row].identifier,
       shown: (name) => element("a", {href: `#/${benchmarkRoute(name)}`}, breakable(name))},
      words("region", "region", (row) => site.benchmarks[row].region ?? ""),
      words("status", "status", (row) => site.statusOf(place, row), (_, row) => statusCell(site, place, pairs.get(row), row)),
      number("raw", "raw", get("raw")),
      number("raw_lo", "raw, 95 % from", get("raw_lo")), number("raw_hi", "to", get("raw_hi")),
      ...([...pairs.values()].some((pair) => measured(pair.null_high)) ? [number("null_high", "null, 95 % below", get("null_high"))] : []),
      number("ceiling", "ceiling", get("ceiling")), number("ceiled", "ceiled", get("ceiled")),
      number("ci_lo", "ceiled, 95 % from", get("lo")), number("ci_hi", "to", get("hi")),
      words("layer", "layer", (row) => layerOf(pairs.get(row) ?? {}), (text) => breakable(text)),
      words("warnings", "warnings, message", (row) => [...(pairs.get(row)?.warnings ?? []), ...(pairs.get(row)?.notes ?? []), pairs.get(row)?.message ?? ""]
        .filter(Boolean).join(" | ")),
    ],
  });
}

/** What a row of a pair's profiles is of. */
const profileName = (pair, place) => pair.profiles.length === 1 ? "where layers were chosen" : `half ${place + 1}`;

/** What layers reached where they were chosen, in order of depth. */
function depthChart(site, name, pair, lists) {
  const candidates = lists[pair.candidates];
  const halves = pair.profiles.length > 1;
  const benchmark = site.benchmarks[pair.benchmark].identifier;
  const best = pair.profiles.map((row) => row.indexOf(Math.max(...row.filter(measured))));
  return chart({
    id: `depth-${pair.benchmark}`, title: `Along depth: ${benchmark}`,
    alternative: `Raw score of ${plural(candidates.length, "layer")} in order of depth${halves ? " on each half of the stimuli" : ""}: ` +
                 pair.profiles.map((row, place) =>
                   `${profileName(pair, place)} best at ${candidates[best[place]] ?? "none"}, ${fixed(row[best[place]])}`).join("; ") + ".",
    caption: (halves
      ? "Each half of the stimuli chose its layer (the larger mark), which was then scored on the other half."
      : `The mean over the times that layers competed, each without a look at what was then scored; ${pair.layer} won ${pair.share}.`) +
      " Values have four decimals here.",
    height: () => 230,
    option: (width, look) => ({
      grid: {left: 52, right: 16, top: 36, bottom: 64},
      legend: {top: 0, textStyle: {color: look.ink}},
      xAxis: {...axisLook(look), type: "category", data: candidates.map((layer) => shortened(layer, width < NARROW ? 60 : 110, 11)),
              axisLabel: {color: look.muted, fontSize: 11, rotate: 28, hideOverlap: true}},
      yAxis: {...axisLook(look), type: "value", scale: true, splitNumber: 4},
      series: pair.profiles.map((row, place) => ({
        type: "line", name: profileName(pair, place), symbol: SYMBOLS[place], lineStyle: {type: DASHES[place], width: 2}, color: look.line(place),
        data: row.map((value, at) => ({value, symbolSize: at === best[place] ? 13 : 6})),
        tooltip: {formatter: ({dataIndex}) => lines(plain(candidates[dataIndex]), `${profileName(pair, place)}: ${fixed(row[dataIndex])}`)},
      })),
    }),
  });
}

function depthSection(site, name, of) {
  const with_profile = of.pairs.filter((pair) => pair.profiles && pair.candidates !== null);
  if (!with_profile.length) return of.kinds.some(competed)
    ? [element("h2", {}, "Profile along depth"),
        element("p", {class: "muted"}, "With so many scores, what each candidate layer reached is in the records alone.")] : [];
  const holder = element("div");
  const show = (index) => {
    const pair = with_profile[index];
    charts = charts.filter((made) => !made.id.startsWith("depth-"));
    const candidates = of.lists[pair.candidates];
    holder.replaceChildren(depthChart(site, name, pair, of.lists), element("details", {}, element("summary", {}, "The same as a table"), table({
      id: "depth", title: `Layers on ${site.benchmarks[pair.benchmark].identifier}`, rows: candidates.map((_, at) => at),
      columns: [{key: "layer", label: "layer", header: true, value: (at) => candidates[at], shown: breakable},
                ...pair.profiles.map((row, place) => number(`profile_${place + 1}`, profileName(pair, place), (at) => row[at], (value) => fixed(value, 4)))],
    })));
    drawAll();
  };
  const choice = chooser("Benchmark", with_profile.map((pair, index) => [String(index), visible(site.benchmarks[pair.benchmark].identifier)]), "0",
                         (value) => show(Number(value)));
  const nodes = [element("h2", {}, "Profile along depth"), choice, holder];
  show(0);
  return nodes;
}

/** Values of a setting as flat lines: {preprocessing.size: 224}. */
function flat(value, name = "") {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.length ? [[name, value.map(String).join(", ")]] : [];
  if (typeof value === "object") return Object.entries(value).flatMap(([key, one]) => flat(one, name ? `${name}.${key}` : key));
  return [[name, String(value)]];
}

function settingSection(site, name, of) {
  const parts = of.settings.map((setting, place) => {
    const pairs = of.pairs.filter((pair) => pair.setting === place);
    const names = pairs.map((pair) => site.benchmarks[pair.benchmark].identifier);
    const commands = pairs.filter((pair) => pair.status === "ok").map((pair) => commandOf(site, name, pair, setting));
    const imported = pairs.map((pair) => pair.imported).find(Boolean);
    return [
      of.settings.length > 1 ? element("h3", {}, `On ${names.slice(0, 4).join(", ")}${names.length > 4 ? ` and ${names.length - 4} more` : ""}`) : [],
      card([...flat(setting), ...(imported ? flat(imported, "imported") : [])].map(([key, text]) => [key.replaceAll("_", " "), element("code", {}, text)])),
      commands.length ? [element("p", {}, "Scored again by"),
          element("pre", {class: "command", tabindex: "0", "aria-label": "Commands"},
          commands.map((command) => [element("code", {}, command), element("br")]))] : [],
    ];
  });
  return [element("h2", {}, "How it was scored"), parts];
}

function networkCard(site, name, of) {
  const place = site.placeOf.get(name);
  if (of === null) return missingPage("network", name);
  const {composite} = site;
  const attribute = (key) => site.attribute(key)?.value(place) ?? null;
  const of_nodes = site.nodeColumns.filter((column) => column.value(place) !== null);
  const failed = of.pairs.filter((pair) => pair.status === "failed");
  const without_number = of.pairs.filter((pair) => site.statusOf(place, pair.benchmark) === "undefined").length;
  const scored = of.pairs.length - failed.length - without_number;
  const others = site.attributes.filter((column) => !["parameters", "depth", "tags"].includes(column.key) && column.value(place) !== null);
  return {
    title: name, eyebrow: site.imported[place] ? "Network, with imported scores" : "Network",
    nodes: [
      figures([
        ["rank", rankText(site, place) ? `${rankText(site, place)} of ${whole(site.count)}` : "none",
            rankRange(site, place) ? `95 % of draws: ${rankRange(site, place)}` : ""],
        [`composite, ${site.tree.name}`, fixed(composite.value(place)) || "none", interval(composite.lo(place), composite.hi(place))],
        ["benchmarks", `${scored} of ${site.benchmarks.length}`,
         (failed.length ? `${failed.length} failed` : "none failed") + (without_number ? `, ${without_number} undefined` : "")],
        ["parameters", millions(attribute("parameters")), measured(attribute("depth")) ? `depth ${whole(attribute("depth"))}` : ""],
        ...of_nodes.map((column) => [column.label, fixed(column.value(place)), interval(column.lo(place), column.hi(place))]),
      ]),
      element("h2", {}, "On every benchmark"), scoresOf(site, place, of),
      failed.length ? paragraphs("What failed",
          failed.map((pair) => `${site.benchmarks[pair.benchmark].identifier}: ${pair.message ?? "without a message"}`)) : [],
      depthSection(site, name, of),
      others.length || Object.keys(of.tags).length ? [element("h2", {}, "Attributes and tags"), card([
        ...others.map((column) => [column.label, column.kind === "text" ? column.value(place) : short(column.value(place))]),
        ...Object.entries(of.tags).filter(([key]) => !["run", "step", "epoch"].includes(key)).map(([key, text]) => [`tag ${key}`, String(text)]),
      ])] : [],
      of.settings.length ? settingSection(site, name, of) : [],
      of.pairs.length ? element("details", {}, element("summary", {}, "Keys of the records"), table({
        id: "keys", title: "Keys", rows: of.pairs, columns: [
          {key: "benchmark", label: "benchmark", header: true, value: (pair) => site.benchmarks[pair.benchmark].identifier, shown: breakable},
          words("key", "key", (pair) => pair.key ?? "", (text) => element("code", {}, text)),
          words("end", "ended", (pair) => pair.end ?? ""), number("seconds", "seconds", (pair) => pair.seconds, (value) => short(value)),
          words("convention", "ceiled is", (pair) => pair.kind.convention ?? "", (text) => WHAT_CONVENTION_MEANS[text] ?? text),
          words("interval", "interval", (pair) => pair.kind.method ?? ""),
          number("seed", "seed", (pair) => pair.kind.seed, (value) => whole(value)),
              number("n_boot", "draws", (pair) => pair.kind.n_boot, (value) => whole(value))],
      })) : [],
    ],
  };
}

// ---------------------------------------------------------------------------------------------------------------------------------------

function thumbnailSection(of) {
  if (!of) return [];
  const nodes = of.pictures ? element("ul", {class: "pictures"}, of.pictures.map(([id, uri]) => {
    const image = element("img", {alt: visible(`stimulus ${id}`), loading: "lazy"});
    if (/^data:image\/jpeg;base64,[A-Za-z0-9+/=]+$/.test(uri)) image.src = uri;
    return element("li", {}, image);
  })) : element("p", {class: "muted"}, `No stimuli are shown. ${of.why}`);
  return [element("h2", {}, "Stimuli"), nodes];
}

/** Networks on one thing, as rows of numbers. */
function ofNetworks(site, {id, title, column, places, status = null}) {
  return tableOrGrid({
    id, title, rows: places, columns: [
      {key: "network", label: "network", header: true, width: 260, frozen: !narrowPage(), value: (place) => site.names[place],
       shown: (name) => element("a", {href: `#/${networkRoute(name)}`}, breakable(name))},
      number("score", "score", (place) => column.value(place)), number("ci_lo", "95 % from", (place) => column.lo(place)),
      number("ci_hi", "to", (place) => column.hi(place)),
      ...(status ? [{...words("status", "status", status), width: 130}] : []),
    ],
  });
}

function benchmarkCard(site, identifier, thumbnails) {
  const row = site.benchmarkPlace.get(identifier);
  if (row === undefined) return missingPage("benchmark", identifier);
  const of = site.benchmarks[row];
  const column = site.leafColumns[row];
  const everyone = site.names.map((_, place) => place);
  const scored = everyone.filter((place) => measured(column.value(place))).sort((a, b) => column.value(b) - column.value(a));
  const rest = everyone.filter((place) => !measured(column.value(place)));
  const count = (status) => everyone.filter((place) => site.statusOf(place, row) === status).length;
  const counted = ["failed", "undefined", "missing", "other edition", "imported", "within null"].map((status) => [status, count(status)]).filter(([, many]) => many);
  return {
    title: identifier, eyebrow: "Benchmark",
    nodes: [
      figures([
        ["region", of.region, of.parent && of.parent !== of.region ? `under ${of.parent}` : ""],
            ["metric", of.metric, of.comparison ? `RDMs by ${of.comparison}` : ""],
        ["networks with a score", whole(scored.length), counted.map(([status, many]) => `${many} ${status}`).join(", ")],
        ["best", scored.length ? fixed(column.value(scored[0])) : "none", scored.length ? site.names[scored[0]] : ""],
        ["median", scored.length ? fixed(median(scored.map((place) => column.value(place)))) : "none"],
      ]),
      of.note ? element("p", {}, of.note) : [],
      card([["species", of.species ?? ""], ["modality", of.modality ?? ""], ["access", of.access ?? ""], ["ceiling", of.ceiling ?? ""],
            ["layer", of.layer_selection ?? ""], ["splits", of.splits ?? ""], ["degrees", of.visual_degrees === undefined ? "" : String(of.visual_degrees)],
            ["version", of.version === undefined || of.version === null ? "" : String(of.version)],
            ["size", flat(of.n ?? of.published ?? {}).filter(([, text]) => /^\d+$/.test(text)).map(([key,
                text]) => `${text} ${key.replaceAll("_", " ")}`).join(", ")], ["citation", of.citation ?? ""],
            ["licence", of.licence ?? ""], ["the platform's score", of.inexact ? `not exactly: ${of.inexact}` : ""],
            ["get the data", of.import ? element("code", {}, of.import) : ""],
                ["", of.unknown ? "Its manifest is not on the machine that made this page." : ""]]),
      element("h2", {}, "Networks"),
      scored.length ? [stripChart(site, {id: "strip", title: "Scores with intervals", column, places: scored})] : element("p", {}, "No network has a score."),
      ofNetworks(site, {id: "networks", title: "Networks", column, places: [...scored, ...rest], status: (place) => site.statusOf(place, row)}),
      thumbnailSection(thumbnails),
    ],
  };
}
