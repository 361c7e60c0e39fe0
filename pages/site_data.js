// The data as the page reads them: columns over networks, and details of a network that are read when its card is opened.

const STATUS = {o: "ok", f: "failed", m: "missing", i: "imported", e: "other edition", u: "undefined", n: "within null"};
const VISUAL_STREAM = ["V1", "V2", "V4", "IT", "behavior"];

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; ++place) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

/** Numbers of base64, float64 or float32, little-endian as every machine with a browser is. */
const unpacked = (text, Kind = Float64Array) => new Kind(bytesOf(text).buffer);

/** Text of base64 of gzip. */
const inflated = (text) => new Response(new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"))).text();

const orNull = (value) => Number.isNaN(value) ? null : value;

/** Seven digits are what a float32 has. */
const orNull32 = (value) => Number.isNaN(value) ? null : Number(value.toPrecision(7));

/** A column of numbers over networks, with intervals where they are known. */
class Column {
  constructor(kind, key, label, of, more = {}) {
    Object.assign(this, {kind, key, label}, more);
    this.of = of;
  }
  value(place) { return this.of.value(place); }
  lo(place) { return this.of.lo ? this.of.lo(place) : null; }
  hi(place) { return this.of.hi ? this.of.hi(place) : null; }
}

/** Everything that the page knows, from its summary; details come later. */
class Site {
  constructor(summary) {
    Object.assign(this, {title: summary.title, made: summary.made, served: summary.served, version: summary.version ?? null, tree: summary.tree});
    this.names = summary.networks;
    this.count = this.names.length;
    this.placeOf = new Map(this.names.map((name, place) => [name, place]));
    this.imported = summary.imported;
    this.rank = summary.rank;
    this.benchmarks = summary.benchmarks;
    this.benchmarkPlace = new Map(this.benchmarks.map((benchmark, place) => [benchmark.identifier, place]));
    this.status = summary.leaf.status;
    this.pairFields = summary.pair_fields;
    this.nodes = summary.nodes;
    const block = (packed, row) => {
      const base = row * this.count;
      // Read when they are first asked for: the first rows on the screen do not wait for every benchmark's.
      const numbers = (name, Kind) => typeof packed[name] === "string" ? packed[name] = unpacked(packed[name], Kind) : packed[name];
      return {value: (place) => orNull(numbers("value", Float64Array)[base + place]), lo: (place) => orNull32(numbers("lo", Float32Array)[base + place]),
              hi: (place) => orNull32(numbers("hi", Float32Array)[base + place])};
    };
    const error = unpacked(summary.composite.error, Float32Array);
    this.error = (place) => orNull32(error[place]);
    this.composite = new Column("composite", "composite", this.tree.name, block(summary.composite, 0));
    this.nodeColumns = this.nodes.map((node, row) => new Column("node", node.name, node.name, block(summary.node, row), {depth: node.depth}));
    this.leafColumns = this.benchmarks.map((benchmark, row) => new Column("benchmark", benchmark.identifier, benchmark.identifier, block(summary.leaf, row),
        {benchmark, row}));
    this.attributes = summary.attributes.map(({name, numeric, values}) =>
      new Column(numeric ? "attribute" : "text", name, name.replaceAll("_", " "), {value: (place) => values[place]}));
    this.details = null;
  }

  statusOf(place, row) { return STATUS[this.status[row][place]]; }

  /** Every column of numbers, by a key that an address can hold. */
  columns() {
    const keyed = (kind, columns) => columns.map((column) => [`${kind}:${column.key}`, column]);
    return new Map([...keyed("composite", [this.composite]), ...keyed("node", this.nodeColumns), ...keyed("benchmark", this.leafColumns),
                    ...keyed("attribute", this.attributes.filter((column) => column.kind === "attribute"))]);
  }

  attribute(name) { return this.attributes.find((column) => column.key === name) ?? null; }

  /** The network's settings, kinds, lists and pairs as objects, from the lines that stand at the end of the page. */
  async network(place) {
    const of = JSON.parse(await inflated(this.lines()[place]));
    of.pairs = of.pairs.map((values) => Object.fromEntries(this.pairFields.map((field, index) => [field, values[index]])));
    for (const pair of of.pairs) pair.kind = of.kinds[pair.kind];
    return of;
  }

  async thumbnails(identifier) {
    const all = this.pictures ??= JSON.parse(await inflated(this.lines()[this.count]));
    const of = Object.hasOwn(all, identifier) ? all[identifier] : null;
    return of?.as ? all[of.as] : of;
  }

  lines() { return this.details ??= document.getElementById("details").textContent.split("\n"); }
}

/** "2", or "=2" where it is shared. */
function rankText(site, place) {
  const rank = site.rank.rank[place];
  if (rank === null) return "";
  const shared = site.rank.rank[place - 1] === rank || site.rank.rank[place + 1] === rank;
  return `${shared ? "=" : ""}${rank}`;
}

const rankRange = (site, place) => {
  const [lo, hi] = [site.rank.rank_lo[place], site.rank.rank_hi[place]];
  return measured(lo) && measured(hi) ? (lo === hi ? `${lo}` : `${lo}\u2013${hi}`) : "";
};
