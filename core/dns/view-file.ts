/**
 * The last view in a file, for a responder that starts while the core is away. Written whole or not at all,
 * and parsed when read: a file of another version, or a damaged one, counts as none.
 */
import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { DnsView } from "./view.ts";

const KeptView = z.object({
  /** When the core said so, ms since 1970. */
  heardMs: z.number(),
  view: DnsView,
});
export type KeptView = z.infer<typeof KeptView>;

/** @returns undefined when there is no such file; why, when it can't be used */
export function readViewFile(path: string): KeptView | { readonly problem: string } | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    return { problem: String(error) };
  }
  try {
    return KeptView.parse(JSON.parse(text));
  } catch {
    return { problem: "it is damaged, or of another version" };
  }
}

export async function writeViewFile(path: string, kept: KeptView): Promise<void> {
  const next = `${path}.next`;
  await writeFile(next, JSON.stringify(kept), { mode: 0o600 });
  await rename(next, path);
}
