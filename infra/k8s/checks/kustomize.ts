/**
 * Renders a kustomization with the real program: kustomize, or kubectl, which has it inside. Where there is neither,
 * kustomize is compiled with Go, as k6 is: 30 s of a processor, once. A renderer of our own would need none of that and
 * would prove nothing about what a cluster gets.
 *
 * `node infra/k8s/checks/kustomize.ts` installs it beforehand, and prints where it is.
 */
import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { programAt } from "../../process/find-program.ts";
import { installWithGo, OWN_FOLDER } from "../../process/go-install.ts";
import type { Manifest } from "./manifest.ts";

const MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2";
const HINT = `run "go install ${MODULE}" (https://go.dev/dl), or install kubectl`;
const RENDER_MS_MAX = 30_000;
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
const run = promisify(execFile);

/** A program and the arguments after which the folder comes. */
export interface Kustomize {
  readonly program: string;
  readonly args: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** @throws one clear line that says how to install it */
export async function findKustomize(
  env: Env = process.env,
  say: (line: string) => void = () => {},
): Promise<Kustomize> {
  const found = kustomizeAt(env);
  if (found) return found;
  await installWithGo({ name: "kustomize", module: MODULE, env, hint: HINT, say });
  return { program: join(OWN_FOLDER, "kustomize"), args: ["build"] };
}

function kustomizeAt(env: Env): Kustomize | undefined {
  const goPaths = (env.GOPATH || join(homedir(), "go")).split(delimiter);
  const folders = [...goPaths.map((folder) => join(folder, "bin")), OWN_FOLDER];
  const place = { given: undefined, path: env.PATH, folders };
  const kustomize = programAt({ ...place, program: "kustomize" });
  if (kustomize !== undefined) return { program: kustomize, args: ["build"] };
  const kubectl = programAt({ ...place, program: "kubectl" });
  return kubectl === undefined ? undefined : { program: kubectl, args: ["kustomize"] };
}

/** @throws what kustomize says is wrong */
export async function render(
  { program, args }: Kustomize,
  folder: string,
): Promise<readonly Manifest[]> {
  const { stdout } = await run(program, [...args, folder], {
    timeout: RENDER_MS_MAX,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return parseManifests(stdout);
}

/** @throws when it is no YAML, or a key is there twice */
export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true }).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

if (import.meta.main) {
  try {
    const { program } = await findKustomize(process.env, (line) => console.error(line));
    console.log(program);
  } catch (error) {
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
