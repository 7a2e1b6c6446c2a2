/** What every pod of ours keeps to, whatever it runs. */
import type { IContainer } from "kubernetes-models/v1/Container";
import { containersOf, type Manifest, type Pods, podsOf, selects } from "./manifest.ts";

/** 0400: with `fsGroup` the cluster lets the group read as well. */
const SECRET_MODE = 0o400;

/** One line for each rule that is broken. */
export function hardeningProblems(manifests: readonly Manifest[]): readonly string[] {
  return podsOf(manifests).flatMap((pods) => [
    ...podProblems(pods),
    ...tokenProblems(pods, manifests),
    ...budgetProblems(pods, manifests),
    ...containersOf(pods).flatMap((container) =>
      containerProblems(container).map((problem) => `${pods.of}: ${container.name} ${problem}`),
    ),
    ...pods.spec.containers.flatMap((container) =>
      missingProbes(container).map((which) => `${pods.of}: ${container.name} has no ${which}`),
    ),
  ]);
}

function podProblems({ of, spec }: Pods): string[] {
  const { securityContext: security } = spec;
  const problems = [
    [security?.runAsNonRoot === true && (security.runAsUser ?? 0) > 0, "may run as root"],
    [security?.seccompProfile?.type === "RuntimeDefault", "has no seccomp profile"],
    [security?.fsGroup !== undefined, "has no fsGroup: its user can't read the secrets"],
    [spec.enableServiceLinks === false, "gets the addresses of all Services"],
    [spec.terminationGracePeriodSeconds !== undefined, "does not say how long it may take to end"],
    [!spec.hostNetwork && !spec.hostPID && !spec.hostIPC, "shares the machine's namespaces"],
  ] as const;
  const files = (spec.volumes ?? []).filter(
    ({ secret }) => secret && secret.defaultMode !== SECRET_MODE,
  );
  return [
    ...problems.filter(([holds]) => !holds).map(([, problem]) => `${of}: it ${problem}`),
    ...files.map(({ name }) => `${of}: files of the secret volume ${name} are not 0400`),
    ...(spec.volumes ?? [])
      .filter(({ hostPath }) => hostPath)
      .map(({ name }) => `${of}: the volume ${name} is the machine's`),
  ];
}

/** A token of the cluster is for those who have rights in it, and nobody else. */
function tokenProblems({ of, spec }: Pods, manifests: readonly Manifest[]): string[] {
  const { automountServiceAccountToken: token, serviceAccountName } = spec;
  if (token === undefined) return [`${of}: it does not say whether it gets a token`];
  const bound = manifests.some(
    (one) =>
      one.kind === "RoleBinding" &&
      "subjects" in one &&
      JSON.stringify(one.subjects).includes(`"name":"${serviceAccountName}"`),
  );
  if (token && !bound) return [`${of}: it gets a token that no Role is bound to`];
  return !token && bound ? [`${of}: its account has a Role, and it gets no token`] : [];
}

function budgetProblems({ of, replicas, kind, labels }: Pods, manifests: readonly Manifest[]) {
  // One alone would never be allowed to go; jobs end by themselves.
  if (replicas === 1 || kind === "CronJob" || kind === "Job") return [];
  const guarded = manifests.some((one) => {
    if (one.kind !== "PodDisruptionBudget") return false;
    return selects((one.spec as { selector?: object }).selector, labels);
  });
  return guarded ? [] : [`${of}: it has no PodDisruptionBudget`];
}

function containerProblems(container: IContainer): string[] {
  const { securityContext: security, resources, image = "", env = [], envFrom = [] } = container;
  const amounts = [resources?.requests, resources?.limits];
  const mounts = container.volumeMounts ?? [];
  const rules = [
    [security?.readOnlyRootFilesystem === true, "can write to its image's files"],
    [security?.allowPrivilegeEscalation === false, "may gain privileges"],
    [security?.capabilities?.drop?.includes("ALL"), "keeps capabilities"],
    [!security?.capabilities?.add && !security?.privileged, "adds capabilities"],
    [amounts.every((one) => one?.cpu && one.memory), "has no requests and limits"],
    [isPinned(image), `runs ${image}, which names no registry and version`],
    [!env.some(({ valueFrom }) => valueFrom?.secretKeyRef), "has a secret in its environment"],
    [!envFrom.some(({ secretRef }) => secretRef), "has secrets in its environment"],
    // Files below a subPath are never renewed, and a rotated certificate would not be seen.
    [!mounts.some(({ subPath }) => subPath), "mounts a subPath"],
  ] as const;
  return rules.filter(([holds]) => !holds).map(([, problem]) => problem);
}

function isPinned(image: string): boolean {
  return /^[a-z0-9.-]+\.[a-z]+\/[a-z0-9./-]+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(
    image,
  );
}

function missingProbes({ ports, startupProbe, readinessProbe, livenessProbe }: IContainer) {
  // Who serves nobody is not looked at.
  if (!ports) return [];
  const probes = { startupProbe, readinessProbe, livenessProbe };
  return Object.entries(probes)
    .filter(([, probe]) => !probe)
    .map(([which]) => which);
}
