import { EXIT } from '../../cluster/errors.ts';
import { clock } from '../../runtime/node/clock.ts';

/**
 * A launcher and its child may both pass on one Ctrl-C. What comes later than this is a second
 * one, from a person who is tired of waiting.
 */
const SAME_SIGNAL_US = 250_000;

/**
 * Resolves at the first SIGINT or SIGTERM, or when the process is gone that started this one as its
 * part. A second signal ends the process at once, with 130.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtUs: number | undefined;
    const onSignal = () => {
      if (firstAtUs === undefined) {
        firstAtUs = clock.monotonicUs();
        resolve();
      } else if (clock.monotonicUs() - firstAtUs > SAME_SIGNAL_US) {
        process.exit(EXIT.interrupted);
      }
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    if (process.connected) process.once('disconnect', () => resolve());
  });
}
