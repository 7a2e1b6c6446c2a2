/** One figure of what a benchmark returned: where it is, and how it is written. */

export type Figures = Readonly<Record<string, unknown>>;

/** @param path names with dots between them. @returns undefined when there is nothing */
export function figureAt(figures: Figures, path: string): unknown {
  return path.split(".").reduce<unknown>((at, name) => {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    return (at as Record<string, unknown>)[name];
  }, figures);
}

/** How a number may be written, by the name that a placeholder gives. */
const FORMATS = {
  /** A number of decimals. */
  "0": (value: number) => decimals(value, 0),
  "1": (value: number) => decimals(value, 1),
  "2": (value: number) => decimals(value, 2),
  /** A share. */
  "%": (value: number) => `${decimals(value * 100, 0)}%`,
  /** Milliseconds as seconds. */
  s: (value: number) => decimals(value / 1_000, value < 10_000 ? 2 : 1),
  /** Bytes in thousands. */
  KB: (value: number) => number(value / 1_000),
  /** A change with its sign. */
  "+": (value: number) => `${value > 0 ? "+" : ""}${number(value)}`,
} as const;

export type FigureFormat = keyof typeof FORMATS;

export function isFigureFormat(name: string): name is FigureFormat {
  return Object.hasOwn(FORMATS, name);
}

/**
 * Numbers, words, yes and no, lists of words; null is a number that could not be told.
 * @throws when it is none of these, or words are to be written as a number
 */
export function written(value: unknown, format?: FigureFormat): string {
  if (value === null) return "not known";
  if (typeof value === "number") return format ? FORMATS[format](value) : number(value);
  if (format) throw new Error(`"${format}" is for numbers`);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((one) => written(one)).join(", ");
  throw new Error("not one figure");
}

/** As many decimals as such figures are worth: they repeat to some per cent. */
export function number(value: number): string {
  const size = Math.abs(value);
  return decimals(value, Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function decimals(value: number, count: number): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: count,
    maximumFractionDigits: count,
  });
}
