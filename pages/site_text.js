// Numbers, elements and tables.

const signed = (text) => text.replace("-", "\u2212");
const fixed = (value, decimals = 3) => measured(value) ? signed(value.toFixed(decimals)) : "";
const whole = (value) => measured(value) ? signed(Math.round(value).toString()).replace(/\B(?=(\d{3})+$)/g, "\u202f") : "";

/** At most so many digits, without an exponent where it can be. */
function short(value, precision = 4) {
  if (!measured(value)) return "";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return whole(value);
  const text = value.toPrecision(precision);
  return signed(text.includes("e") ? text : String(Number(text)));
}

/** 11.7 M, as sizes of networks are said. */
function millions(value) {
  if (!measured(value)) return "";
  const [size, letter] = value >= 1e9 ? [1e9, "G"] : value >= 1e6 ? [1e6, "M"] : value >= 1e3 ? [1e3, "k"] : [1, ""];
  return `${Number((value / size).toPrecision(3))}${letter && "\u00a0" + letter}`;
}

const interval = (lo, hi, decimals = 3) => measured(lo) && measured(hi) ? `${fixed(lo, decimals)} to ${fixed(hi, decimals)}` : "";
const plural = (count, one, many = one + "s") => `${whole(count)} ${count === 1 ? one : many}`;
const byText = (a, b) => a < b ? -1 : a > b ? 1 : 0;

function median(values) {
  const sorted = Float64Array.from(values.filter(measured)).sort();
  return sorted.length ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : null;
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Elements

function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  for (const child of children.flat(Infinity)) made.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  return made;
}

function button(text, act, name = null) {
  const made = element("button", {type: "button", "aria-label": name && visible(name)}, text);
  made.addEventListener("click", act);
  return made;
}

/** A choice among [value, text] or, with names, groups of them. */
function chooser(label, options, value, act) {
  const option = ([key, text]) => element("option", {value: key}, text);
  const made = element("select", {}, options.map(([key, text]) => Array.isArray(text) ? element("optgroup", {label: visible(key)}, text.map(option))
                                                                                       : option([key, text])));
  made.value = value;
  made.addEventListener("change", () => act(made.value));
  return element("label", {class: "field"}, element("span", {}, label), made);
}

const card = (pairs) => element("dl", {class: "card"}, pairs.filter(([, ...texts]) => texts.flat(Infinity).some((text) => text !== null && text !== ""))
  .map(([term, ...texts]) => [element("dt", {}, term), element("dd", {}, texts)]));

const link = (route, text) => element("a", {href: `#/${route}`}, text);
const networkRoute = (name) => `network/${encodeName(name)}`;
const benchmarkRoute = (name) => `benchmark/${encodeName(name)}`;

/** A name in an address: also one with half a character, which encodeURIComponent refuses. */
const encodeName = (name) => encodeURIComponent(name.replace(/[~\ud800-\udfff]/gu, (half) => `~${half.charCodeAt(0).toString(16).padStart(4, "0")}`));
const decodeName = (text) => decodeURIComponent(text).replace(/~([0-9a-f]{4})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));

/** Says to who hears the page what changed on it. */
const say = (text) => { document.getElementById("said").textContent = visible(text); };

// ---------------------------------------------------------------------------------------------------------------------------------------
// Files

/** An object a row, with null for what is no number. Keys that repeat would be lost: they are told apart. */
function jsonOf(columns, rows) {
  const plain = (value) => value === undefined || typeof value === "number" && !Number.isFinite(value) ? null : value;
  return JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((column) => [column.key, plain(column.value(row))]))), null, 1) + "\n";
}

/** Buttons that save a table. columns() and rows() are asked when they are pressed. */
function saveButtons(id, title, columns, rows) {
  const file = (kind, type, text) => button(kind,
      () => save(new Blob([text(columns(), rows())], {type: `${type};charset=utf-8`}), `cortiscore-${id}.${kind.toLowerCase()}`),
                                            `Save ${kind}: ${title}`);
  return [file("CSV", "text/csv", csvOf), file("JSON", "application/json", jsonOf)];
}

const kindOf = (column) => column.header || column.text ? "text" : "number";

/**
 * A table, whole, with buttons that save it. A column has a key (of the files), a label, value(row) and perhaps shown(value, row), which gives text or
 * nodes; `header` names the row, `text` is set left.
 */
function table({id, title, columns, rows}) {
  const cell = (column, row) => {
    const value = column.value(row);
    const shown = column.shown ? column.shown(value, row) : value === null || value === undefined ? "" : typeof value === "number" ? fixed(value) : value;
    return element(column.header ? "th" : "td", {class: kindOf(column), scope: column.header ? "row" : null}, shown);
  };
  const made = element("table", {"aria-labelledby": `table-${id}`},
    element("thead", {}, element("tr", {}, columns.map((column) => element("th", {scope: "col", class: kindOf(column)}, column.label)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, columns.map((column) => cell(column, row))))));
  const tools = element("div", {class: "tools"}, element("span", {class: "title", id: `table-${id}`}, title),
                        saveButtons(id, title, () => columns, () => rows));
  return element("div", {class: "table", id: `of-${id}`}, tools,
                 element("div", {class: "scroll", role: "group", tabindex: "0", "aria-labelledby": `table-${id}`}, made));
}

const number = (key, label, value, shown = (one) => fixed(one)) => ({key, label, value, shown});
const words = (key, label, value, shown = null) => ({key, label, value, text: true, shown: shown ?? ((one) => one ?? "")});
