/** Small hands for the page's elements: write only what changed. */

/** @throws when the page has no such element: a mistake in `index.html` */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

export interface Cell {
  readonly text: string;
  readonly className?: string;
  /** Degrees on the colour wheel. */
  readonly hue?: number;
  /** Makes it a meter that shows this much of `most`. */
  readonly meter?: number;
  readonly most?: number;
}

export interface Row {
  readonly parts: readonly Cell[];
  readonly current?: boolean;
  /** `data-…` attributes; false for none. */
  readonly data?: Readonly<Record<string, string | boolean>>;
}

/** Makes a list show these rows; rows and cells that are there already are used again. */
export function fill(list: HTMLElement, rows: readonly Row[]): void {
  while (list.children.length > rows.length) list.lastElementChild?.remove();
  for (const [index, row] of rows.entries()) {
    const item = list.children[index] ?? list.appendChild(document.createElement("li"));
    if (item instanceof HTMLElement) showRow(item, row);
  }
}

function showRow(item: HTMLElement, { parts, current = false, data = {} }: Row): void {
  if (current) item.setAttribute("aria-current", "true");
  else item.removeAttribute("aria-current");
  for (const [name, value] of Object.entries(data)) {
    if (value === false) delete item.dataset[name];
    else item.dataset[name] = value === true ? "" : value;
  }
  for (const [index, cell] of parts.entries()) showCell(item, index, cell);
}

function showCell(item: HTMLElement, index: number, cell: Cell): void {
  const tag = cell.meter === undefined ? "span" : "meter";
  const target = item.children[index] ?? item.appendChild(document.createElement(tag));
  if (!(target instanceof HTMLElement)) return;
  if (cell.className !== undefined) target.className = cell.className;
  if (cell.hue !== undefined) target.style.setProperty("--hue", `${cell.hue}`);
  if (target instanceof HTMLMeterElement) showMeter(target, cell);
  else setText(target, cell.text);
}

function showMeter(meter: HTMLMeterElement, { meter: value = 0, most = 1 }: Cell): void {
  meter.max = most;
  meter.low = most * 0.35;
  meter.high = most * 0.75;
  meter.optimum = 0;
  meter.value = Math.min(most, value);
}
