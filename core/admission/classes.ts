/**
 * Classes of those who wait, and how they share freed seats: by weight, by stride scheduling (Waldspurger,
 * Weihl, 1995). Each class has a pass that grows by `seats / weight` when it gets some; the one with the
 * lowest pass is next. A class that had nobody waiting begins at the present pass: it saves up nothing,
 * and no class starves.
 */
import type { AdmissionClass } from "../../shared/protocol/queue.ts";

export interface ClassSpec {
  readonly name: AdmissionClass;
  readonly weight: number;
  /** Whether it may take the seats that are kept free for those whose region was lost. */
  readonly usesHeadroom: boolean;
}

/** Classes that the core gives by what it knows; every other one is given to players by operators. */
export const RECONNECT = "reconnect";
export const FAILOVER = "failover";
export const NORMAL = "normal";
export const BUILT_IN: readonly AdmissionClass[] = [RECONNECT, FAILOVER, NORMAL];
const USE_HEADROOM: readonly AdmissionClass[] = [RECONNECT, FAILOVER];

export const CLASSES_DEFAULT = "reconnect=1000,failover=100,staff=20,supporter=4,normal=1";
const CLASSES_MAX = 16;

/**
 * `name=weight`, comma-separated.
 * @throws {Error} what is wrong with it
 */
export function parseClasses(text: string): ClassSpec[] {
  const specs = text.split(",").map((part) => {
    const [name = "", weightText = ""] = part.trim().split("=");
    const weight = Number(weightText);
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) throw new Error(`"${name}" is no name of a class`);
    if (!(weight > 0 && weight <= 1e6)) throw new Error(`the weight of ${name} must be above 0`);
    return { name, weight, usesHeadroom: USE_HEADROOM.includes(name) };
  });
  const names = new Set(specs.map(({ name }) => name));
  if (names.size < specs.length) throw new Error("a class is named twice");
  if (specs.length > CLASSES_MAX) throw new Error(`${CLASSES_MAX} classes at most`);
  const missing = BUILT_IN.find((name) => !names.has(name));
  if (missing) throw new Error(`the class ${missing} is missing`);
  return specs;
}

/**
 * The class in which they all wait together, that of the one who would come last alone: nobody brings friends past
 * those who wait as they do, nor into seats that are kept for others. Pure.
 * @param names a class that is not known is the last one
 */
export function sharedClass(
  specs: readonly ClassSpec[],
  names: readonly AdmissionClass[],
): AdmissionClass {
  const found = names.map((name) => specs.find((spec) => spec.name === name) ?? specs.at(-1));
  const known = found.flatMap((spec) => spec ?? []);
  const [last] = known.toSorted(
    (a, b) => Number(a.usesHeadroom) - Number(b.usesHeadroom) || a.weight - b.weight,
  );
  return last?.name ?? NORMAL;
}

/** The passes of all classes in front of one region. */
export class Shares {
  readonly #specs: readonly ClassSpec[];
  readonly #pass: number[];
  readonly #waited: boolean[];
  #present = 0;

  constructor(specs: readonly ClassSpec[]) {
    this.#specs = specs;
    this.#pass = specs.map(() => 0);
    this.#waited = specs.map(() => false);
  }

  /** Tells which classes have somebody who may be called. */
  note(waits: readonly boolean[]): void {
    for (const [index, waiting] of waits.entries()) {
      if (waiting && !this.#waited[index]) {
        this.#pass[index] = Math.max(this.#pass[index] ?? 0, this.#present);
      }
      this.#waited[index] = waiting;
    }
  }

  /** Whose turn it is among those; undefined for none. The first named wins a tie. */
  next(among: (index: number) => boolean): number | undefined {
    let best: number | undefined;
    for (const index of this.#pass.keys()) {
      if (!among(index)) continue;
      if (best === undefined || this.#passOf(index) < this.#passOf(best)) best = index;
    }
    return best;
  }

  gave(index: number, seats: number): void {
    this.#present = this.#passOf(index);
    this.#pass[index] = this.#present + seats / (this.#specs[index]?.weight ?? 1);
  }

  #passOf(index: number): number {
    return this.#pass[index] ?? 0;
  }
}

/** Of one that the configuration does not name (any more), that of everybody. */
export function classIndexOf(classes: readonly ClassSpec[], name: string): number {
  const index = classes.findIndex((one) => one.name === name);
  return index < 0 ? classes.findIndex((one) => one.name === NORMAL) : index;
}
