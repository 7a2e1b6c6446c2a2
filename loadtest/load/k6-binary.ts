/**
 * Finds k6, or installs it with Go: there is no package of it on npm, and the systems' package managers have none or
 * an old one. A load test needs nothing else that Meridian does not bring.
 *
 * `npm run k6` does it beforehand, and prints where it is: a compilation of some minutes.
 */
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { findProgram, programAt, type Wanted } from "../../infra/process/find-program.ts";
import { installWithGo, OWN_FOLDER } from "../../infra/process/go-install.ts";

/** What the scripts are tried with. */
const MODULE = "go.k6.io/k6@v1.8.1";
/** The first one that runs TypeScript and has websockets on its event loop for good. */
const OLDEST = { major: 1, minor: 0 };
const HINT = `run "go install ${MODULE}" (https://go.dev/dl), or see https://grafana.com/docs/k6/latest/set-up/install-k6, or set K6 to its path`;

export interface K6Env {
  readonly [name: string]: string | undefined;
  readonly PATH?: string | undefined;
  /** The program to use, whatever else there is. */
  readonly K6?: string | undefined;
  readonly GOBIN?: string | undefined;
  readonly GOPATH?: string | undefined;
}

export interface FindK6Options {
  readonly env?: K6Env;
  /** Told one line before something that takes minutes. */
  readonly say?: (line: string) => void;
  /** Calls an installation off. */
  readonly signal?: AbortSignal;
}

/**
 * The path of k6, in this order: what `K6` names, `PATH`, Go's folders, the project's own; else it is installed into
 * the project's with Go, which takes some minutes.
 * @throws one clear line that says how to install it
 */
export async function findK6(options: FindK6Options = {}): Promise<string> {
  const { env = process.env, say = () => {}, signal } = options;
  const wanted = wantedOf(env);
  // One that is too old is not replaced: whose it is would be told of that.
  if (k6Path(env) !== undefined) return findProgram(wanted);
  await installWithGo({ name: "k6", module: MODULE, env, hint: HINT, say, signal });
  return findProgram({ ...wanted, path: OWN_FOLDER });
}

/** Where k6 is by now, nothing being installed; undefined where it is not. */
export function k6Path(env: K6Env = process.env): string | undefined {
  return programAt(wantedOf(env));
}

function wantedOf(env: K6Env): Wanted {
  const goPaths = (env.GOPATH || join(homedir(), "go")).split(delimiter);
  return {
    name: "k6",
    program: "k6",
    given: env.K6,
    path: env.PATH,
    folders: [
      ...(env.GOBIN ? [env.GOBIN] : []),
      ...goPaths.map((folder) => join(folder, "bin")),
      OWN_FOLDER,
    ],
    version: /k6\S* v(\d+)\.(\d+)/,
    oldest: OLDEST,
    install: HINT,
  };
}

if (import.meta.main) {
  try {
    console.log(await findK6({ say: (line) => console.error(line) }));
  } catch (error) {
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
