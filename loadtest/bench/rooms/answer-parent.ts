/**
 * A child process of the benchmark, on its own side: it does what its parent asks by name, and ends with
 * it. Ctrl-C reaches every process of the terminal; the parent alone decides what comes of it.
 */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What it can be asked; an argument is what the parent's side of the same file sends. */
export type Answers = Readonly<Record<string, (argument: never) => unknown>>;

/** @param onOrphaned before the end, when the parent is gone */
export function answerParent(answers: Answers, onOrphaned: () => void = () => {}): void {
  process.on("SIGINT", () => {});
  process.once("disconnect", () => {
    onOrphaned();
    process.exit();
  });
  process.on("message", (question: Question) => {
    // Its failure is the answer.
    void answer(answers, question).then((said) => process.send?.(said));
  });
}

async function answer(answers: Answers, { id, name, argument }: Question): Promise<Answer> {
  try {
    return { id, value: await answers[name]?.(argument as never) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}
