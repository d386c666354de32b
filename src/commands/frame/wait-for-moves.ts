/** Waits for moves to end, and shows how far they are. */
import { Flags } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import { isMoveOver } from '../../cluster/move.ts';
import type { MoveView } from '../../meta/admin/index.ts';
import { clock } from '../../runtime/node/clock.ts';
import { MoveProgress } from './move-progress.ts';
import { pause } from './pause.ts';
import { withProgress } from './progress.ts';

export const waitFlag = Flags.boolean({ summary: 'Wait until all is done.' });

/** @returns them as they ended */
export async function untilOver(
  begun: readonly MoveView[],
  look: () => Promise<readonly MoveView[]>,
): Promise<readonly MoveView[]> {
  const ids = new Set(begun.map(({ id }) => id));
  const nowMs = (): number => clock.monotonicUs() / 1000;
  const progress = new MoveProgress(nowMs());
  let moves = begun;
  progress.saw(moves, nowMs());
  await withProgress(
    () => progress.words,
    async () => {
      while (!moves.every(isMoveOver)) {
        await pause(progress.lookAgainMs);
        moves = (await look()).filter(({ id }) => ids.has(id));
        progress.saw(moves, nowMs());
      }
    },
  );
  return moves;
}

/** @throws {CachectlError} `ERR_CACHECTL_FAILED` */
export function failWhereAborted(moves: readonly MoveView[]): void {
  const aborted = moves.filter(({ phase }) => phase === 'aborted');
  if (aborted.length === 0) return;
  const words = aborted.map(({ id, error }) => `move ${id} was aborted: ${error ?? 'no reason'}`);
  throw new CachectlError('ERR_CACHECTL_FAILED', words.join('; '));
}
