/** The command line has a wrong form; shown in one line, with a hint at `--help`. */
export class UsageError extends Error {}

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
}

/** @throws UsageError when the text is no number within the range */
export function numberOf(name: string, text: string, { min, max, whole = false }: Range): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "whole number" : "number";
  throw new UsageError(`${name} ${text} is not a ${kind} from ${min} to ${max}`);
}
