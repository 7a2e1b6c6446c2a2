import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { freePort } from "../process/port.ts";
import { StartError, startNodeProcess } from "./node-process.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-node-process-"));
after(() => rmSync(dir, { recursive: true }));
const LOG = import.meta.resolve("../../shared/log.ts");

/** @returns how a process that runs this code fails to start */
async function failure(code: string): Promise<StartError> {
  const own = mkdtempSync(join(dir, "process-"));
  const file = join(own, "main.ts");
  writeFileSync(file, code);
  const start = startNodeProcess({
    file,
    env: {},
    logFile: join(own, "main.log"),
    readyUrl: `http://127.0.0.1:${await freePort()}/readyz`,
    signal: new AbortController().signal,
    onSpawned: () => {},
  });
  const error = await start.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StartError);
  return error;
}

test("a process that logs why it can't start is quoted, with the cause", async () => {
  const { message } = await failure(`
    import { createLog } from "${LOG}";
    const log = createLog("core", "info", { node: "n1" });
    log.fatal({ err: new Error("EADDRINUSE 8080") }, "could not start");
    log.info("stopping");
    process.exitCode = 3;
  `);
  assert.match(message, /^exit 3: could not start: EADDRINUSE 8080 \(.*main\.log\)$/);
});

test("what Node prints by itself is quoted too", async () => {
  const { words } = await failure('console.log("core: can\'t start: LOG_LEVEL is loud")');
  assert.equal(words, "LOG_LEVEL is loud");
});

test("of a process that says nothing, that is said", async () => {
  const { message } = await failure("process.exitCode = 1");
  assert.match(message, /^exit 1: it logged nothing /);
});
