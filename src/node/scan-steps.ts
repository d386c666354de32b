/**
 * Commands that look at every key: in steps of bounded length, with other clients served between.
 *
 * The client that asked waits; the answer holds what was there all the time, and may or may not
 * hold what came or went meanwhile.
 */
import type { OutputBuffer } from '../runtime/index.ts';
import type { Call } from './call.ts';

/** Buckets in one step: about half a millisecond's work. */
const BUCKETS_A_STEP = 2000;

/**
 * Calls `visit` with the live records of the call's domain until it returns false, then lets
 * `reply` write. Where one step is enough the reply is written within the call.
 */
export function scanInSteps(
  call: Call,
  visit: (ref: number) => boolean,
  reply: (out: OutputBuffer) => void,
): void {
  const { node, engine, domain, session, out } = call;
  let cursor = 0;
  let isDone = false;
  const step = (): boolean => {
    for (let bucket = 0; bucket < BUCKETS_A_STEP && !isDone; bucket++) {
      cursor = engine.scan(domain, cursor, (ref) => {
        if (!isDone) isDone = !visit(ref);
      });
      isDone ||= cursor === 0;
    }
    return isDone;
  };
  if (step()) {
    reply(out);
    return;
  }
  const isMuted = session.replyMode !== 'on';
  session.suspend();
  const goOn = (): void => {
    if (session.closed) return;
    node.beginBatch();
    if (!step()) {
      node.runtime.timers.defer(goOn);
      return;
    }
    if (!isMuted) reply(out);
    session.flush();
    session.wake();
  };
  node.runtime.timers.defer(goOn);
}
