/**
 * Straight-line code over callbacks: a generator that yields each wait, so that it reads like
 * synchronous code, without a promise, whose turns no simulator could put in order.
 */
import type { Done, SystemError } from '../runtime/index.ts';

/** Something that is waited for: it calls `resume` once, later. */
type Wait = (resume: () => void) => void;

export type Steps<T> = Generator<Wait, T, void>;

/** `const size = yield* waitFor<number>((done) => disk.size(path, done))`. Throws its error. */
export function* waitFor<T = void>(call: (done: Done<T>) => void): Steps<T> {
  const answers: T[] = [];
  let failure: SystemError | undefined;
  yield (resume) =>
    call((error, value) => {
      if (error === undefined) answers.push(value);
      else failure = error;
      resume();
    });
  if (failure !== undefined) throw failure;
  return answers[0];
}

/** @param done is told what the steps returned or threw; an error that it throws itself is not. */
export function runSteps<T>(
  steps: Steps<T>,
  done: (outcome: { readonly value: T } | { readonly thrown: unknown }) => void,
): void {
  const advance = (): void => {
    let result: IteratorResult<Wait, T>;
    try {
      result = steps.next();
    } catch (thrown) {
      done({ thrown });
      return;
    }
    if (result.done === true) done({ value: result.value });
    else result.value(advance);
  };
  advance();
}
