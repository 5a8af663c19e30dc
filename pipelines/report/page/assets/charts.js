// Charts by Vega-Lite, drawn when they come near the window, when nothing else is to do, or before the page is printed.
const waiting = new Map();
const drawn = new Map();
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  },
  { rootMargin: "400px" },
);

// A figure with a title, its chart and a table of its numbers. `values`: a list for each dataset of the spec.
function chart({ title, about, spec, values, legend, table }) {
  // What draws in it would name it anew: the name is around it.
  const place = make("div", { class: "drawing", "aria-hidden": "true" });
  const named = make("div", { class: "chart", role: "img", "aria-label": `${title}. ${about}` }, place);
  const caption = make("figcaption", {}, make("b", {}, title), make("span", { class: "about" }, about));
  waiting.set(place, { spec, values });
  near.observe(place);
  return make("figure", {}, caption, legend ?? null, named, folded("The numbers", table, { class: "numbers" }));
}

async function draw(place) {
  const told = waiting.get(place);
  if (!told || !place.clientWidth || typeof vegaEmbed === "undefined") return; // not unpacked yet: all are drawn after
  waiting.delete(place);
  drawn.set(place, told);
  near.unobserve(place);
  const spec = { ...structuredClone(told.spec), datasets: told.values, width: place.clientWidth };
  spec.config.axis.labelLimit = Math.max(150, place.clientWidth * 0.3);
  // Expressions are interpreted, not compiled: the page's policy forbids to make code from text.
  await vegaEmbed(place, spec, { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip });
}

const drawAll = () => Promise.all([...waiting.keys()].map(draw));

// After the window has become wider or narrower.
function redraw() {
  for (const [place, told] of drawn) {
    const svg = place.querySelector("svg");
    if (!place.isConnected) drawn.delete(place);
    else if (svg && place.clientWidth && Math.abs(svg.width.baseVal.value - place.clientWidth) > 8) {
      waiting.set(place, told);
      draw(place);
    }
  }
}

function legend(names, signs = []) {
  const items = names.map((name, place) =>
    make("li", {}, make("span", { class: `swatch c${place + 1}`, "aria-hidden": "true" }), name),
  );
  const marks = signs.map(([sign, name]) => make("li", {}, make("b", { class: "sign" }, sign), name));
  return make("ul", { class: "legend" }, items, marks);
}

function tooltip(_, event, item, value) {
  const tip = byId("tip");
  if (!value || typeof value !== "object") {
    tip.hidden = true;
    return;
  }
  const lines = Object.entries(value).map(([name, text]) => make("div", {}, make("span", {}, name), String(text)));
  tip.replaceChildren(...lines);
  tip.hidden = false;
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  const top =
    event.clientY + tip.offsetHeight + 24 > window.innerHeight
      ? event.clientY - tip.offsetHeight - 10
      : event.clientY + 14;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${top}px`;
}
