// biome-ignore-all lint/style/useNodejsImportProtocol: runs on any Node from 12 on
// biome-ignore-all lint/complexity/useOptionalChain: runs on any Node from 12 on
/** What the start-up script says, and commands that it runs while showing that something moves. */
import { spawn } from "child_process";

const TAIL_BYTES = 16384;
const TTY_TICK_MS = 500;
const PLAIN_TICK_MS = 10000;

/** A problem that the user can do something about: printed as one line, without a stack. */
export class Problem extends Error {}

export function say(line) {
  process.stdout.write(`${line}\n`);
}

/**
 * Runs a command with its output kept back, and shows `label` with the seconds and `detail()`.
 * @returns {Promise<{ok: boolean, words: string}>} `words` is the end of what the command said
 */
export function runShown(label, command, args, options) {
  const { env, cwd, detail = () => "" } = options;
  const startMs = Date.now();
  const tty = process.stdout.isTTY === true;
  const line = () => {
    const seconds = Math.round((Date.now() - startMs) / 1000);
    const more = detail();
    return `… ${label} ${seconds} s${more ? `, ${more}` : ""}`;
  };
  const show = () => (tty ? process.stdout.write(`\r\x1b[K${line()}`) : say(line()));
  show();
  const timer = setInterval(show, tty ? TTY_TICK_MS : PLAIN_TICK_MS);
  return new Promise((resolve) => {
    let said = "";
    const child = spawn(command, args, {
      env: env || process.env,
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const handOn = (signal) => child.kill(signal);
    process.once("SIGINT", handOn).once("SIGTERM", handOn);
    const keep = (chunk) => {
      said = (said + chunk).slice(-TAIL_BYTES);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const done = (ok, words) => {
      clearInterval(timer);
      process.removeListener("SIGINT", handOn).removeListener("SIGTERM", handOn);
      const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
      if (tty) process.stdout.write("\r\x1b[K");
      if (ok) say(`✓ ${label} ${seconds} s`);
      resolve({ ok, words });
    };
    child.on("error", (error) => done(false, error.message));
    child.on("close", (code) => done(code === 0, said.trim()));
  });
}
