// biome-ignore-all lint/style/useNodejsImportProtocol: runs on any Node from 12 on
/**
 * Runs a program of Meridian in this script's place: same terminal, same exit code, and each signal
 * handed on once.
 *
 * A Ctrl-C reaches this process twice, from the terminal and from npm, and would reach a child in the
 * same group a third time, while a second one means "at once". So the child gets a group of its own, and
 * repeats within `SAME_SIGNAL_MS` count as one. The child also holds a channel to this process, and
 * ends when it closes.
 *
 * A signal to npm alone ends npm and its shell without a word to this process: that they are gone
 * counts as SIGTERM.
 */
import { spawn } from "child_process";

const SAME_SIGNAL_MS = 300;
const PARENT_CHECK_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/** @returns {Promise<void>} never, when the program ended by a signal */
export function runProgram(node, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, {
      env,
      detached: true,
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    let lastMs = 0;
    const handOn = (signal) => {
      const nowMs = Date.now();
      if (nowMs - lastMs < SAME_SIGNAL_MS) return;
      lastMs = nowMs;
      child.kill(signal);
    };
    SIGNALS.forEach((signal) => {
      process.on(signal, handOn);
    });
    const watch = watchParent(() => child.kill("SIGTERM"));
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearInterval(watch);
      SIGNALS.forEach((one) => {
        process.removeListener(one, handOn);
      });
      if (signal) process.kill(process.pid, signal);
      else {
        process.exitCode = code;
        resolve();
      }
    });
  });
}

/** Calls back once when npm, which started this process, is gone; never when it was started otherwise. */
function watchParent(gone) {
  const parent = process.ppid;
  if (!process.env.npm_lifecycle_event) return undefined;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    gone();
  }, PARENT_CHECK_MS);
  return watch;
}
