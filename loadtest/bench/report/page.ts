/** docs/benchmarks.md, made of the stored runs and the benchmarks' pages. Pure: the same data make the same text. */
import type { Benchmark } from "../benchmark.ts";
import { costOf } from "./cost.ts";
import { costSection } from "./cost-section.ts";
import { fill } from "./fill.ts";
import type { Machine, StoredRun, StoredRuns } from "./stored-runs.ts";
import { boundsOf, type Verdict, verdictOf } from "./verdict.ts";

export interface PageParts {
  readonly benchmarks: readonly Pick<Benchmark, "name" | "goals">[];
  readonly runs: StoredRuns;
  /** What stands before everything. */
  readonly head: string;
  /** A benchmark's prose with placeholders; `fill.ts` says which. */
  readonly templateOf: (name: string) => string;
}

const MADE = `<!-- Made by "npm run bench -- --all --report" from docs/benchmarks.json and loadtest/bench/pages: change it there. -->`;

/** @throws when a page names what its run does not have */
export function benchmarksPage({ benchmarks, runs, head, templateOf }: PageParts): string {
  const machines = distinctMachines(benchmarks.flatMap(({ name }) => runs[name] ?? []));
  const sections = benchmarks.map((benchmark) => {
    const run = runs[benchmark.name];
    const [heading = "", ...body] = fill(templateOf(benchmark.name), { benchmark, run }).split(
      "\n",
    );
    return [heading, "", `*${circumstancesOf(run, machines)}*`, ...body].join("\n").trim();
  });
  const verdicts = benchmarks.map((benchmark) => ({
    heading: headingOf(templateOf(benchmark.name), benchmark.name),
    verdicts: (benchmark.goals ?? []).map((goal) =>
      verdictOf(benchmark.name, goal, runs[benchmark.name]),
    ),
  }));
  const [title = "", ...intro] = head.trim().split("\n");
  return `${[
    title,
    MADE,
    intro.join("\n").trim(),
    machinesLine(machines),
    goalsSection(verdicts),
    costSection(costOf(runs)),
    ...sections,
  ].join("\n\n")}\n`;
}

function distinctMachines(runs: readonly StoredRun[]): Machine[] {
  const byText = new Map(runs.map(({ machine }) => [JSON.stringify(machine), machine]));
  return [...byText.values()];
}

function machinesLine(machines: readonly Machine[]): string {
  if (machines.length === 0) return "Nothing has been measured yet.";
  if (machines.length === 1 && machines[0]) return `Measured on ${machineText(machines[0])}.`;
  const all = machines.map((machine, index) => `${index + 1}. ${machineText(machine)}`);
  return `Measured on several machines:\n\n${all.join("\n")}`;
}

function machineText({ cpu, cores, memoryGib, kernel, node }: Machine): string {
  return `${cores} cores of ${cpu}, ${memoryGib} GiB, ${kernel}, Node ${node}`;
}

function circumstancesOf(run: StoredRun | undefined, machines: readonly Machine[]): string {
  if (!run) return "Not measured yet.";
  const { date, commit, withChanges, quick, tookS, machine } = run;
  const text = JSON.stringify(machine);
  const index = machines.findIndex((one) => JSON.stringify(one) === text) + 1;
  const where = machines.length > 1 ? `, on machine ${index}` : "";
  return (
    `${quick ? "Quick" : "Full"} run of ${date} at \`${commit}\`${withChanges ? " with changes" : ""}` +
    `${where}, in ${duration(tookS)}.`
  );
}

function duration(s: number): string {
  return s < 120 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;
}

/** @throws when a template does not begin with a heading of its section */
function headingOf(template: string, name: string): string {
  const heading = /^## (.+)\n/.exec(template)?.[1];
  if (heading === undefined) throw new Error(`the page of "${name}" does not begin with "## "`);
  return heading;
}

function goalsSection(
  sections: readonly { readonly heading: string; readonly verdicts: readonly Verdict[] }[],
): string {
  const all = sections.flatMap(({ verdicts }) => verdicts);
  const count = (outcome: Verdict["outcome"]) =>
    all.filter((one) => one.outcome === outcome).length;
  const rows = sections.flatMap(({ heading, verdicts }) => {
    const link = `[${heading}](#${heading.toLowerCase().replaceAll("'", "").replaceAll(" ", "-")})`;
    return verdicts.map(({ goal, measured, outcome }, index) => {
      const cells = [index === 0 ? link : "", goal.words, boundsOf(goal), measured];
      return `| ${[...cells, outcome === "missed" ? "**missed**" : outcome].join(" | ")} |`;
    });
  });
  const rest = (["not measured yet", "only in a full run"] as const)
    .filter((outcome) => count(outcome) > 0)
    .map((outcome) => `, ${count(outcome)} ${outcome}`);
  return `## Goals

${count("met")} met, ${count("missed")} missed${rest.join("")}.

| | figure | goal | measured | |
|---|---|---|---|---|
${rows.join("\n")}`;
}
