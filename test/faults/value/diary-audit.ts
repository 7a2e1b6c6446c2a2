/**
 * Holds what players were told of their diaries against the database. Pure.
 *
 * Each page says what the diary has to be when it is looked at next: at the next page's opening, or in the
 * database at the end. Then
 *
 * - **lost** is a note that was told as saved and is not there;
 * - **doubled** is whatever is there beyond the notes that were written, or was refused though it is there;
 * - **missing** is a note that the room made and that was not told as saved, for which nothing speaks: its
 *   node did not die, and no operator has it among the refused changes. Such a change may be on its way
 *   still, so this says something only once everything is at rest.
 *
 * A note that was not told as saved may go with a node that dies at once. It is counted, and that is all.
 */
import type { Page } from "./diary.ts";
import type { DiaryTables, RefusedNotes } from "./diary-tables.ts";
import type { Entries } from "./treasury-messages.ts";

export interface PlayersDiary {
  readonly playerId: string;
  readonly pages: readonly Page[];
}

export interface DiaryAudit {
  /** How many notes players were told of as made. */
  readonly notes: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly missing: readonly string[];
  /** Notes that were not saved when their node died, and are gone. */
  readonly wentWithNodes: number;
  /** Notes that came too late and are kept for an operator. */
  readonly refused: number;
}

interface Findings {
  readonly lost: string[];
  readonly doubled: string[];
  readonly missing: string[];
  notes: number;
  wentWithNodes: number;
}

const NOTHING: Entries = { count: 0, last: 0 };
const SHOWN_MAX = 10;

/** @param diaries as they were before the look at the tables, which have only more since */
export function auditDiaries(
  diaries: readonly PlayersDiary[],
  tables: DiaryTables,
  { atRest }: { readonly atRest: boolean },
): DiaryAudit {
  const found: Findings = { lost: [], doubled: [], missing: [], notes: 0, wentWithNodes: 0 };
  for (const { playerId, pages } of diaries) {
    const refused = tables.refused.filter((change) => change.playerId === playerId);
    const stored = tables.diaries.get(playerId) ?? NOTHING;
    auditPages({ playerId, pages }, { stored, refused, atRest }, found);
  }
  return { ...found, refused: sum(tables.refused) };
}

/** `1,234 notes: 0 lost, 0 doubled`, what else became of them, and what is wrong. */
export function diaryAuditText(audit: DiaryAudit): string {
  const { notes, lost, doubled, missing, wentWithNodes, refused } = audit;
  const counts = `${notes} notes: ${lost.length} lost, ${doubled.length} doubled`;
  const unsaved = `not saved yet: ${wentWithNodes} gone with their nodes, ${refused} refused as late`;
  const wrong = [...lost, ...doubled, ...missing].slice(0, SHOWN_MAX);
  return [`${counts} (${unsaved})`, ...wrong].join("; ");
}

export function areDiariesClean({ lost, doubled, missing }: DiaryAudit): boolean {
  return lost.length + doubled.length + missing.length === 0;
}

interface Truth {
  readonly stored: Entries;
  readonly refused: readonly RefusedNotes[];
  readonly atRest: boolean;
}

function auditPages({ playerId, pages }: PlayersDiary, truth: Truth, found: Findings): void {
  let saved = NOTHING;
  let sentBefore = 0;
  for (const [index, page] of pages.entries()) {
    const next = pages[index + 1]?.opened;
    const name = `page ${index + 1} of ${playerId} in ${page.regionId}`;
    saved = page.saved ?? saved;
    const late = truth.refused.filter(({ last }) => last > sentBefore && last <= page.sent);
    requireSaved(name, saved, next ?? truth.stored, found);
    // The last page goes on while the players write: what the tables have may be newer.
    if (next || truth.atRest) requireWritten(name, page, next ?? truth.stored, found);
    accountForGone(name, page, { next, late: sum(late), ...truth }, found);
    found.notes += page.written.count - page.opened.count;
    sentBefore = page.sent;
  }
}

function requireSaved(name: string, saved: Entries, next: Entries, { lost }: Findings): void {
  if (next.count >= saved.count && next.last >= saved.last) return;
  lost.push(`${name}: ${text(saved)} was saved, there is ${text(next)}`);
}

function requireWritten(name: string, page: Page, next: Entries, { doubled }: Findings): void {
  const { written, unanswered, sent } = page;
  if (next.count <= written.count + Number(unanswered) && next.last <= sent) return;
  doubled.push(`${name}: ${text(written)} was written, there is ${text(next)}`);
}

interface Outcome extends Truth {
  /** What the next page was opened with. */
  readonly next: Entries | undefined;
  /** How many of the page's notes were refused. */
  readonly late: number;
}

/** Each note that was made is there, was refused, or went with its node: one of them. */
function accountForGone(name: string, page: Page, outcome: Outcome, found: Findings): void {
  const { next, late, stored, atRest } = outcome;
  if (!next && !atRest) return;
  const gone = Math.max(0, page.written.count - (next ?? stored).count);
  if (late > gone + Number(page.unanswered)) {
    found.doubled.push(`${name}: ${late} notes were refused, and only ${gone} are gone`);
  }
  const unexplained = Math.max(0, gone - late);
  if (page.nodeKilled) found.wentWithNodes += unexplained;
  else if (atRest && unexplained > 0) {
    found.missing.push(`${name}: ${unexplained} notes are neither there nor refused`);
  }
}

function sum(changes: readonly RefusedNotes[]): number {
  return changes.reduce((total, { count }) => total + count, 0);
}

function text({ count, last }: Entries): string {
  return `${count} notes up to no. ${last}`;
}
