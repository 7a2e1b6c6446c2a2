/** What `k6 run -e KEY=VALUE` set, over the presets of `scenarios.ts`. Read when the script loads. */
import { scenarioNamed } from "../scenarios.ts";

export class Parameters {
  readonly scenario: string;
  readonly #values: ReadonlyMap<string, string>;

  constructor(scenario: string) {
    this.scenario = scenario;
    const { parameters } = scenarioNamed(scenario) ?? { parameters: [] };
    this.#values = new Map(parameters.map(({ env, preset }) => [env, __ENV[env] || preset]));
  }

  text(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`${this.scenario} has no parameter ${name}`);
    return value;
  }

  /** Not below 0. */
  number(name: string): number {
    const text = this.text(name);
    const value = Number(text);
    if (text.trim() !== "" && value >= 0 && Number.isFinite(value)) return value;
    throw new Error(`${name}=${text} is no number of 0 or more`);
  }

  /** At least 1. */
  count(name: string): number {
    return Math.max(1, Math.round(this.number(name)));
  }
}
