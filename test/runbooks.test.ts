/**
 * Runbooks and code say the same: what a log line calls its page is there and quotes the line, what a
 * page calls a metric is registered with those labels, and no counter of failures is left undescribed.
 *
 * It reads sources as text, because a line that is only written when something fails can't be met by
 * running the code.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGES = "docs/runbooks";
const INDEX = "README.md";
/** Folders whose processes operators run. */
const SOURCES = ["core", "region", "shared", "infra/postgres/pair"];

/** Counters of traffic: they grow when all is well, and mean nothing by themselves. */
const TRAFFIC = new Set([
  "meridian_rows_deleted_total",
  "meridian_transport_messages_received_total",
  "meridian_transport_received_bytes_total",
  "meridian_transport_sent_bytes_total",
]);
/** What a gauge of a failure is called by. */
const FAILURE = /dropped|failed|failures|errors|refused|lost|unsettled|limited|lease_held|_up$/;
/** Words of this form that are no metrics: roles of the database. */
const NO_METRICS = new Set(["meridian_core_login", "meridian_core", "meridian_replication"]);

interface Metric {
  readonly name: string;
  /** The name as a regular expression. */
  readonly pattern: string;
  readonly labels: readonly string[];
}

interface Named {
  readonly page: string;
  /** The log line's words, where the source has them as text. */
  readonly words: string | undefined;
  readonly file: string;
}

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

function sources(): string[] {
  const isTest = (path: string) => /\.test\.ts$|(^|\/)test-|\.testkit\.ts$/.test(path);
  return SOURCES.flatMap((dir) => globSync(`${dir}/**/*.ts`, { cwd: ROOT })).filter(
    (path) => !isTest(path),
  );
}

function pages(): string[] {
  return globSync(`${PAGES}/*.md`, { cwd: ROOT })
    .map((path) => basename(path))
    .filter((name) => name !== INDEX)
    .map((name) => basename(name, ".md"));
}

/** Everything that is written for people. */
function documents(): string[] {
  return ["*.md", "docs/**/*.md"].flatMap((glob) => globSync(glob, { cwd: ROOT }));
}

const textOf = (page: string) => read(`${PAGES}/${page}.md`);

/** All `runbook: "page"` of the code, each with the first text that follows in its statement or the next. */
function namedPages(): Named[] {
  return sources().flatMap((file) => {
    const found = read(file).matchAll(/\brunbook: "([^"]+)"(?=((?:[^;]*;){1,2}))/g);
    return Array.from(found, ([, page = "", rest = ""]) => {
      const words = /"([^"]*[a-z]{3}[^"]*)"/.exec(rest.replace(/`[^`]*`/g, ""))?.[1];
      return { page, words, file };
    });
  });
}

/**
 * Metrics as the code registers them: by an options object, or by a helper that takes name and help.
 * What a template fills in may be any word, and in a page `<word>`.
 */
function registered(): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  for (const file of sources()) {
    for (const [, name = "", options = ""] of read(file).matchAll(
      /["`](meridian_[\w${}.#]+)["`],((?:(?!["`]meridian_)[\s\S]){0,400})/g,
    )) {
      const own = options.slice(0, options.search(/registers|\}\);|\);/));
      const labels = /labelNames: \[([^\]]*)\]/.exec(own)?.[1] ?? "";
      const pattern = name.replaceAll(/\$\{[^}]*\}/g, "([a-z0-9_]+|<\\w+>)");
      metrics.set(name, {
        name,
        pattern,
        labels: Array.from(labels.matchAll(/"(\w+)"/g), (m) => m[1] ?? ""),
      });
    }
  }
  return metrics;
}

function find(name: string): Metric | undefined {
  const plain = name.replace(/_(bucket|sum|count)$/, "");
  const fits = ({ pattern }: Metric) => {
    const whole = new RegExp(`^${pattern}$`);
    return whole.test(name) || whole.test(plain);
  };
  return [...METRICS.values()].find(fits);
}

const METRICS = registered();
/** The labels that every metric of a process has. */
const COMMON_LABELS = ["region", "process"];

test("the code's metrics and pages are found at all", () => {
  assert.ok(METRICS.size > 30, `${METRICS.size} metrics`);
  assert.deepEqual(METRICS.get("meridian_reserves_total")?.labels, ["region", "outcome"]);
  assert.ok(METRICS.has("meridian_transport_sent_bytes_total"));
  assert.ok(METRICS.has("meridian_region_event_loop_utilisation"));
  assert.ok(namedPages().length > 25, `${namedPages().length} log lines`);
  assert.ok(pages().length > 20, `${pages().length} pages`);
});

test("every page that the code names is there, and quotes the log line", () => {
  for (const { page, words, file } of namedPages()) {
    assert.ok(existsSync(join(ROOT, PAGES, `${page}.md`)), `${file} names ${page}: no such page`);
    if (words === undefined) continue;
    const flat = textOf(page).replaceAll(/\s+/g, " ");
    assert.ok(flat.includes(words), `${page} does not quote "${words}" (${file})`);
  }
});

test("every warning and error of nodes and of the shared parts names a page", () => {
  for (const file of sources().filter((path) => !path.startsWith("core/"))) {
    for (const [call] of read(file).matchAll(/\blog\.(?:warn|error|fatal)\([\s\S]*?\);/g)) {
      assert.match(call, /\brunbook: "/, `${file}: ${call.replaceAll(/\s+/g, " ")}`);
    }
  }
});

test("every page is named by code, or by a document other than the index", () => {
  const byCode = new Set(namedPages().map(({ page }) => page));
  for (const page of pages()) {
    if (byCode.has(page)) continue;
    const others = documents().filter(
      (path) => path !== `${PAGES}/${page}.md` && path !== `${PAGES}/${INDEX}`,
    );
    const named = others.some((path) => read(path).includes(`${page}.md`));
    assert.ok(named, `nothing but the index names ${page}`);
  }
});

test("the index lists every page", () => {
  const index = read(`${PAGES}/${INDEX}`);
  for (const page of pages()) assert.ok(index.includes(`(${page}.md)`), `${page} is not listed`);
});

test("what a page calls a metric is registered, with the labels that it shows", () => {
  for (const page of pages()) {
    for (const [text, name = "", shown = ""] of textOf(page).matchAll(
      /\b(meridian_[a-z0-9_]+)(?:\{([^}]*)\})?/g,
    )) {
      if (NO_METRICS.has(name)) continue;
      const metric = find(name);
      assert.ok(metric, `${page}: the code registers no ${name}`);
      for (const [, label = ""] of shown.matchAll(/(\w+)="/g)) {
        const known = [...metric.labels, ...COMMON_LABELS].includes(label);
        assert.ok(known, `${page}: ${text}: ${name} has no label ${label}`);
      }
    }
  }
});

test("every counter of failures is described by a page", () => {
  const described = pages().map(textOf).join("\n");
  for (const { name, pattern } of METRICS.values()) {
    const counts = name.endsWith("_total") || FAILURE.test(name);
    if (!counts || TRAFFIC.has(name)) continue;
    assert.ok(new RegExp(`\\b${pattern}\\b`).test(described), `no page describes ${name}`);
  }
});

test("links in the documents lead somewhere", () => {
  for (const path of documents()) {
    for (const [, target = ""] of read(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (target.includes("://")) continue;
      const found = existsSync(join(ROOT, dirname(path), target));
      assert.ok(found, `${path} links to ${target}: no such file`);
    }
  }
});
