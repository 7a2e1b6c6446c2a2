/**
 * Loaded into each test file's process. One that lives on after its last test, because of a socket or a timer,
 * is ended, and what kept it alive is told. That does not fail the file. A process of its own that still runs does.
 */
import { after } from "node:test";

/** A world has stopped, and connections that a pool keeps for a while are gone by then. */
const LINGER_MS = 45_000;

after(() => {
  setTimeout(() => {
    const kept = process.getActiveResourcesInfo();
    const seconds = LINGER_MS / 1_000;
    console.error(`⚠ lived on for ${seconds} s after its last test, kept by: ${kept.join(", ")}`);
    process.exit(kept.includes("ProcessWrap") ? 1 : 0);
  }, LINGER_MS).unref();
});

/*
 * Node 22 tears down at a natural end, and about one time in fifty turns for ever there, in
 * `Environment::CleanupHandles`, for a TCP handle that is shut both ways and that nothing closes any more. After
 * the test runner's own listener, which `after` has registered by now, all is said.
 */
process.on("exit", () => process.exit());
