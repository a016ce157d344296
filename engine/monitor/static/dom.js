// Elements and text. Whatever comes from outside becomes text, never markup.

export const $ = (id) => document.getElementById(id);

/** A new element; `properties` are attributes, `on` holds listeners, children are nodes or text. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((one) => one !== null && one !== undefined));
  return node;
}

/** Writes only what differs: nothing is laid out again for a value that stayed. */
export function say(node, value) {
  const words = value === null || value === undefined ? "" : String(value);
  if (node.textContent !== words) node.textContent = words;
}

export function mark(node, name, value) {
  const word = value === null || value === undefined ? "" : String(value);
  if (node.getAttribute(name) !== word) node.setAttribute(name, word);
}

export function hide(node, isHidden) {
  if (node.hidden !== isHidden) node.hidden = isHidden;
}

/** Keeps the children of `parent` in the order of `items`, one node a key, made once and filled each time. */
export function keep(parent, items, { key, build, fill }) {
  const held = (parent.kept ??= new Map());
  const wanted = new Set();
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    if (wanted.has(name)) continue;
    wanted.add(name);
    let node = held.get(name);
    if (!node) held.set(name, (node = build(item)));
    fill(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const [name, node] of held) {
    if (wanted.has(name)) continue;
    held.delete(name);
    node.remove();
  }
}
