import type { OperatorRole } from "../../shared/protocol/ops.ts";

/** Who called, by the token. */
export interface Operator {
  readonly id: string;
  readonly name: string;
  readonly role: OperatorRole;
}
