import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { benchmarks } from "../benchmarks.ts";
import { benchmarksPage } from "./page.ts";
import { isPageCurrent, templateOf } from "./report.ts";
import type { StoredRuns } from "./stored-runs.ts";

const machine = { cpu: "any", cores: 2, memoryGib: 4, kernel: "Linux 6.1", node: "22.18.0" };
const run = {
  date: "2026-11-29",
  commit: "0123456",
  withChanges: true,
  machine,
  quick: true,
  tookS: 59,
  figures: { ratio: 1.46 },
};
const page = (runs: StoredRuns, template: string) =>
  benchmarksPage({
    benchmarks: [{ name: "herd", goals: [{ figure: "ratio", words: "the ratio", atMost: 1 }] }],
    runs,
    head: "# Benchmarks\n\nWords.\n",
    templateOf: () => template,
  });

test("every benchmark has a page, and every page a benchmark", () => {
  const files = readdirSync(fileURLToPath(new URL("../pages", import.meta.url)));
  const wanted = ["head", ...benchmarks.map(({ name }) => name)].map((name) => `${name}.md`);
  assert.deepEqual(files.sort(), wanted.sort());
});

test("docs/benchmarks.md is what docs/benchmarks.json and the pages make", () => {
  assert.ok(
    isPageCurrent(benchmarks),
    'docs/benchmarks.md is stale: run "npm run bench -- --report"',
  );
});

test("all pages can be made before anything is measured", () => {
  const made = benchmarksPage({ benchmarks, runs: {}, head: templateOf("head"), templateOf });
  assert.equal(made.match(/\*Not measured yet\.\*/g)?.length, benchmarks.length);
  assert.doesNotMatch(made, /\{\{/);
});

test("a section says when, of what and how it was measured; goals are judged", () => {
  const made = page({ herd: run }, "## Herd\n\nRatio {{ratio}}.\n");
  assert.match(
    made,
    /## Herd\n\n\*Quick run of 2026-11-29 at `0123456` with changes, in 59 s\.\*\n\nRatio 1\.46\.\n/,
  );
  assert.match(made, /0 met, 1 missed\.\n/);
  assert.match(
    made,
    /\| \[Herd\]\(#herd\) \| the ratio \| at most 1 \| 1\.46 \| \*\*missed\*\* \|/,
  );
  assert.match(made, /Measured on 2 cores of any, 4 GiB, Linux 6\.1, Node 22\.18\.0\./);
});

test("runs of several machines say of which", () => {
  const other = { ...run, machine: { ...machine, cores: 64 } };
  const made = benchmarksPage({
    benchmarks: [{ name: "ticket" }, { name: "herd" }],
    runs: { ticket: run, herd: other },
    head: "# Benchmarks\n",
    templateOf: (name) => `## The ${name}\n\n{{ratio}}\n`,
  });
  assert.match(made, /2\. 64 cores of any/);
  assert.match(made, /with changes, on machine 2, in 59 s/);
});

test("a placeholder that the run lacks, and a page without a heading, are errors that name the benchmark", () => {
  assert.throws(() => page({ herd: run }, "## Herd\n\n{{rato}}\n"), /"herd" has {{rato}}/);
  assert.throws(() => page({ herd: run }, "Herd\n"), /"herd" does not begin with/);
});
