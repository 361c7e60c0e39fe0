// The page itself: what the address asks for is shown; newer data are taken over where a server has them.

const VIEWS = [["", "Leaderboard"], ["benchmarks", "Benchmarks"], ["regions", "Regions"], ["compare", "Compare"], ["curves", "Training curves"]];
const POLL_MS = 3000;

let site = new Site(JSON.parse(document.getElementById("data").textContent));
let shown = null;  // the view, as it was made
let turns = 0;  // views that were asked for: one that others overtook is not shown
let complete = document.readyState !== "loading";  // the charts' library and the details are there

/** [view, name, query] of the address. */
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  let name = "";
  try {
    name = decodeName(rest.join("/"));
  } catch {  // not an address of ours
    return ["none", "", new URLSearchParams()];
  }
  const asked = new URLSearchParams();
  for (const part of query.split("&").filter(Boolean)) {
    const [key, value = ""] = part.split("=");
    try {
      asked.set(key, decodeName(value));
    } catch {
      continue;
    }
  }
  return [view, name, asked];
}

/** What a card needs of the details, which are read as they are asked for; null where there is nothing to wait for. */
function detailsOf([view, name]) {
  if (view === "network" && site.placeOf.has(name)) return site.network(site.placeOf.get(name));
  return view === "benchmark" ? site.thumbnails(name) : null;
}

function viewOf([view, name, query], details) {
  if (view === "network") return networkCard(site, name, details);
  if (view === "benchmark") return benchmarkCard(site, name, details);
  if (view === "benchmarks") return benchmarkList(site);
  if (view === "compare") return compare(site, query);
  if (view === "curves") return curves(site, query);
  if (view === "regions") return regions(site);
  return view === "" ? leaderboard(site) : missingPage("page", location.hash.slice(0, 80));
}

/** Shows what the address asks for. Whoever followed a link finds the focus on the new heading. */
async function show(moved) {
  const asked = route();
  if (!complete && asked[0] !== "") return;
  const turn = ++turns;
  document.getElementById("page").setAttribute("aria-busy", "true");
  const waiting = detailsOf(asked);
  const details = waiting && await waiting;  // without a wait, a leaderboard is there before the rest of the page is read
  if (turn !== turns) return;
  forgetCharts();
  forgetGrids();
  shown = {...viewOf(asked, details), asked};
  const heading = element("h1", {tabindex: "-1", id: "heading"}, shown.title);
  document.getElementById("page").replaceChildren(...[shown.eyebrow ? element("p", {class: "eyebrow"}, shown.eyebrow) : [], heading,
      shown.nodes].flat(Infinity));
  document.title = visible(asked[0] === "" ? `${site.title}: leaderboard` : `${shown.title}, ${site.title}`);
  for (const one of document.querySelectorAll("nav a")) {
    if (one.getAttribute("href") === `#/${asked[0]}`) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  startGrids();
  shown.late?.();
  drawAll();
  document.getElementById("page").removeAttribute("aria-busy");
  if (moved) {
    scrollTo(0, 0);
    heading.focus({preventScroll: true});
  }
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Light and dark

const SCHEMES = {auto: "as the system", light: "light", dark: "dark"};

function remembered() {
  try {
    const kept = localStorage.getItem("cortiscore-scheme");
    return Object.hasOwn(SCHEMES, kept) ? kept : "auto";
  } catch {  // a browser that keeps nothing for files
    return "auto";
  }
}

function setScheme(scheme) {
  document.documentElement.classList.remove("scheme-light", "scheme-dark");
  if (scheme !== "auto") document.documentElement.classList.add(`scheme-${scheme}`);
  try {
    localStorage.setItem("cortiscore-scheme", scheme);
  } catch {
    return;
  }
}

function head() {
  const select = chooser("colours", Object.entries(SCHEMES), remembered(), (scheme) => {
    setScheme(scheme);
    drawAll();
  });
  const tabs = VIEWS.filter(([view]) => view !== "curves" || site.attribute("step"));
  document.getElementById("top").replaceChildren(element("div", {class: "bar-top"},
    element("nav", {"aria-label": "Views"}, element("ul", {}, tabs.map(([view, name]) => element("li", {}, link(view, name))))), select));
  document.getElementById("foot").replaceChildren(element("p", {}, `${site.title}, made ${site.made} by Cortiscore from ${plural(site.count, "network")} on ` +
    `${plural(site.benchmarks.length, "benchmark")}. Tables by Tabulator, charts by Apache ECharts. `,
    site.served ? "It asks its own server for newer scores, and nobody else." : "The file holds all that it shows and asks nothing of a network."));
}

// ---------------------------------------------------------------------------------------------------------------------------------------
// Newer data

/** Takes over what a server has now: the leaderboard keeps what it was asked for, how it is sorted and where it stands; other views are drawn anew in place. */
async function renew() {
  const [summary, ...lines] = (await (await fetch("/data")).text()).split("\n");
  const newer = new Site(JSON.parse(summary));
  newer.details = lines;
  const before = site;
  site = newer;
  head();
  if (shown.asked[0] === "" && shown.take) shown.take(newer);
  else {
    const [top, focused] = [scrollY, document.activeElement?.id];
    await show(false);
    scrollTo(0, top);
    if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  }
  for (const one of document.querySelectorAll("nav a")) if (one.getAttribute("href") === `#/${shown.asked[0]}`) one.setAttribute("aria-current", "page");
  const more = newer.count - before.count;
  say(`New scores: ${plural(newer.count, "network")}${more ? `, ${plural(Math.abs(more), "network")} ${more > 0 ? "more" : "less"}` : ""}`);
}

async function follow() {
  try {
    const [version, trouble = ""] = (await (await fetch("/version")).text()).split("\n");
    if (version && version !== site.version) await renew();
    document.getElementById("foot").classList.toggle("stale", Boolean(trouble));
    document.getElementById("foot").title = visible(trouble);
  } catch {  // the server has ended: the page stays as it is
    document.getElementById("foot").classList.add("stale");
  }
  setTimeout(follow, POLL_MS);
}

// ---------------------------------------------------------------------------------------------------------------------------------------

setScheme(remembered());
head();
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("heading")?.focus();
});
document.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => show(true));
matchMedia("(max-width: 40rem)").addEventListener("change", () => !printing() && show(false));
show(false);
const finish = () => {
  const waited = !complete && route()[0] !== "";
  complete = true;
  if (waited) show(false);
  else drawAll();
  redrawWhenNeeded((on) => grids.forEach((one) => one.print(on)));
  if (site.served && location.protocol.startsWith("http")) setTimeout(follow, POLL_MS);
};
if (complete) finish();
else addEventListener("DOMContentLoaded", finish);
