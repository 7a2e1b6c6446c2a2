/** For tests: runs the operators' command as one would type it. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { OPERATOR_TOKEN, type TestCore } from "../test-core.ts";

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function opsCommand(
  core: Pick<TestCore, "privateUrl">,
): (args: readonly string[], env?: Record<string, string>) => Promise<CommandResult> {
  return (args, env = {}) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "cli.ts"), ...args], {
      env: {
        ...process.env,
        MERIDIAN_OPS_URL: core.privateUrl,
        MERIDIAN_OPERATOR_TOKEN: OPERATOR_TOKEN,
        ...env,
      },
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (bytes) => {
      out += String(bytes);
    });
    child.stderr.on("data", (bytes) => {
      err += String(bytes);
    });
    return new Promise((resolve) => {
      child.on("close", (code) => resolve({ code, out, err }));
    });
  };
}
