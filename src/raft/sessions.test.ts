import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCommand, SESSION_LIMITS, SESSION_RULES, SessionStateMachine } from './sessions.ts';
import type { SessionLimits } from './sessions.ts';
import { concat } from './testing/disk.ts';
import { ListMachine } from './testing/peer.ts';
import { asIndex } from './types.ts';

class Bench {
  readonly inner = new ListMachine();
  readonly machine: SessionStateMachine;
  index = 0;

  constructor(limits: SessionLimits = SESSION_LIMITS) {
    this.machine = new SessionStateMachine(this.inner, limits, SESSION_RULES);
  }

  open(nonce: number): number {
    const opened = this.#apply(encodeCommand({ kind: 'open', nonce }));
    expect(opened).toEqual({ kind: 'opened', nonce, session: this.index });
    return this.index;
  }

  command(session: number, serial: number, answeredThrough = 0) {
    const bytes = new TextEncoder().encode(`${session}/${serial}`);
    const command = { kind: 'command', session, serial, answeredThrough, bytes } as const;
    return this.#apply(encodeCommand(command));
  }

  #apply(bytes: Uint8Array) {
    this.index++;
    return this.machine.apply(bytes, asIndex(this.index));
  }
}

function answer(session: number, serial: number, text: string) {
  return { kind: 'answered', session, serial, bytes: new TextEncoder().encode(text) };
}

describe('a session', () => {
  test('applies a command once, however often it was proposed, and repeats the first answer', () => {
    const bench = new Bench();
    const session = bench.open(1);
    expect(bench.command(session, 1)).toEqual(answer(session, 1, '1'));
    expect(bench.command(session, 2)).toEqual(answer(session, 2, '2'));
    expect(bench.command(session, 1)).toEqual(answer(session, 1, '1'));
    expect(bench.inner.commands).toEqual([`${session}/1`, `${session}/2`]);
  });

  test('takes serials in any order, since proposals may overtake each other', () => {
    const bench = new Bench();
    const session = bench.open(1);
    bench.command(session, 2);
    expect(bench.command(session, 1)).toEqual(answer(session, 1, '2'));
    expect(bench.inner.commands.length).toBe(2);
  });

  test('forgets an answer that the client has, and still does not apply the command again', () => {
    const bench = new Bench();
    const session = bench.open(1);
    bench.command(session, 1);
    bench.command(session, 2, 1);
    expect(bench.command(session, 1)).toEqual({ kind: 'answerGone', session, serial: 1 });
    expect(bench.inner.commands.length).toBe(2);
  });

  test('that was never opened, or closed for want of use, applies nothing', () => {
    const bench = new Bench({ sessionsMax: 2, answersMax: 9 });
    expect(bench.command(99, 1).kind).toBe('sessionUnknown');
    const [first, second] = [bench.open(1), bench.open(2)];
    bench.command(first, 1);
    const third = bench.open(3);
    expect(bench.command(second, 1).kind).toBe('sessionUnknown');
    expect(bench.command(first, 1).kind).toBe('answered');
    expect(bench.command(third, 1).kind).toBe('answered');
    expect(bench.inner.commands).toEqual([`${first}/1`, `${third}/1`]);
  });

  test('keeps a bounded number of answers, the latest', () => {
    const bench = new Bench({ sessionsMax: 2, answersMax: 3 });
    const session = bench.open(1);
    for (let serial = 1; serial <= 5; serial++) bench.command(session, serial);
    expect(bench.command(session, 2).kind).toBe('answerGone');
    expect(bench.command(session, 3)).toEqual(answer(session, 3, '3'));
    expect(bench.inner.commands.length).toBe(5);
  });
});

const step = fc.record({
  session: fc.integer({ min: 0, max: 3 }),
  serial: fc.integer({ min: 1, max: 6 }),
  acknowledges: fc.integer({ min: 0, max: 3 }),
});

test('a snapshot in pieces cut anywhere, taken at any time, goes on exactly as the original', () => {
  fc.assert(
    fc.property(
      fc.array(step),
      fc.array(step),
      fc.integer({ min: 1, max: 9 }),
      (before, after, cut) => {
        const limits = { sessionsMax: 3, answersMax: 2 };
        const original = new Bench(limits);
        const sessions = [1, 2, 3, 4].map((nonce) => original.open(nonce));
        const play = (bench: Bench, steps: typeof before) =>
          steps.map(({ session, serial, acknowledges }) =>
            bench.command(sessions[session], serial, acknowledges),
          );
        play(original, before);
        const pieces = original.machine.snapshot();
        const copy = new Bench(limits);
        copy.index = original.index;
        // What is applied after the snapshot was taken must not show in it.
        const bytes = concat(pieces);
        const parts = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, at) =>
          bytes.subarray(at * cut, (at + 1) * cut),
        );
        copy.machine.restore(parts);
        expect(copy.inner.commands).toEqual(original.inner.commands);
        expect(play(copy, after)).toEqual(play(original, after));
        expect(copy.inner.commands).toEqual(original.inner.commands);
        expect(concat(copy.machine.snapshot())).toEqual(concat(original.machine.snapshot()));
      },
    ),
  );
});

test('what is applied after a snapshot was taken does not show in it', () => {
  const bench = new Bench();
  const session = bench.open(1);
  bench.command(session, 1);
  const pieces = bench.machine.snapshot();
  bench.command(session, 2);
  const copy = new Bench();
  copy.machine.restore(pieces);
  expect(copy.inner.commands).toEqual([`${session}/1`]);
  expect(copy.command(session, 2).kind).toBe('answered');
});
