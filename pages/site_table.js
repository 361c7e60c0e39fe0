// Tables of any size, by Tabulator: only the rows and columns in sight are elements. Cells, and names of columns, are given to it as nodes.

const ROW_HEIGHT = 34;
const MOST_NARROWED = 24;  // pixels that names can spare
let grids = [];

const narrowPage = () => matchMedia("(max-width: 40rem)").matches;

/** A value that is missing comes last in either direction. column() is asked every time: newer data bring others of the same keys. */
function sorterOf(column) {
  return (_a, _b, rowA, rowB, _column, direction) => {
    const [a, b] = [rowA, rowB].map((row) => column().value(row.getData().row));
    const [noA, noB] = [a, b].map((value) => value === null || value === undefined || value === "");
    if (noA || noB) return noA && noB ? 0 : (noA ? 1 : -1) * (direction === "asc" ? 1 : -1);
    return typeof a === "number" && typeof b === "number" ? a - b : byText(String(a).toLowerCase(), String(b).toLowerCase());
  };
}

const widthOf = (column) => column.width ?? 104;

/** What the column at a place is to Tabulator: it never sees a value, only the row. */
function gridColumn(state, place) {
  const now = () => state.columns[place];
  const first = now();
  return {
    field: `c${place}`, width: widthOf(first), frozen: Boolean(first.frozen), resizable: false, cssClass: kindOf(first),
    headerSortStartingDir: first.text || first.header || first.ascending ? "asc" : "desc", sorter: sorterOf(now),
    titleFormatter: () => element("button", {type: "button", class: "sort"}, breakable(now().label)),
    formatter: (cell) => {
      const row = cell.getRow().getData().row;
      const value = now().value(row);
      const shown = now().shown ? now().shown(value, row) : value;
      return shown instanceof Node ? shown : document.createTextNode(visible(typeof shown === "number" ? fixed(shown) : shown ?? ""));
    },
  };
}

/**
 * What make() gives. Tabulator builds itself a moment after it is made, which behind the rest of a large page would be a second: what it puts off is
 * done at once, after prepare(made).
 */
function builtAtOnce(make, prepare) {
  const [later, put_off] = [window.setTimeout, []];
  window.setTimeout = (act) => put_off.push(act);
  let made;
  try {
    made = make();
  } finally {
    window.setTimeout = later;
  }
  prepare(made);
  for (const act of put_off) act();
  return made;
}

/**
 * A table of which one sees a part, with buttons that save all that it shows, in its order. Columns are as table() takes them, with a width in pixels;
 * `frozen` ones stay in sight. @return {node, show(rows), change(columns), rows()}
 */
function grid({id, title, columns, rows, aside = [], saved = (shown) => shown}) {
  const holder = element("div", {class: "grid"});
  const paper = element("div", {class: "paper"});
  const state = {columns, rows, built: false, pending: []};
  const height = () => {
    const room = Math.max(320, innerHeight - 230);
    return Math.min(room, 96 + ROW_HEIGHT * Math.max(state.rows.length, 3));
  };
  const inOrder = () => state.built ? state.made.getRows("active").map((row) => row.getData().row) : state.rows;
  const node = element("div", {class: "table", id: `of-${id}`},
    element("div", {class: "tools"}, element("div", {}, element("span", {class: "title", id: `table-${id}`}, title), " ", aside),
        saveButtons(id, title, () => saved(state.columns), inOrder)),
    holder, paper);
  const asData = () => state.rows.map((row) => ({row}));
  const whenBuilt = (act) => state.built ? act() : state.pending.push(act);
  const start = () => {
    state.made = builtAtOnce(() => new Tabulator(holder, {
      data: asData(), columns: columns.map((_, place) => gridColumn(state, place)), height: height(), rowHeight: ROW_HEIGHT, layout: "fitData",
          renderHorizontal: "virtual",
      renderVerticalBuffer: 5 * ROW_HEIGHT, nestedFieldSeparator: false, headerSortClickElement: "header", placeholder: "No network fits what is asked for.",
      columnDefaults: {headerHozAlign: "left"},
    }), (made) => made.on("tableBuilt", () => {
      Object.assign(state, {built: true, made});
      holder.querySelector(".tabulator-tableholder")?.setAttribute("aria-labelledby", `table-${id}`);
      state.pending.splice(0).forEach((act) => act());
      watch.observe(holder);
    }));
    holder.setAttribute("aria-labelledby", `table-${id}`);
  };
  const keepingPlace = (act) => {
    const seen = holder.querySelector(".tabulator-tableholder");
    const [top, left] = [seen?.scrollTop ?? 0, seen?.scrollLeft ?? 0];
    return Promise.resolve(act()).then(() => {
      const now = holder.querySelector(".tabulator-tableholder");
      if (now) Object.assign(now, {scrollTop: top, scrollLeft: left});
    });
  };
  /** The column of names gives or takes what puts the edge of what is in sight between two columns: it would cut the numbers of one. */
  const fit = () => {
    const named = state.columns.findIndex((column) => column.header);
    const widths = state.columns.map(widthOf);
    const room = holder.querySelector(".tabulator-tableholder").clientWidth;
    let end = 0;
    const cut = widths.findIndex((width) => (end += width) > room);
    const over = end - room;
    const more = narrowPage() || cut <= named ? 0 : over <= MOST_NARROWED ? -over : widths[cut] - over;
    state.made.getColumn(`c${named}`).setWidth(widths[named] + more);
  };
  const watch = new ResizeObserver(fit);
  const self = {
    node, start, rows: inOrder,
    /** Other rows of the same columns; how they are sorted stays. */
    show: (others) => {
      state.rows = others;
      whenBuilt(() => keepingPlace(() => state.made.replaceData(asData())));
    },
    /** Other columns; what was sorted by stays, where that column does. Those of the same keys are not built anew. */
    change: (others) => {
      whenBuilt(() => {
        const before = state.columns;
        const sorted = state.made.getSorters().map(({field, dir}) => [before[Number(field.slice(1))].key, dir]);
        state.columns = others;
        if (before.length === others.length && before.every(({key}, place) => key === others[place].key)) return;
        state.made.setColumns(others.map((_, place) => gridColumn(state, place)));
        const kept = sorted.map(([key, dir]) => ({column: `c${others.findIndex((column) => column.key === key)}`, dir})).filter(({column}) => column !== "c-1");
        if (kept.length) state.made.setSort(kept);
        fit();
      });
    },
    /** On paper, and for it alone, a table that is whole, as far as its columns fit. */
    print: (on) => {
      const fit = state.columns.slice(0, 10);
      paper.replaceChildren(...on ? [table({id: `${id}-paper`, title: state.columns.length > fit.length ?
        `The first ${fit.length} of ${state.columns.length} columns` : "", columns: fit, rows: inOrder()})] : []);
    },
    destroy: () => whenBuilt(() => {
      watch.disconnect();
      state.made.destroy();
    }),
  };
  grids.push(self);
  return self;
}

function startGrids() {
  for (const one of grids) if (!one.started) { one.started = true; one.start(); }
}

function forgetGrids() {
  for (const one of grids) one.destroy();
  grids = [];
}

/** A short table whole, a long one as a grid. */
function tableOrGrid(options) {
  return options.rows.length > 60 ? grid(options).node : table(options);
}
