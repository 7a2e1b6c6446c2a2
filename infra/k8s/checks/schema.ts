/**
 * Holds objects against the schemas that Kubernetes and the Prometheus operator publish, as the packages of
 * kubernetes-models compile them; and finds fields that those schemas do not have. A cluster drops such a field
 * silently, or refuses it, depending on how it is asked; either way it is a word that somebody misspelt.
 *
 * The schemas allow any other field, so unknown ones are found by watching: what a validator never reads is no field
 * of its schema.
 */
import { type Manifest, nameOf } from "./manifest.ts";

/** The package has versions too that clusters serve no more; those were never stable. */
const STABLE = /^([a-z0-9.-]+\/)?v\d+$/;

interface Model {
  readonly prototype: { validate(): void };
}

const PACKAGES: Readonly<Record<string, string>> = {
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

/** What is wrong with an object, one line each. */
export async function schemaProblems(manifest: Manifest): Promise<readonly string[]> {
  const name = nameOf(manifest);
  const model = STABLE.test(manifest.apiVersion) ? await modelOf(manifest) : undefined;
  if (!model) return [`${name}: there is no stable ${manifest.kind} in ${manifest.apiVersion}`];
  const read = new Set<string>();
  const wrong: string[] = [];
  try {
    model.prototype.validate.call(watched(manifest, "", read));
  } catch (error) {
    wrong.push(`${name}: ${error instanceof Error ? error.message : error}`);
  }
  const unknown = pathsIn(manifest, "").filter((path) => !read.has(path));
  return [...wrong, ...topmost(unknown).map((path) => `${name}: there is no field ${path}`)];
}

async function modelOf({ apiVersion, kind }: Manifest): Promise<Model | undefined> {
  const group = apiVersion.split("/")[0] ?? "";
  const path = `${PACKAGES[group] ?? "kubernetes-models"}/${apiVersion}/${kind}`;
  try {
    const module: Record<string, Model> = await import(path);
    return module[kind];
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

function watched<T extends object>(value: T, path: string, read: Set<string>): T {
  return new Proxy(value, {
    get(target, key) {
      const child: unknown = Reflect.get(target, key);
      if (typeof key === "symbol") return child;
      const childPath = `${path}/${key}`;
      read.add(childPath);
      return isObject(child) ? watched(child, childPath, read) : child;
    },
  });
}

function pathsIn(value: unknown, path: string): string[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, child]) => [
    `${path}/${key}`,
    ...pathsIn(child, `${path}/${key}`),
  ]);
}

/** Without those inside of another one of them. */
function topmost(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
