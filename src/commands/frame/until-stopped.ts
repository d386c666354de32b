import { EXIT } from '../../cluster/index.ts';

/**
 * A launcher and its child may both pass on one Ctrl-C. What comes later than this is a second
 * one, from a person who is tired of waiting.
 */
const SAME_SIGNAL_MS = 250;

/**
 * Waits for SIGINT or SIGTERM, then stops cleanly; a second signal ends the process at once.
 *
 * @param stop resolves when all is closed.
 * @param failed rejects when what runs cannot go on by itself.
 * @returns the exit code: 0 after SIGTERM, which is how a supervisor asks; 130 after SIGINT.
 */
export async function untilStopped(
  stop: () => Promise<void>,
  failed: Promise<never>,
): Promise<number> {
  const signal = await Promise.race([firstSignal(), failed]);
  await stop();
  return signal === 'SIGTERM' ? EXIT.ok : EXIT.interrupted;
}

function firstSignal(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (firstAtMs === undefined) {
          firstAtMs = performance.now();
          resolve(signal);
        } else if (performance.now() - firstAtMs > SAME_SIGNAL_MS) {
          process.exit(EXIT.interrupted);
        }
      });
    }
  });
}
