/** Objects as kustomize renders them, and the pods that they make. */
import type { ILabelSelector } from "@kubernetes-models/apimachinery/apis/meta/v1/LabelSelector";
import type { IContainer } from "kubernetes-models/v1/Container";
import type { IPodSpec } from "kubernetes-models/v1/PodSpec";

export type Labels = Readonly<Record<string, string>>;

/** What all have; the rest is typed by whoever has seen it through `schemaProblems`. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
  };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** Pods that one object makes. */
export interface Pods {
  /** The object, for people: `Deployment core`. */
  readonly of: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly spec: IPodSpec;
  readonly replicas: number | undefined;
  /** Volumes that a StatefulSet makes for each of its pods. */
  readonly claims: readonly string[];
}

interface Template {
  readonly metadata?: { readonly labels?: Labels };
  readonly spec: IPodSpec;
}

interface WorkloadSpec {
  readonly replicas?: number;
  readonly template?: Template;
  readonly jobTemplate?: { readonly spec: { readonly template: Template } };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`;
}

export function namespaceOf({ metadata }: Manifest): string {
  return metadata.namespace ?? "default";
}

export function podsOf(manifests: readonly Manifest[]): readonly Pods[] {
  return manifests.flatMap((manifest): Pods[] => {
    const spec = (manifest.spec ?? {}) as WorkloadSpec;
    const template = spec.template ?? spec.jobTemplate?.spec.template;
    if (!template) return [];
    return [
      {
        of: nameOf(manifest),
        kind: manifest.kind,
        name: manifest.metadata.name,
        namespace: namespaceOf(manifest),
        labels: template.metadata?.labels ?? {},
        spec: template.spec,
        replicas: spec.replicas,
        claims: (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      },
    ];
  });
}

/** Those that run before the others too. */
export function containersOf({ spec }: Pods): readonly IContainer[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** Only `matchLabels`: the manifests use nothing else, and a check that half understands a selector would lie. */
export function selects(selector: ILabelSelector | undefined, labels: Labels): boolean {
  if (selector?.matchExpressions) throw new Error("matchExpressions are not understood here");
  return Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}
