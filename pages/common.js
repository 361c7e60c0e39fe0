// What the pages share: text, elements, files and the look of charts. Text of the data reaches a page as text nodes and attributes alone: nothing here
// writes markup, and the pages' policies would refuse inline styles and scripts.

/** Control, direction and invisible characters as escapes: a name shows what is in it, and cannot move what stands beside it. */
function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, (character) => {
    const code = character.codePointAt(0);
    const hex = code.toString(16);
    if (code < 0x100) return "\\x" + hex.padStart(2, "0");
    return code < 0x10000 ? "\\u" + hex.padStart(4, "0") : `\\u{${hex}}`;
  });
}

const measured = (value) => typeof value === "number" && Number.isFinite(value);

/** Children that are not nodes become text, made visible. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  for (const child of children.flat(Infinity)) if (child !== null) made.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  return made;
}

/** Lines break behind what separates the parts of a layer's name or a path. */
const breakable = (text) => visible(text).split(/(?<=[._/-])/).flatMap((part, index) => [index ? element("wbr") : [], part]);

function save(blob, name) {
  const made = element("a", {href: URL.createObjectURL(blob), download: name});
  made.click();
  setTimeout(() => URL.revokeObjectURL(made.href), 60000);
}

/** A spreadsheet takes what begins so as a formula; an apostrophe keeps it text. Numbers are left alone. */
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  if (typeof value === "boolean") return String(value);
  const text = (/^(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])/.test(value) ? "'" : "") + visible(value);
  return /[",;\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csvOf = (columns, rows) => [columns.map((column) => csvCell(column.key)), ...rows.map((row) => columns.map((column) => csvCell(column.value(row))))]
  .map((cells) => cells.join(",") + "\r\n").join("");

// ---------------------------------------------------------------------------------------------------------------------------------------
// Charts, on canvases: Apache ECharts' own SVG would need inline styles.

const NARROW = 600;  // pixels of a chart below which its labels are short
const PRINT_WIDTH = 680;  // pixels of a chart on paper: what the margins of A4 leave, and less than those of Letter do
let fontOfNow = "sans-serif";
const printing = () => document.documentElement.classList.contains("printing");

/** What every chart shares. Tooltips are drawn on the canvas: those of markup would need inline styles. */
function common(look, option) {
  const text = {color: look.ink, fontFamily: look.font};
  return {
    animation: false,
    hoverLayerThreshold: Infinity,  // on paper, a canvas of its own for what is pointed at hides the other
    backgroundColor: look.paper,
    textStyle: text,
    tooltip: {renderMode: "richText", confine: true, backgroundColor: look.raised, borderColor: look.muted, borderWidth: 1, padding: 8,
              textStyle: {...text, fontSize: 12}},
    ...option,
  };
}

/**
 * Text of the data in a chart: without what would be taken as the name of a style, and not without end. The library keeps the widths of texts under
 * these in a plain object: a text that every object has as a name ("__proto__") would change all objects, and gets a space.
 */
function plain(text) {
  const shown = visible(text).slice(0, 120).replace(/\{/g, "\uff5b").replace(/\}/g, "\uff5d");
  return shown in Object.prototype ? `${shown}\u00a0` : shown;
}
const lines = (...parts) => parts.filter((part) => part !== null && part !== "").join("\n");
const textWidth = (text, size) => echarts.format.getTextRect(text, `${size}px ${fontOfNow}`).width;

/** A name that is too long loses its middle: what tells names apart is at their ends. */
function shortened(name, width, size) {
  const letters = [...plain(name)];
  if (textWidth(letters.join(""), size) <= width) return letters.join("");
  let kept = Math.min(letters.length - 1, Math.floor(width / size * 2.2));
  const cut = () => `${letters.slice(0, Math.ceil(kept / 2)).join("")}\u2026${letters.slice(-Math.floor(kept / 2)).join("")}`;
  while (kept > 4 && textWidth(cut(), size) > width) --kept;
  return cut();
}
