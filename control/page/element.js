/**
 * Elements: the only place that changes the document. All data enters it as text, never as markup, and only where it
 * is another than before, so that nothing is laid out anew for a figure that stands.
 */

/** The element of this id. Throws if the document has none: page and script do not belong together. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/** Make an element with attributes and with children that are elements or text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Let an element hold this text and nothing else. */
export function write(target, text) {
  const only = target.firstChild;
  if (only?.nodeType === Node.TEXT_NODE && !only.nextSibling) {
    if (only.data !== text) only.data = text;
  } else if (only || text) {
    target.textContent = text;
  }
}

/** Set an attribute, or take it away where the value is null. */
export function mark(target, name, value) {
  if (value === null) target.removeAttribute(name);
  else if (target.getAttribute(name) !== String(value)) target.setAttribute(name, value);
}

/** Show or hide. */
export function reveal(target, isShown) {
  if (target.hidden === isShown) target.hidden = !isShown;
}

/** The children of one element, one for each item: made once by `make(item)`, kept up by `update(child, item)`. */
export class Children {
  #parent;
  #make;
  #update;
  #byKey = new Map();

  constructor(parent, make, update) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
  }

  /** Show these items in this order. `keyOf` tells which child is whose. */
  show(items, keyOf) {
    const before = this.#byKey;
    this.#byKey = new Map();
    for (const item of items) {
      let key = keyOf(item);
      // Two connections may go by one name.
      while (this.#byKey.has(key)) key += "'";
      const child = before.get(key) ?? this.#make(item);
      before.delete(key);
      this.#byKey.set(key, child);
      this.#update(child, item);
    }
    for (const gone of before.values()) gone.remove();
    this.#arrange();
  }

  #arrange() {
    let next = this.#parent.firstChild;
    for (const child of this.#byKey.values()) {
      // A child that is moved without need would lose its focus.
      if (child === next) next = next.nextSibling;
      else this.#parent.insertBefore(child, next);
    }
  }
}

/** Name and value pairs in a `dl`. */
export class Pairs {
  #children;

  constructor(list) {
    const make = () => element("div", {}, element("dt"), element("dd"));
    const update = (row, [name, value]) => {
      write(row.firstChild, name);
      write(row.lastChild, value);
    };
    this.#children = new Children(list, make, update);
  }

  show(pairs) {
    this.#children.show(pairs, ([name]) => name);
  }
}

/** Sentences in a `ul`. */
export class Sentences {
  #children;

  constructor(list) {
    this.#children = new Children(list, () => element("li"), write);
  }

  show(sentences) {
    this.#children.show([...new Set(sentences)], (sentence) => sentence);
  }
}
