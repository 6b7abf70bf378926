/**
 * Tables: a header, and a row for each item, kept as long as its item is there. Columns may be sorted by their buttons.
 *
 * Roles are set though they go without saying: on narrow screens rows are shown as cards, and `display` other than that
 * of a table takes the meaning from its elements.
 */

import { Children, element, mark, write } from "./element.js";

/**
 * @typedef {object} Column
 * @property {string} label heading, and what stands before the value on narrow screens
 * @property {(item: any) => string} text what the cell says; an empty text leaves it out on narrow screens
 * @property {"number" | "text"} [kind] figures stand flush right; texts are broken anywhere, other words nowhere
 * @property {(item: any) => string | null} [sign] a word that the style sheet gives a shape and a colour
 * @property {(item: any) => number | null} [share] 0 to 1: a bar below the value
 * @property {(item: any) => number | string} [order] by what it is sorted; without it the column has no button
 * @property {boolean} [isGreatestFirst] it is sorted downwards first
 */

export class Table {
  #columns;
  #keyOf;
  #rows;
  #headings;
  #items = [];
  #sorted = { column: null, isDescending: false };

  /** Fill a `table` element; `keyOf` tells which row is whose. */
  constructor(table, columns, keyOf) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#headings = columns.map((column) => this.#heading(column));
    const body = element("tbody", { role: "rowgroup" });
    table.append(
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...this.#headings)),
      body,
    );
    this.#rows = new Children(body, () => this.#row(), (row, item) => this.#fill(row, item));
  }

  /** Show these items: in this order, or in the one that was asked for by a button. */
  show(items) {
    this.#items = items;
    this.#rows.show(this.#inOrder(items), this.#keyOf);
  }

  #heading(column) {
    const heading = element("th", { scope: "col", role: "columnheader" });
    if (column.kind) heading.className = column.kind;
    if (!column.order) {
      heading.append(column.label);
      return heading;
    }
    const button = element("button", { type: "button" }, column.label);
    button.addEventListener("click", () => this.#sort(column));
    heading.append(button);
    return heading;
  }

  #sort(column) {
    const { column: before, isDescending } = this.#sorted;
    const first = Boolean(column.isGreatestFirst);
    // Asked for a second time it turns round, for a third time all are as they came.
    if (before !== column) this.#sorted = { column, isDescending: first };
    else if (isDescending === first) this.#sorted = { column, isDescending: !first };
    else this.#sorted = { column: null, isDescending: false };
    this.#columns.forEach((each, index) => {
      const isSorted = each === this.#sorted.column;
      const direction = this.#sorted.isDescending ? "descending" : "ascending";
      mark(this.#headings[index], "aria-sort", isSorted ? direction : null);
    });
    this.show(this.#items);
  }

  #inOrder(items) {
    const { column, isDescending } = this.#sorted;
    if (!column) return items;
    return items.toSorted((one, other) => {
      const [a, b] = [column.order(one), column.order(other)];
      const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
      return isDescending ? -order : order;
    });
  }

  #row() {
    const cells = this.#columns.map((column, index) => {
      const attributes = index === 0 ? { scope: "row", role: "rowheader" } : { role: "cell" };
      const cell = element(index === 0 ? "th" : "td", { ...attributes, "data-label": column.label });
      if (column.kind) cell.className = column.kind;
      return cell;
    });
    return element("tr", { role: "row" }, ...cells);
  }

  #fill(row, item) {
    this.#columns.forEach((column, index) => {
      const cell = row.children[index];
      write(cell, column.text(item));
      if (column.sign) mark(cell, "data-sign", column.sign(item));
      if (column.share) {
        const share = column.share(item);
        mark(cell, "data-share", share === null ? null : "");
        cell.style.setProperty("--share", String(Math.min(1, Math.max(0, share ?? 0))));
      }
    });
  }
}
