/**
 * The last view in a file, for a responder that starts while the core is away. Written whole or not at all,
 * and parsed when read: a file of another version, or a damaged one, counts as none.
 */
import { readFileSync, statSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { DnsView } from "./view.ts";

/** Above what 256 regions with all their addresses take. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

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
    const found = statSync(path);
    // A pipe would hold up the start for ever.
    if (!found.isFile()) return { problem: "it is no file" };
    if (found.size > FILE_BYTES_MAX) return { problem: `more than ${FILE_BYTES_MAX} bytes` };
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
  // On the disk before it takes the name: else a loss of power may leave an empty file.
  await writeFile(next, JSON.stringify(kept), { mode: 0o600, flush: true });
  await rename(next, path);
}
