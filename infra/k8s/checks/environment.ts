/** The environment of a container as the cluster would make it, and what is behind the files that it names. */
import type { IContainer } from "kubernetes-models/v1/Container";
import type { IEnvVar } from "kubernetes-models/v1/EnvVar";
import type { IVolume } from "kubernetes-models/v1/Volume";
import { type Manifest, namespaceOf, type Pods } from "./manifest.ts";
import type { Secrets } from "./references.ts";

/** Of a pod that runs. */
const FIELDS: Readonly<Record<string, string>> = {
  "status.podIP": "10.244.1.7",
  "status.hostIP": "10.20.0.7",
};
const REFERENCE = /\$\(([A-Z][A-Z0-9_]*)\)/g;

export interface Environment {
  readonly values: ReadonlyMap<string, string>;
  /** What is only there so that others name it: `$(POD_IP)`. */
  readonly named: ReadonlySet<string>;
  readonly problems: readonly string[];
}

/** First what ConfigMaps bring, then the container's own, which win. */
export function environmentOf(
  container: IContainer,
  pods: Pods,
  manifests: readonly Manifest[],
): Environment {
  const values = new Map<string, string>();
  const named = new Set<string>();
  const problems: string[] = [];
  const mapOf = (name: string | undefined) => {
    const map = configMap(manifests, name);
    if (!map) problems.push(`there is no ConfigMap ${name}`);
    return map ?? {};
  };
  const expanded = (text: string) =>
    text.replace(REFERENCE, (whole, name: string) => {
      named.add(name);
      const value = values.get(name);
      if (value === undefined) problems.push(`${whole} is not set before it is named`);
      return value ?? "";
    });
  for (const { configMapRef } of container.envFrom ?? []) {
    for (const [key, value] of Object.entries(mapOf(configMapRef?.name))) values.set(key, value);
  }
  for (const variable of inOrder(container.env ?? [])) {
    const { name, value = "", valueFrom } = variable;
    const { configMapKeyRef, fieldRef } = valueFrom ?? {};
    if (configMapKeyRef) {
      const found = mapOf(configMapKeyRef.name)[configMapKeyRef.key];
      if (found === undefined)
        problems.push(`${configMapKeyRef.name} has no ${configMapKeyRef.key}`);
      values.set(name, found ?? "");
    } else if (fieldRef) {
      values.set(name, FIELDS[fieldRef.fieldPath] ?? pods.namespace);
    } else {
      values.set(name, expanded(value));
    }
  }
  for (const text of [...(container.command ?? []), ...(container.args ?? [])]) {
    expanded(text);
    for (const [, name = ""] of text.matchAll(/"\$([A-Z][A-Z0-9_]*)"/g)) named.add(name);
  }
  return { values, named, problems };
}

/** What a file in a container holds: a ConfigMap's text, or the key of a Secret. */
export type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "secret"; readonly secretName: string; readonly key: string };

/** @returns undefined when no volume brings that file */
export function contentOf(
  path: string,
  container: IContainer,
  pods: Pods,
  manifests: readonly Manifest[],
  secrets: Secrets,
): Content | undefined {
  const mount = (container.volumeMounts ?? []).find(({ mountPath }) =>
    path.startsWith(`${mountPath}/`),
  );
  const volume = pods.spec.volumes?.find(({ name }) => name === mount?.name);
  if (!mount || !volume) return undefined;
  const file = path.slice(mount.mountPath.length + 1);
  const { secret } = volume;
  const key = keyOf(volume, file);
  if (secret) {
    const { secretName = "" } = secret;
    return secrets.get(secretName)?.has(key) ? { type: "secret", secretName, key } : undefined;
  }
  const text = configMap(manifests, volume.configMap?.name)?.[key];
  return text === undefined ? undefined : { type: "text", text };
}

function keyOf({ secret, configMap: map }: IVolume, file: string): string {
  const items = secret?.items ?? map?.items;
  return items ? (items.find(({ path }) => path === file)?.key ?? "") : file;
}

function configMap(manifests: readonly Manifest[], name: string | undefined) {
  return manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name)
    ?.data;
}

/** Of a name that is there twice, as where a patch adds to a list, the last one counts. */
function inOrder(variables: readonly IEnvVar[]): readonly IEnvVar[] {
  return variables.filter(
    ({ name }, index) => !variables.slice(index + 1).some((later) => later.name === name),
  );
}

export function servicesIn(manifests: readonly Manifest[]): ReadonlyMap<string, Manifest> {
  const services = manifests.filter(({ kind }) => kind === "Service");
  return new Map(
    services.map((one) => [`${one.metadata.name}.${namespaceOf(one)}.svc.cluster.local`, one]),
  );
}
