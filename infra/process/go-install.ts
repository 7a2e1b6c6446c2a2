/** Compiles a program with Go into a folder, for those that neither npm nor the systems' package managers have. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { programAt } from "./find-program.ts";

/** The project's own programs; a folder that is not committed. */
export const OWN_FOLDER = fileURLToPath(new URL("../../.meridian/bin", import.meta.url));
const GO_FOLDERS = ["/usr/local/go/bin"];
const INSTALL_MS_MAX = 20 * 60_000;

export interface GoInstallOptions {
  /** For people. */
  readonly name: string;
  /** With its version: `go.k6.io/k6@v1.8.1`. */
  readonly module: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What one can do instead. */
  readonly hint: string;
  /** Told one line before, because it takes minutes. */
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** @throws one clear line when there is no Go, or it could not */
export async function installWithGo(options: GoInstallOptions): Promise<void> {
  const { name, module, env, hint, say } = options;
  const go = programAt({ program: "go", given: undefined, path: env.PATH, folders: GO_FOLDERS });
  if (go === undefined) throw new Error(`${name} is not installed, nor is Go: ${hint}`);
  say(`${name} is not installed: "go install ${module}" compiles it, which takes some minutes`);
  mkdirSync(OWN_FOLDER, { recursive: true });
  await compile(go, options);
}

async function compile(
  go: string,
  { name, module, env, hint, signal }: GoInstallOptions,
): Promise<void> {
  const deadline = AbortSignal.timeout(INSTALL_MS_MAX);
  const child = spawn(go, ["install", module], {
    env: { ...env, GOBIN: OWN_FOLDER },
    stdio: ["ignore", "ignore", "pipe"],
    signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
  });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = `${words}${text}`.slice(-2_000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return;
  const [last = "?"] = words.trim().split("\n").slice(-1);
  throw new Error(`Go could not install ${name} (${last}): ${hint}`);
}
