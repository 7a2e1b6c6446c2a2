/** The settings of the process that carries out decisions of scaling. Nothing but `main.ts` reads the environment. */
import { z } from "zod";
import { as, type Settings, type Values } from "../../../shared/config.ts";
import { RegionId } from "../../../shared/ids.ts";
import { coreSettings } from "../../config.ts";
import type { Workload } from "./kubernetes-api.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const SECRET_CHARACTERS_MIN = 16;

const optionalText = z.string().transform((text) => (text === "" ? undefined : text));
const optionalUrl = optionalText.refine(
  (text) => text === undefined || /^https?:\/\//.test(text),
  "needs an http or https URL",
);
const durationMs = z.coerce.number().int().positive();
/** As Kubernetes names things (RFC 1123). */
const objectName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "a Kubernetes name");

const workloads = z.string().transform((text, context): ReadonlyMap<RegionId, Workload> => {
  const named = new Map<RegionId, Workload>();
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const [, region, kind, name] = /^([^=]+)=(statefulset|deployment)\/(.+)$/.exec(entry) ?? [];
    const id = RegionId.safeParse(region);
    const known = objectName.safeParse(name);
    if (!id.success || !known.success || (kind !== "statefulset" && kind !== "deployment")) {
      const message = `"${entry}" is not REGION=statefulset/NAME or REGION=deployment/NAME`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
    named.set(id.data, { kind, name: known.data });
  }
  return named;
});

export const ADAPTERS = ["print", "http", "kubernetes"] as const;

export const scaleSettings = {
  SCALE_ADAPTER: {
    schema: z.enum(ADAPTERS),
    default: "print",
    description:
      "What makes and ends nodes: `print` only says what it would do; `http` posts orders to a hook; " +
      "`kubernetes` scales StatefulSets or Deployments. `--adapter` wins.",
  },
  SCALE_REGIONS: {
    schema: as.list,
    default: "",
    description:
      "The regions that this process scales, comma-separated, such as those of one cluster; empty: all.",
  },
  SCALE_PERIOD_MS: {
    schema: durationMs,
    default: "5000",
    description: "How often the core is asked, ms.",
  },
  SCALE_HOOK_URL: {
    schema: optionalUrl,
    default: "",
    description: "With `http`: where orders are posted.",
  },
  SCALE_HOOK_SECRET: {
    schema: optionalText.refine(
      (text) => text === undefined || text.length >= SECRET_CHARACTERS_MIN,
      `${SECRET_CHARACTERS_MIN} characters at least`,
    ),
    default: "",
    secret: true,
    description: "With `http`: under which they are signed.",
  },
  SCALE_HOOK_DEADLINE_MS: {
    schema: durationMs,
    default: "5000",
    description: "With `http`: how long the hook may take to answer, ms; three times are tried.",
  },
  SCALE_KUBERNETES_WORKLOADS: {
    schema: workloads,
    default: "",
    description:
      "With `kubernetes`: `REGION=statefulset/NAME` or `REGION=deployment/NAME`, comma-separated.",
  },
  SCALE_KUBERNETES_NAMESPACE: {
    schema: objectName,
    default: "default",
    description: "The namespace of those.",
  },
  SCALE_KUBERNETES_URL: {
    schema: z.url({ protocol: /^https$/ }),
    default: "https://kubernetes.default.svc",
    description: "The cluster's API.",
  },
  SCALE_KUBERNETES_TOKEN_FILE: {
    schema: as.text,
    default: `${ACCOUNT}/token`,
    description: "The service account's token.",
  },
  SCALE_KUBERNETES_CA_FILE: {
    schema: as.text,
    default: `${ACCOUNT}/ca.crt`,
    description: "The CA of the cluster's API.",
  },
  SCALE_KUBERNETES_DEADLINE_MS: {
    schema: durationMs,
    default: "5000",
    description: "How long one call of that API may take, ms.",
  },
  SCALE_PRIVATE_HOST: {
    schema: as.text,
    default: "127.0.0.1",
    description: "Address of the operators' port: health and metrics.",
  },
  SCALE_PRIVATE_PORT: { schema: as.port, default: "7356", description: "The operators' port." },
  LOG_LEVEL: coreSettings.LOG_LEVEL,
} satisfies Settings;

export type ScaleConfig = Values<typeof scaleSettings>;
