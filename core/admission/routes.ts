/** `POST /v1/queue/poll`, `/v1/queue/events`, `/v1/queue/leave`. */
import { Readable } from "node:stream";
import { z } from "zod";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import {
  LeaveQueueRequest,
  PollAnswer,
  PollRequest,
  QueueEventsRequest,
} from "../../shared/protocol/queue.ts";
import { failures } from "../http/failures.ts";
import { callerOf } from "../join/caller.ts";
import type { Admission } from "./admission.ts";
import { placeEvents } from "./place-events.ts";

export function addQueueRoutes(server: HttpServer, admission: Admission): void {
  addPollRoute(server, admission);
  addEventsRoute(server, admission);
  addLeaveRoute(server, admission);
}

function addPollRoute(server: HttpServer, admission: Admission): void {
  server.post(
    "/v1/queue/poll",
    {
      config: { cap: "polls" },
      schema: {
        tags: ["joining"],
        summary: "How far a place in the queue has come; keeps it",
        body: PollRequest,
        response: {
          200: PollAnswer,
          ...failures("place_lost", "too_many_requests", "bad_request", "queue_full"),
        },
      },
    },
    async (request, reply) => {
      const { token, ...options } = request.body;
      const { gone } = callerOf(request, reply);
      return { queue: await admission.poll(token, { ...options, gone }) };
    },
  );
}

function addEventsRoute(server: HttpServer, admission: Admission): void {
  server.post(
    "/v1/queue/events",
    {
      config: { cap: "streams" },
      schema: {
        tags: ["joining"],
        summary: "The same as server-sent events `place`, for pages",
        description: "Each event's data is what a poll would answer as `queue`.",
        body: QueueEventsRequest,
        response: { 200: z.string(), ...failures("place_lost", "unavailable") },
      },
    },
    async (request, reply) => {
      if (admission.calls.full) {
        const message = "Too many streams are open: poll instead.";
        throw new MeridianError("unavailable", { message, retryAfterMs: 60_000 });
      }
      const { gone } = callerOf(request, reply);
      // What is wrong with the token is an answer, not an event.
      const events = await placeEvents(admission, request.body.token, gone);
      return reply
        .type("text/event-stream")
        .header("cache-control", "no-store")
        .serializer(String)
        .send(Readable.from(events, { objectMode: false }) as unknown as string);
    },
  );
}

function addLeaveRoute(server: HttpServer, admission: Admission): void {
  server.post(
    "/v1/queue/leave",
    {
      config: { cap: "polls" },
      schema: {
        tags: ["joining"],
        summary: "Give up a place in the queue",
        description: "A place that was given up already is no failure.",
        body: LeaveQueueRequest,
        response: { 204: z.null(), ...failures() },
      },
    },
    async (request, reply) => {
      try {
        const { playerId } = await admission.restore(request.body.token);
        admission.leave(playerId);
      } catch (error) {
        if (!isFailure(error, "place_lost")) throw error;
      }
      return reply.status(204).send(null);
    },
  );
}
