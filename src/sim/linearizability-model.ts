/** What is judged: operations, and the object that they claim to have used. */

/** One call by one client. Times are of any unit, and equal times count as concurrent. */
export interface Operation<Input, Output> {
  readonly client: string;
  /** Operations on different keys are independent objects. */
  readonly key: string;
  readonly input: Input;
  readonly calledAt: number;
  /** Missing where the outcome is unknown. What is known to have failed is not an operation. */
  readonly returned?: { readonly at: number; readonly output: Output };
}

/** The object that the history is compared with, one for each key. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /**
   * The states that are possible after `input` has answered `output` in `state`: none where it
   * cannot have. An undefined output is an unknown one, which excludes nothing.
   */
  step(state: State, input: Input, output: Output | undefined): readonly State[];
  /** Whether it changes no state whatever, given its output: `step` gives `[state]` or nothing. */
  isReadOnly(input: Input, output: Output | undefined): boolean;
  /**
   * Whether it comes to the same state from whatever state, and answers this in all of them. To
   * say false is always right, and makes the search longer.
   */
  ignoresState(input: Input, output: Output | undefined): boolean;
  /** Equal for equal states only. */
  stateKey(state: State): string;
  /** In words, such as `write "7"` and `returned "7"`. */
  describeInput(input: Input): string;
  describeOutput(input: Input, output: Output): string;
  /** Continues the sentence "then the key …". */
  describeState(state: State): string;
}

/** Calls of `Model.step`, for each key: a few seconds at most. */
export const STEPS_MAX_DEFAULT = 5_000_000;
