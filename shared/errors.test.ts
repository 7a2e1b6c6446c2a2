import assert from "node:assert/strict";
import { test } from "node:test";
import { describeKind, errorKinds, failureFromBody, isFailure, MeridianError } from "./errors.ts";

test("a failure keeps its kind across a process boundary", () => {
  for (const kind of errorKinds()) {
    const sent = new MeridianError(kind, { message: "why", retryAfterMs: 250 });
    const received = failureFromBody(sent.status, JSON.parse(JSON.stringify(sent.toBody())));
    assert.equal(received.kind, kind);
    assert.equal(received.message, "why");
    assert.equal(received.retryAfterMs, 250);
    assert.equal(received.retryable, sent.retryable);
    assert.ok(isFailure(received, kind));
  }
});

test("an answer that is no error body becomes a failure by its status", () => {
  assert.equal(failureFromBody(502, "<html>").kind, "unavailable");
  assert.equal(failureFromBody(404, null).kind, "bad_request");
  const newer = { error: { kind: "from_the_future", message: "m", retryable: false } };
  assert.equal(failureFromBody(500, newer).kind, "unavailable");
  assert.equal(failureFromBody(400, newer).message, "m");
  const inherited = { error: { kind: "toString", message: "m", retryable: false } };
  assert.equal(failureFromBody(400, inherited).kind, "bad_request");
});

test("only the retry codes of Colyseus and 1001 make a stock client retry", () => {
  const retried = errorKinds().filter((kind) =>
    [1001, 4010].includes(describeKind(kind).closeCode),
  );
  assert.deepEqual(retried.sort(), ["going_away", "resync", "room_moved"]);
  for (const kind of retried) assert.equal(describeKind(kind).retryable, true);
});

test("close codes are legal for an application or a known protocol code", () => {
  for (const kind of errorKinds()) {
    const { closeCode } = describeKind(kind);
    assert.ok([1001, 1009].includes(closeCode) || (closeCode >= 4000 && closeCode <= 4999), kind);
  }
});
