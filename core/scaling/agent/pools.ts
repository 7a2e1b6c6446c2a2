/** The pool that the settings name. */
import type { Clock } from "../../../shared/clock.ts";
import { ConfigError } from "../../../shared/config.ts";
import type { ScaleConfig } from "./config.ts";
import { HookPool } from "./hook-pool.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { KubernetesPool } from "./kubernetes-pool.ts";
import type { NodePool } from "./node-pool.ts";
import { printPool } from "./print-pool.ts";

/** @throws {ConfigError} when it lacks what that adapter needs */
export function poolOf(
  config: ScaleConfig,
  deps: { readonly clock: Clock; readonly random: () => number },
): NodePool {
  if (config.SCALE_ADAPTER === "http") return hookPool(config, deps);
  if (config.SCALE_ADAPTER === "kubernetes") return kubernetesPool(config);
  return printPool;
}

function hookPool(
  { SCALE_HOOK_URL: url, SCALE_HOOK_SECRET: secret, SCALE_HOOK_DEADLINE_MS }: ScaleConfig,
  deps: { readonly clock: Clock; readonly random: () => number },
): NodePool {
  if (url === undefined) throw new ConfigError(["SCALE_HOOK_URL is not set: http needs it"]);
  if (secret === undefined) {
    throw new ConfigError(["SCALE_HOOK_SECRET_FILE is not set: orders are signed under it"]);
  }
  return new HookPool({ url, secret, deadlineMs: SCALE_HOOK_DEADLINE_MS, ...deps });
}

function kubernetesPool(config: ScaleConfig): NodePool {
  const { SCALE_KUBERNETES_WORKLOADS: named } = config;
  if (named.size === 0) {
    throw new ConfigError(["SCALE_KUBERNETES_WORKLOADS is not set: kubernetes needs it"]);
  }
  const api = new KubernetesApi({
    url: config.SCALE_KUBERNETES_URL,
    namespace: config.SCALE_KUBERNETES_NAMESPACE,
    tokenFile: config.SCALE_KUBERNETES_TOKEN_FILE,
    caFile: config.SCALE_KUBERNETES_CA_FILE,
    deadlineMs: config.SCALE_KUBERNETES_DEADLINE_MS,
  });
  return new KubernetesPool({ api, workloads: named });
}
