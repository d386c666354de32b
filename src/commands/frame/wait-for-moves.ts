/** Waits for moves to end, and shows how far they are. */
import { Flags } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import { isMoveOver } from '../../cluster/move.ts';
import type { MoveView } from '../../meta/admin/index.ts';
import { roughSize } from './admin-views.ts';
import { withProgress } from './progress.ts';

const LOOK_MS = 250;

export const waitFlag = Flags.boolean({ summary: 'Wait until all is done.' });

/** @returns them as they ended */
export async function untilOver(
  begun: readonly MoveView[],
  look: () => Promise<readonly MoveView[]>,
): Promise<readonly MoveView[]> {
  const ids = new Set(begun.map(({ id }) => id));
  let moves = begun;
  const words = () => {
    const over = moves.filter(isMoveOver).length;
    const copiedBytes = moves.reduce((sum, move) => sum + move.copiedBytes, 0);
    return `${over} of ${moves.length} moves are over, ${roughSize(copiedBytes)} copied`;
  };
  await withProgress(words, async () => {
    while (!moves.every(isMoveOver)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      moves = (await look()).filter(({ id }) => ids.has(id));
    }
  });
  return moves;
}

/** @throws {CachectlError} `ERR_CACHECTL_FAILED` */
export function failWhereAborted(moves: readonly MoveView[]): void {
  const aborted = moves.filter(({ phase }) => phase === 'aborted');
  if (aborted.length === 0) return;
  const words = aborted.map(({ id, error }) => `move ${id} was aborted: ${error ?? 'no reason'}`);
  throw new CachectlError('ERR_CACHECTL_FAILED', words.join('; '));
}
