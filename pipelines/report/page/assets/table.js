// A table that is sorted by its heads, searched, paged, and whose rows open. Only the rows of a page are in the
// document.
const PAGE_ROWS = 25;
let tableNumber = 0;

class Table {
  // columns: {key, label, help, isFigure, sort(row), show(row)}; rows: anything with a `name`; detail(row): nodes
  constructor({ caption, columns, rows, detail, noun, sortedBy, filter }) {
    Object.assign(this, { caption, columns, rows, detail, noun });
    this.id = `table-${(tableNumber += 1)}`;
    this.sorted = { key: sortedBy, descending: true };
    this.page = 0;
    this.size = PAGE_ROWS;
    this.query = "";
    this.opened = new Set();
    this.head = make(
      "tr",
      {},
      columns.map((column) => this.headOf(column)),
    );
    this.body = make("tbody");
    const table = make(
      "table",
      { class: "rows" },
      make("caption", { class: "unseen" }, caption),
      make("thead", {}, this.head),
      this.body,
    );
    this.status = make("p", { class: "status", role: "status" });
    this.element = make(
      "div",
      { class: "table" },
      this.controls(),
      make("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table),
      this.pager(),
    );
    this.order();
  }

  controls() {
    const search = make("input", {
      type: "search",
      "aria-label": `Search ${this.noun}s by name`,
      placeholder: `Search ${this.noun}s`,
      oninput: () => {
        this.query = search.value.trim().toLowerCase();
        this.page = 0;
        this.order();
      },
    });
    return make("div", { class: "controls" }, search, this.status);
  }

  pager() {
    const turn = (step) => () => {
      this.page += step;
      this.show();
    };
    this.before = make("button", { type: "button", onclick: turn(-1) }, "Previous");
    this.after = make("button", { type: "button", onclick: turn(1) }, "Next");
    const sizes = [PAGE_ROWS, 100, 500].map((size) => make("option", { value: size }, `${size} rows`));
    const size = make(
      "select",
      {
        "aria-label": "Rows on a page",
        onchange: () => {
          this.size = Number(size.value);
          this.page = 0;
          this.show();
        },
      },
      sizes,
    );
    this.pages = make("div", { class: "pager" }, this.before, this.after, size);
    return this.pages;
  }

  headOf(column) {
    const button = make(
      "button",
      { type: "button", title: column.help, onclick: () => this.sortBy(column.key) },
      column.label,
    );
    return make("th", { scope: "col", class: column.isFigure ? "figure" : null, "data-key": column.key }, button);
  }

  sortBy(key) {
    const column = this.columns.find((some) => some.key === key);
    const descending = this.sorted.key === key ? !this.sorted.descending : Boolean(column.isFigure);
    this.sorted = { key, descending };
    this.page = 0;
    this.order();
  }

  // Unknown figures come last, whichever way the others go.
  order() {
    const { key, descending } = this.sorted;
    const column = this.columns.find((some) => some.key === key);
    const found = this.query ? this.rows.filter((row) => row.name.toLowerCase().includes(this.query)) : [...this.rows];
    const values = new Map(found.map((row) => [row, column.sort(row)]));
    const way = descending ? -1 : 1;
    this.found = found.sort((one, other) => {
      const [a, b] = [values.get(one), values.get(other)];
      if (a === b) return 0;
      if (a === null || b === null) return a === null ? 1 : -1;
      return (a < b ? -1 : 1) * way;
    });
    for (const head of this.head.children) {
      const sorted = head.dataset.key === key;
      head.setAttribute("aria-sort", sorted ? (descending ? "descending" : "ascending") : "none");
    }
    this.show();
  }

  show() {
    const last = Math.max(0, Math.ceil(this.found.length / this.size) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const start = this.page * this.size;
    this.shown = this.found.slice(start, start + this.size);
    this.cells = this.shown.map((row) => this.columns.map((column) => this.cellOf(column, row)));
    this.body.replaceChildren(...this.shown.flatMap((row, place) => this.rowsOf(row, this.cells[place])));
    this.before.disabled = this.page === 0;
    this.after.disabled = this.page === last;
    this.pages.hidden = this.rows.length <= PAGE_ROWS;
    const range =
      this.found.length > this.size
        ? `${count(start + 1)} to ${count(Math.min(start + this.size, this.found.length))} of `
        : "";
    this.status.textContent = this.found.length
      ? `${range}${counted(this.found.length, this.noun)}`
      : `No ${this.noun} has such a name.`;
  }

  cellOf(column, row) {
    const isName = column === this.columns[0];
    const cell = make(isName ? "th" : "td", { class: column.isFigure ? "figure" : null, scope: isName ? "row" : null });
    cell.append(isName ? this.opener(row) : column.show(row));
    return cell;
  }

  opener(row) {
    const isOpen = this.opened.has(row);
    return make(
      "button",
      { type: "button", class: "opener", "aria-expanded": String(isOpen), onclick: () => this.toggle(row) },
      row.name,
    );
  }

  toggle(row) {
    if (!this.opened.delete(row)) this.opened.add(row);
    const place = this.shown.indexOf(row);
    const line = this.cells[place][0].parentElement;
    if (this.opened.has(row)) line.after(this.detailOf(row));
    else line.nextElementSibling.remove();
    line.querySelector(".opener").setAttribute("aria-expanded", String(this.opened.has(row)));
  }

  detailOf(row) {
    const inner = make(
      "div",
      { class: "detail", role: "region", "aria-label": `Details of ${row.name}` },
      this.detail(row),
    );
    return make("tr", { class: "opened" }, make("td", { colspan: this.columns.length }, inner));
  }

  rowsOf(row, cells) {
    const line = make("tr", { class: row.isTotal ? "total" : null }, cells);
    return this.opened.has(row) ? [line, this.detailOf(row)] : [line];
  }

  // The figures of the rows that are shown, where they stand.
  refresh() {
    this.shown.forEach((row, place) => {
      this.columns.forEach((column, number) => {
        if (column.isLive) this.cells[place][number].replaceChildren(column.show(row));
      });
    });
  }
}
