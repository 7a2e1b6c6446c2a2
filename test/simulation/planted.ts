/** A mistake that one could make, in an otherwise faultless world. */
import { type Parts, PRODUCTION, type Rules } from "./parts.ts";

export interface PlantedBug {
  readonly name: string;
  readonly parts: Parts;
  /** It takes several faults in a certain order: thousands of seeds. */
  readonly rare: boolean;
}

export function planted(name: string, parts: Partial<Parts>, rare = false): PlantedBug {
  return { name, parts: { ...PRODUCTION, ...parts }, rare };
}

export function rule(name: string, rules: Partial<Rules>, rare = false): PlantedBug {
  return planted(name, { rules: { ...PRODUCTION.rules, ...rules } }, rare);
}
