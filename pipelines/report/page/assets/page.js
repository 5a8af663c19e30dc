// The page, put together from what it was written with.
const UNPACKING = "The rest of the page could not be unpacked here; a newer browser can";
const page = { opening: JSON.parse(byId("opening").textContent), rest: null, prices: null, change: 0 };

function subjects(table) {
  return table.name.map((name, place) => ({
    place,
    ...Object.fromEntries(Object.entries(table).map(([key, values]) => [key, values[place]])),
  }));
}

function unpacked(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}

function start() {
  const { opening } = page;
  if (opening.total) page.prices = new Prices(opening.slider);
  summary(page);
  const body = byId("body");
  if (page.prices) {
    const table = featureTable();
    body.append(
      section(
        "prices",
        "When prices move",
        "Move the prices of everything, of one provider or of one model: the figures of every " +
          "feature follow, to the last digit.",
        priceSlider(),
      ),
      section("features", "Features", null, make("p", { class: "lede", id: "features-at" }), table.element),
    );
    moved(true);
    byId("spend-note").textContent = page.prices.grid
      ? "The price file has volume tiers or a commitment, whose amounts change with the spend. " +
        "Margins are exact at every fifth percent; \u2248 marks those between, on the line from one " +
        "to the next. What moving the prices of one provider or model makes of them is not told " +
        "here: ask tokenspread reprice."
      : "";
  }
  document.documentElement.dataset.ready = "prices";
}

async function finish() {
  page.rest = await (await unpacked("rest")).json();
  const body = byId("body");
  if (page.prices) {
    byId("prices").append(sqlOf(["Price slider"], page.rest));
    byId("features").append(sqlOf(["Features"], page.rest));
    body.append(
      section("users", "Users", "At today's prices.", userTable().element, sqlOf(["Users"], page.rest)),
      time(),
      bridge(),
      sensitivity(),
      concentration(),
    );
  }
  body.append(basis());
  const parts = [...document.querySelectorAll("section[id]")].slice(1);
  byId("parts").replaceChildren(
    ...parts.map((part) => make("a", { href: `#${part.id}` }, part.querySelector("h2").textContent)),
  );
  byId("colophon").textContent =
    `Written by tokenspread ${page.opening.about.code_version ?? ""} from ledger version ` +
    `${page.opening.about.ledger_version ?? UNKNOWN} and price book ` +
    `${(page.opening.about.price_book_hash ?? UNKNOWN).slice(0, 12)}. Nothing is loaded from ` +
    "elsewhere, and nothing leaves this file.";
  document.documentElement.dataset.ready = "all";
  // The page's policy lets no other script in than those whose hash it names, this one among them.
  document.head.append(make("script", {}, await (await unpacked("library")).text()));
  (window.requestIdleCallback ?? setTimeout)(() =>
    drawAll().then(() => {
      document.documentElement.dataset.ready = "drawn";
    }),
  );
}

window.addEventListener("beforeprint", drawAll);
let resized;
window.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(redraw, 150);
});
start();
window.tokenspread = { page, money, attoOf, share, percent, percentOf }; // for who wants to ask in the console
window.addEventListener("load", () =>
  finish().catch((error) => {
    byId("body").append(make("p", { class: "note" }, `${UNPACKING} (${error.message}).`));
  }),
);
