/** All bodies that cross a process's boundary, as a tree's own schemas say, in JSON Schema. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { z } from "zod";
import type { Bodies, JsonSchema } from "./body-changes.ts";

const PROTOCOL = "shared/protocol";
/** What every failure is answered with. */
const ERRORS = "shared/errors.ts";

/** @param dir the top folder of a release, with its dependencies */
export async function recordBodies(dir: string): Promise<Bodies> {
  const files = readdirSync(join(dir, PROTOCOL))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => join(PROTOCOL, name));
  // The tree's own: another release of it may make schemas that ours does not know.
  const path = createRequire(join(dir, "package.json")).resolve("zod");
  const own: { readonly z: typeof z } = await import(pathToFileURL(path).href);
  const bodies: Record<string, JsonSchema> = {};
  for (const file of [...files, ERRORS]) {
    const names: Record<string, unknown> = await import(pathToFileURL(join(dir, file)).href);
    for (const [name, value] of Object.entries(names)) {
      if (isSchema(value)) bodies[name] = jsonSchemaOf(own.z, value);
    }
  }
  return bodies;
}

/** As a writer has to write it: what has a default may be left out. */
function jsonSchemaOf(own: typeof z, schema: z.ZodType): JsonSchema {
  const given = own.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  // Both are plain data; ours names what is compared.
  return given as JsonSchema;
}

function isSchema(value: unknown): value is z.ZodType {
  return typeof value === "object" && value !== null && "_zod" in value;
}
