/** The floor: a bare Fastify that parses the same polls, and answers each with text that is there already. */
import fastify from "fastify";
import type { BareReady } from "../route/bare-process.ts";

const body = "x".repeat(Number(process.env.BODY_BYTES));
const server = fastify();
server.post("/v1/queue/poll", async (_request, reply) => reply.type("application/json").send(body));
const ready: BareReady = { url: await server.listen({ host: "127.0.0.1", port: 0 }) };
process.send?.(ready);
