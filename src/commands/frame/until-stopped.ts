import { EXIT } from '../../cluster/errors.ts';

/**
 * A launcher and its child may both pass on one Ctrl-C. What comes later than this is a second
 * one, from a person who is tired of waiting.
 */
const SAME_SIGNAL_MS = 250;

/**
 * Resolves at the first SIGINT or SIGTERM, or when the process is gone that started this one as its
 * part. A second signal ends the process at once, with 130.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const onSignal = () => {
      if (firstAtMs === undefined) {
        firstAtMs = performance.now();
        resolve();
      } else if (performance.now() - firstAtMs > SAME_SIGNAL_MS) {
        process.exit(EXIT.interrupted);
      }
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    if (process.connected) process.once('disconnect', () => resolve());
  });
}
