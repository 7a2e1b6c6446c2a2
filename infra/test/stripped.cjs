/**
 * Loaded into every Node process of a run: types are stripped from each source once a run, not once a process.
 * Node's compile cache does not hold stripped sources, and to make them was a third of the start of a core
 * or a region: 1.4 s of processor time with it, 0.9 s without.
 *
 * Sources are known by what is in them, so one that changes meanwhile is stripped anew. Whatever can't be
 * kept here, or is no TypeScript, is left to Node. Processes of other users, who can't write to the folder,
 * strip for themselves, and so does an older Node, such as one that only runs npm.
 */
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const module_ = require("node:module");
const { join } = require("node:path");
const { fileURLToPath } = require("node:url");

const dir = process.env.MERIDIAN_TEST_STRIPPED;

if (dir && module_.registerHooks) {
  module_.registerHooks({
    load(url, context, next) {
      if (context.format !== "module-typescript") return next(url, context);
      const source = stripped(readFileSync(fileURLToPath(url), "utf8"));
      if (source === undefined) return next(url, context);
      return { format: "module", source, shortCircuit: true };
    },
  });
}

/** @returns undefined when Node should do it, and say what is wrong */
function stripped(text) {
  const path = join(dir, createHash("sha256").update(text).digest("hex"));
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The first process that needs it, or one that may not look.
  }
  try {
    const source = quietly(() => module_.stripTypeScriptTypes(text));
    mkdirSync(dir, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, source);
    renameSync(`${path}.${process.pid}`, path);
    return source;
  } catch {
    return undefined;
  }
}

/** Node warns of the function, not of what it does itself: tests look at what their processes say. */
function quietly(act) {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return act();
  } finally {
    process.emitWarning = emitWarning;
  }
}
