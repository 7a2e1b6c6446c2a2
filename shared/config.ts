/**
 * Configuration: named settings with a type, a default and a sentence, read from the environment
 * once, in `main.ts`. `docs/configuration.md` is made from the same tables.
 *
 * A secret setting `X` may also be given as `X_FILE`, the path of a file that holds it.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";

export interface Setting<T> {
  /** Parses the text of the environment variable. */
  readonly schema: z.ZodType<T, unknown>;
  /** What it sets, with its unit, for the reference. */
  readonly description: string;
  /** Used when the variable is absent or empty; without one the setting is required. */
  readonly default?: string;
  readonly secret?: true;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** A wrong or missing setting: one line a problem, each naming the variable. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`wrong configuration:\n  ${problems.join("\n  ")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** Schemas for the usual kinds of settings. */
export const as = {
  text: z.string().min(1),
  port: z.coerce.number().int().min(0).max(65_535),
  wholeNumber: z.coerce.number().int().nonnegative(),
  number: z.coerce.number(),
  flag: z.enum(["true", "false"]).transform((text) => text === "true"),
  /** Comma-separated; empty entries are dropped. */
  list: z.string().transform((text) =>
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ""),
  ),
} as const;

/**
 * Reads all settings from `env`.
 * @throws {ConfigError} naming every variable that is missing or wrong
 */
export function readConfig<S extends Settings>(
  settings: S,
  env: Readonly<Record<string, string | undefined>>,
): Values<S> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    try {
      const text = readText(name, setting, env);
      if (text === undefined) {
        problems.push(`${name} is not set: ${setting.description}`);
        continue;
      }
      const parsed = setting.schema.safeParse(text);
      if (parsed.success) values[name] = parsed.data;
      else
        problems.push(`${name}: ${parsed.error.issues.map((issue) => issue.message).join("; ")}`);
    } catch (error) {
      problems.push(`${name}_FILE: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values as Values<S>;
}

/** The reference of one process's settings, as a Markdown table. */
export function describeSettings(settings: Settings): string {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const standard = setting.default === undefined ? "required" : `\`${setting.default || " "}\``;
    const secret = setting.secret ? ` Secret: \`${name}_FILE\` may name a file instead.` : "";
    return `| \`${name}\` | ${standard} | ${setting.description}${secret} |`;
  });
  return ["| variable | default | what it sets |", "|---|---|---|", ...rows].join("\n");
}

function readText(
  name: string,
  setting: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const file = setting.secret ? env[`${name}_FILE`] : undefined;
  if (file) return readFileSync(file, "utf8").trim();
  return env[name] || setting.default;
}
