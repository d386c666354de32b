/**
 * A condition that holds unless the program itself is wrong. Stays on in production: a core that
 * has broken its own rules must stop before it answers anyone.
 *
 * @throws {InvariantError} when the condition does not hold.
 */
export function invariant(condition: boolean, words: string): asserts condition {
  if (!condition) throw new InvariantError(words);
}

export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}
