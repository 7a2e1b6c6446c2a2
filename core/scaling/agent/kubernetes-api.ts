/**
 * The few calls to the Kubernetes API that scaling needs, with a service account's token and its CA. Both files are
 * read at each call, because the cluster rotates them.
 *
 * Form: Kubernetes API reference, `apps/v1` (StatefulSet, Deployment: `scale` subresource, an `autoscaling/v1` Scale)
 * and `v1` (Pod).
 */
import { readFileSync } from "node:fs";
import { Agent, request } from "undici";
import { z } from "zod";
import { MeridianError } from "../../../shared/errors.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;
const REASON_MAX = 200;
/** What Deployments take pods by when there are to be fewer, the lowest first. */
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const FIRST_TO_GO = "-1000";

export interface Workload {
  readonly kind: "statefulset" | "deployment";
  readonly name: string;
}

export interface KubernetesApiOptions {
  /** `https://kubernetes.default.svc` */
  readonly url: string;
  readonly namespace: string;
  readonly tokenFile: string;
  readonly caFile: string;
  /** Of one call. */
  readonly deadlineMs: number;
}

const Scale = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.object({ replicas: z.number().int().nonnegative().default(0) }).default({ replicas: 0 }),
});
const Pod = z.object({
  metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
  status: z.object({ podIP: z.string().optional() }).default({}),
});
type Pod = z.infer<typeof Pod>;
const Pods = z.object({ items: z.array(Pod) });
const Anything = z.object({});

interface Call<T> {
  readonly method: "GET" | "PATCH";
  readonly path: string;
  readonly body?: unknown;
  readonly answer: z.ZodType<T>;
}

export interface ScaleNow {
  readonly replicas: number;
  /** A change that names it is refused when there was another since. */
  readonly resourceVersion: string;
}

export class KubernetesApi {
  readonly #options: KubernetesApiOptions;

  constructor(options: KubernetesApiOptions) {
    this.#options = options;
  }

  async scale(workload: Workload, signal: AbortSignal): Promise<ScaleNow> {
    const path = this.#scalePath(workload);
    const scale = await this.#call({ method: "GET", path, answer: Scale }, signal);
    const { resourceVersion } = scale.metadata;
    return { replicas: scale.spec.replicas, resourceVersion };
  }

  /** @throws {MeridianError} `conflict` when it was changed since it was read */
  async setScale(
    workload: Workload,
    { replicas, resourceVersion }: ScaleNow,
    signal: AbortSignal,
  ): Promise<void> {
    const path = this.#scalePath(workload);
    const body = { metadata: { resourceVersion }, spec: { replicas } };
    await this.#call({ method: "PATCH", path, body, answer: Scale }, signal);
  }

  /** @throws {MeridianError} `not_found` */
  pod(name: string, signal: AbortSignal): Promise<Pod> {
    return this.#call({ method: "GET", path: this.#podsPath(`/${name}`), answer: Pod }, signal);
  }

  /** Those of the namespace that have that address. */
  async podsAt(ip: string, signal: AbortSignal): Promise<readonly Pod[]> {
    const query = new URLSearchParams({ fieldSelector: `status.podIP=${ip}` });
    const path = this.#podsPath(`?${query}`);
    return (await this.#call({ method: "GET", path, answer: Pods }, signal)).items;
  }

  /** Of a Deployment's pods this one goes first. */
  async markFirstToGo(name: string, signal: AbortSignal): Promise<void> {
    const body = { metadata: { annotations: { [DELETION_COST]: FIRST_TO_GO } } };
    const path = this.#podsPath(`/${name}`);
    await this.#call({ method: "PATCH", path, body, answer: Anything }, signal);
  }

  #scalePath({ kind, name }: Workload): string {
    return `/apis/apps/v1/namespaces/${this.#options.namespace}/${kind}s/${name}/scale`;
  }

  #podsPath(rest: string): string {
    return `/api/v1/namespaces/${this.#options.namespace}/pods${rest}`;
  }

  async #call<T>({ method, path, body, answer }: Call<T>, signal: AbortSignal): Promise<T> {
    const { url, deadlineMs } = this.#options;
    const { token, ca } = this.#credentials();
    const agent = new Agent({ connect: { ca }, maxResponseSize: ANSWER_BYTES_MAX });
    try {
      const response = await request(new URL(path, url), {
        method,
        dispatcher: agent,
        headers: {
          authorization: `Bearer ${token}`,
          accept: "application/json",
          ...(body !== undefined && { "content-type": "application/merge-patch+json" }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
      });
      const text = await response.body.text();
      if (response.statusCode >= 300) throw refusalOf(response.statusCode, text);
      return answer.parse(JSON.parse(text));
    } catch (cause) {
      if (cause instanceof MeridianError) throw cause;
      const late = cause instanceof Error && cause.name === "TimeoutError";
      const message = `the Kubernetes API at ${url} ${late ? "did not answer in time" : "can't be asked"}`;
      throw new MeridianError(late ? "timeout" : "unavailable", { message, cause });
    } finally {
      await agent.destroy();
    }
  }

  #credentials(): { readonly token: string; readonly ca: string } {
    const { tokenFile, caFile } = this.#options;
    try {
      return { token: readFileSync(tokenFile, "utf8").trim(), ca: readFileSync(caFile, "utf8") };
    } catch (cause) {
      const message = "the service account's token or CA can't be read";
      throw new MeridianError("unavailable", { message, cause });
    }
  }
}

/** A Status says in words what was wrong. */
function refusalOf(status: number, text: string): MeridianError {
  const why = reasonIn(text);
  const message = `the Kubernetes API answered with status ${status}${why && `: ${why}`}`;
  if (status === 409) return new MeridianError("conflict", { message });
  if (status === 404) return new MeridianError("not_found", { message });
  if (status === 401 || status === 403) return new MeridianError("forbidden", { message });
  return new MeridianError(status === 429 || status >= 500 ? "unavailable" : "bad_request", {
    message,
  });
}

function reasonIn(text: string): string {
  try {
    const { message } = z.object({ message: z.string() }).parse(JSON.parse(text));
    return message.slice(0, REASON_MAX);
  } catch {
    // Not a Status: a proxy's page, or nothing.
    return "";
  }
}
