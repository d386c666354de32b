import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { checkLinearizable } from './linearizability.ts';
import { explainViolation } from './linearizability-explain.ts';
import {
  type RegisterInput,
  registerModel,
  type RegisterOperation,
  type RegisterOutput,
} from './linearizability-register.ts';

import type { Model, Operation } from './linearizability-model.ts';
import { searchOrder } from './linearizability-search.ts';

/** Tries every order that real time allows, and every set of unknown operations. */
function isLinearizableByForce<State, Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  model: Model<State, Input, Output>,
): boolean {
  const from = (rest: ReadonlyArray<Operation<Input, Output>>, state: State): boolean =>
    rest.every(({ returned }) => returned === undefined) ||
    rest.some((first) => {
      const others = rest.filter((each) => each !== first);
      const isTooLate = others.some(
        ({ returned }) => returned !== undefined && returned.at < first.calledAt,
      );
      return (
        !isTooLate &&
        model.step(state, first.input, first.returned?.output).some((next) => from(others, next))
      );
    });
  return from(operations, model.initial);
}

/** What is wrong about the culprit: which other answers, or times of it, would make all fit. */
function reasonByForce(
  operations: readonly RegisterOperation[],
  culprit: RegisterOperation,
): string {
  const { returned, ...weak } = culprit;
  if (returned === undefined) throw new Error('a culprit has answered');
  const early = { ...culprit, calledAt: -Infinity };
  const late = { ...culprit, returned: { ...returned, at: Infinity } };
  return [culprit, weak, early, late]
    .map((by) => operations.map((each) => (each === culprit ? by : each)))
    .map((each) => isLinearizableByForce(each, registerModel))
    .join();
}

function answer(state: string | undefined, input: RegisterInput): RegisterOutput {
  switch (input.kind) {
    case 'read':
      return { kind: 'read', value: state };
    case 'write':
      return { kind: 'write' };
    case 'cas':
      return { kind: 'cas', swapped: state === input.expected };
    case 'delete':
      return { kind: 'delete', existed: state !== undefined };
  }
}

function withAnswer(
  operation: RegisterOperation,
  at: number,
  output: RegisterOutput,
): RegisterOperation {
  return { ...operation, returned: { at, output } };
}

interface Draft {
  readonly input: RegisterInput;
  readonly calledAt: number;
  /** From the call to the instant of the effect, and from there to the return. */
  readonly delay: number;
  readonly rest: number;
  readonly fate: 'returned' | 'lost answer' | 'lost call';
}

/** Carries the drafts out one at a time, each at its instant. */
function carryOut(drafts: readonly Draft[], key = 'k'): RegisterOperation[] {
  let state: string | undefined;
  const byInstant = [...drafts].sort((a, b) => a.calledAt + a.delay - (b.calledAt + b.delay));
  return byInstant.map(({ input, calledAt, delay, rest, fate }, index) => {
    const operation = { client: `c${index}`, key, input, calledAt };
    if (fate === 'lost call') return operation;
    const output = answer(state, input);
    const [next] = registerModel.step(state, input, output);
    state = next;
    return fate === 'lost answer'
      ? operation
      : withAnswer(operation, calledAt + delay + rest, output);
  });
}

const value = fc.constantFrom('a', 'b', 'c');
const input: fc.Arbitrary<RegisterInput> = fc.oneof(
  fc.record({ kind: fc.constant('read' as const) }),
  fc.record({ kind: fc.constant('write' as const), value }),
  fc.record({
    kind: fc.constant('cas' as const),
    expected: fc.option(value, { nil: undefined }),
    value,
  }),
  fc.record({ kind: fc.constant('delete' as const) }),
);
const draft: fc.Arbitrary<Draft> = fc.record({
  input,
  calledAt: fc.nat(12),
  delay: fc.nat(3),
  rest: fc.nat(3),
  fate: fc.constantFrom('returned', 'returned', 'returned', 'lost answer', 'lost call'),
});
/** What came of real executions, of which some answers are then given another output or time. */
const history: fc.Arbitrary<RegisterOperation[]> = fc
  .record({
    drafts: fc.array(draft, { minLength: 1, maxLength: 7 }),
    lies: fc.array(fc.record({ at: fc.nat(6), state: fc.option(value), shift: fc.nat(4) }), {
      maxLength: 4,
    }),
  })
  .map(({ drafts, lies }) => {
    const operations = carryOut(drafts);
    for (const { at, state, shift } of lies) {
      const index = at % operations.length;
      const { returned, ...operation } = operations[index];
      if (returned === undefined) continue;
      operations[index] = {
        ...operation,
        calledAt: operation.calledAt + shift,
        returned: { at: returned.at + shift, output: answer(state ?? undefined, operation.input) },
      };
    }
    return operations;
  });

describe('against brute force', () => {
  test('the same verdict on small histories of a register', () => {
    const verdicts = { linearizable: 0, violation: 0, unknown: 0 };
    fc.assert(
      fc.property(history, (operations) => {
        const { verdict } = checkLinearizable(operations, registerModel);
        verdicts[verdict]++;
        const isLinearizable = isLinearizableByForce(operations, registerModel);
        expect(verdict).toBe(isLinearizable ? 'linearizable' : 'violation');
      }),
      { numRuns: 6000 },
    );
    expect(verdicts.unknown).toBe(0);
    expect(verdicts.violation).toBeGreaterThan(1500);
    expect(verdicts.linearizable).toBeGreaterThan(1500);
  });

  test('the same verdict where the object itself may choose', () => {
    // A cache may lose what it holds at any read, and show so or not.
    const cache: typeof registerModel = {
      ...registerModel,
      isReadOnly: () => false,
      step: (state, each, output) => {
        if (each.kind !== 'read') return registerModel.step(state, each, output);
        if (output?.kind === 'read' && output.value !== undefined) {
          return registerModel.step(state, each, output);
        }
        return state === undefined ? [undefined] : [state, undefined];
      },
    };
    const verdicts = { linearizable: 0, violation: 0, unknown: 0 };
    fc.assert(
      fc.property(history, (operations) => {
        const { verdict } = checkLinearizable(operations, cache);
        verdicts[verdict]++;
        const isLinearizable = isLinearizableByForce(operations, cache);
        expect(verdict).toBe(isLinearizable ? 'linearizable' : 'violation');
      }),
      { numRuns: 3000 },
    );
    expect(verdicts.violation).toBeGreaterThan(500);
    expect(verdicts.linearizable).toBeGreaterThan(500);
  });

  test('an order that is found keeps to real time and to the model', () => {
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 30 }), (drafts) => {
        const operations = carryOut(drafts);
        const { verdict, order, state } = searchOrder(operations, registerModel);
        expect(verdict).toBe('linearizable');
        let last: string | undefined;
        order.forEach((each, index) => {
          const next = registerModel.step(last, each.input, each.returned?.output);
          expect(next).toHaveLength(1);
          last = next[0];
          for (const later of order.slice(index + 1)) {
            expect(later.returned?.at ?? Infinity).toBeGreaterThanOrEqual(each.calledAt);
          }
        });
        expect(state).toBe(last);
        const known = operations.filter(({ returned }) => returned !== undefined);
        expect(order).toEqual(expect.arrayContaining(known));
      }),
      { numRuns: 300 },
    );
  });
});

const withKey = (operation: RegisterOperation, key: string): RegisterOperation => ({
  ...operation,
  key,
});

/** Short histories by hand: `[calledAt, returnedAt, input, output]`; the client is the place. */
type Line = readonly [number, number | undefined, RegisterInput, RegisterOutput?];

function byHand(...lines: readonly Line[]): RegisterOperation[] {
  return lines.map(([calledAt, at, each, output], index) => {
    const operation = { client: `${index + 1}`, key: 'k', input: each, calledAt };
    if (at === undefined || output === undefined) return operation;
    return withAnswer(operation, at, output);
  });
}

const read: RegisterInput = { kind: 'read' };
const saw = (seen: string | undefined): RegisterOutput => ({ kind: 'read', value: seen });
const write = (written: string): RegisterInput => ({ kind: 'write', value: written });
const wrote: RegisterOutput = { kind: 'write' };
const cas = (expected: string, next: string): RegisterInput => ({
  kind: 'cas',
  expected,
  value: next,
});
const swapped: RegisterOutput = { kind: 'cas', swapped: true };
const remove: RegisterInput = { kind: 'delete' };
const removed: RegisterOutput = { kind: 'delete', existed: true };

const verdictOf = (...lines: readonly Line[]): string =>
  checkLinearizable(byHand(...lines), registerModel).verdict;

describe('histories that every checker must know', () => {
  test.each<[string, string, Line[]]>([
    [
      'violation',
      'a stale read',
      [
        [0, 1, write('1'), wrote],
        [2, 3, write('2'), wrote],
        [4, 5, read, saw('1')],
      ],
    ],
    [
      'violation',
      'a lost write',
      [
        [0, 1, write('1'), wrote],
        [2, 3, read, saw(undefined)],
      ],
    ],
    [
      'violation',
      'a value that comes back after a delete',
      [
        [0, 1, write('1'), wrote],
        [2, 3, remove, removed],
        [4, 5, read, saw('1')],
      ],
    ],
    [
      'violation',
      'two swaps of one value',
      [
        [0, 1, write('1'), wrote],
        [2, 6, cas('1', '2'), swapped],
        [3, 7, cas('1', '3'), swapped],
      ],
    ],
    ['violation', 'a read of what was never written', [[0, 1, read, saw('9')]]],
    [
      'violation',
      'a read from the future',
      [
        [0, 1, read, saw('1')],
        [2, 3, write('1'), wrote],
      ],
    ],
    [
      'violation',
      'two readers who disagree about the order',
      [
        [0, 9, write('1'), wrote],
        [0, 9, write('2'), wrote],
        [1, 2, read, saw('1')],
        [3, 4, read, saw('2')],
        [5, 6, read, saw('1')],
      ],
    ],
    [
      'linearizable',
      'a read beside the write it sees',
      [
        [0, 5, write('1'), wrote],
        [1, 2, read, saw('1')],
        [6, 7, read, saw('1')],
      ],
    ],
    [
      'linearizable',
      'a read that sees a write of the same instant',
      [
        [0, 1, read, saw('1')],
        [1, 2, write('1'), wrote],
      ],
    ],
    [
      'linearizable',
      'a lost answer whose effect comes late',
      [
        [0, undefined, write('1')],
        [2, 3, write('2'), wrote],
        [4, 5, read, saw('2')],
        [6, 7, read, saw('1')],
      ],
    ],
    [
      'linearizable',
      'a lost answer without effect',
      [
        [0, undefined, write('1')],
        [2, 3, read, saw(undefined)],
      ],
    ],
    [
      'violation',
      'a lost answer whose effect comes twice',
      [
        [0, undefined, write('1')],
        [2, 3, read, saw('1')],
        [4, 5, write('2'), wrote],
        [6, 7, read, saw('1')],
      ],
    ],
    [
      'violation',
      'the effect of a call that is made later',
      [
        [0, 1, read, saw('1')],
        [2, undefined, write('1')],
      ],
    ],
    ['linearizable', 'nothing at all', []],
  ])('%s: %s', (expected, _name, lines) => {
    expect(verdictOf(...lines)).toBe(expected);
  });

  test('keys do not see each other, and the key that is wrong is named', () => {
    const good = byHand([0, 1, write('1'), wrote], [2, 3, read, saw('1')]);
    const bad = byHand([0, 1, read, saw('1')]).map((each) => withKey(each, 'other'));
    expect(checkLinearizable(good, registerModel).verdict).toBe('linearizable');
    const verdict = checkLinearizable([...good, ...bad], registerModel);
    expect(verdict).toEqual({ verdict: 'violation', key: 'other', operations: bad });
  });
});

/** Drafts of `clients` that each call one operation after another. */
function load(clients: number, each: number, inputs: (n: number) => RegisterInput): Draft[] {
  return Array.from({ length: clients * each }, (_, n) => ({
    input: inputs(n),
    // An own hash in place of a generator: any spread of overlaps will do.
    calledAt: Math.floor(n / clients) * 100 + ((n * 7919) % 89),
    delay: (n * 104729) % 53,
    rest: (n * 1299709) % 47,
    fate: 'returned',
  }));
}

const mixed = (n: number): RegisterInput => {
  if (n % 3 === 0) return read;
  return n % 7 === 1 ? cas(`${n - 2}`, `${n}`) : write(`${n}`);
};

describe('long histories of one key', () => {
  test('thousands of operations, far past any bit mask', () => {
    const operations = carryOut(load(8, 1000, mixed));
    const { verdict, steps } = searchOrder(operations, registerModel);
    expect(verdict).toBe('linearizable');
    expect(steps).toBeLessThan(operations.length * 40);
  });

  test('one operation that stays open all the time', () => {
    const drafts = load(4, 500, mixed);
    const open = carryOut([
      { ...drafts[0], calledAt: 0, delay: 99_999, rest: 1 },
      ...drafts.slice(1),
    ]);
    expect(searchOrder(open, registerModel).verdict).toBe('linearizable');
  });

  test('a violation at the very end, behind many lost answers', () => {
    const drafts = load(4, 500, mixed);
    for (let n = 7; n < drafts.length; n += 100) {
      drafts[n] = { ...drafts[n], fate: n % 200 === 7 ? 'lost call' : 'lost answer' };
    }
    const operations = carryOut(drafts);
    expect(searchOrder(operations, registerModel).verdict).toBe('linearizable');
    const end = 1_000_000;
    operations.push(
      ...byHand([end, end + 1, write('last'), wrote], [end + 2, end + 3, read, saw('1')]),
    );
    expect(searchOrder(operations, registerModel).verdict).toBe('violation');
  });

  test('the budget ends the search, at the same step every time', () => {
    const operations = carryOut(load(8, 100, mixed));
    const needed = searchOrder(operations, registerModel).steps;
    expect(searchOrder(operations, registerModel, needed).verdict).toBe('linearizable');
    expect(searchOrder(operations, registerModel, needed >> 1).verdict).toBe('unknown');
    expect(searchOrder(operations, registerModel).steps).toBe(needed);
    const keyed = operations.map((each) => withKey(each, 'long'));
    expect(checkLinearizable(keyed, registerModel, 10)).toMatchObject({
      verdict: 'unknown',
      key: 'long',
    });
    // What is certain counts more than what is not.
    const bad = byHand([0, 1, read, saw('1')]);
    expect(checkLinearizable([...keyed, ...bad], registerModel, 10).verdict).toBe('violation');
  });
});

describe('the explanation of a violation', () => {
  const explained = (
    operations: RegisterOperation[],
  ): ReturnType<typeof explainViolation<unknown, RegisterInput, RegisterOutput>> => {
    const verdict = checkLinearizable(operations, registerModel);
    if (verdict.verdict !== 'violation')
      throw new Error(`expected a violation, got ${verdict.verdict}`);
    return explainViolation(verdict, registerModel);
  };

  test('of a stale read among thousands: the write, the one after it, and the read', () => {
    const operations = carryOut(load(4, 500, mixed));
    const seen = operations.filter(({ input: each }) => each.kind === 'write')[100];
    if (seen.input.kind !== 'write') throw new Error('expected a write');
    operations.push({
      client: 'late',
      key: 'k',
      input: read,
      calledAt: 1_000_000,
      returned: { at: 1_000_001, output: saw(seen.input.value) },
    });
    const explanation = explained(operations);
    expect(explanation.operations).toHaveLength(3);
    expect(explanation.operations).toContain(seen);
    expect(explanation.culprit.client).toBe('late');
    expect(explanation.rightTime).toBe('before its call');
  });

  test('in words', () => {
    const { words } = explained(
      byHand(
        [0, 1, write('1'), wrote],
        [1, 3, read, saw('1')],
        [2, 30, write('3'), wrote],
        [4, 5, write('2'), wrote],
        [8, 12, read, saw('1')],
      ),
    );
    expect(words).toBe(
      [
        'Key "k" is not linearizable. No order of these operations, each at one instant from its call to its return, gives these answers',
        '(the fewest that show it, of 5 on the key):',
        '  #1  client 1  0 to 1   write "1"  done',
        '  #2  client 4  4 to 5   write "2"  done',
        '  #3  client 5  8 to 12  read       returned "1"',
        'After #1, #2 the key holds "2": there #3 (read) cannot have answered: returned "1".',
        'The answer was right only before its call: it is stale.',
      ].join('\n'),
    );
  });

  test.each<[string, number, Line[]]>([
    [
      'before its call',
      2,
      [
        [0, 1, write('1'), wrote],
        [2, 3, read, saw(undefined)],
      ],
    ],
    [
      'after its return',
      2,
      [
        [0, 1, read, saw('1')],
        [2, 3, write('1'), wrote],
      ],
    ],
    [
      'never',
      1,
      [
        [0, 1, write('1'), wrote],
        [2, 3, read, saw('9')],
      ],
    ],
    [
      'never',
      3,
      [
        [0, 1, write('1'), wrote],
        [2, 6, cas('1', '2'), swapped],
        [3, 7, cas('1', '3'), swapped],
      ],
    ],
  ])('tells when the answer was right: %s', (rightTime, count, lines) => {
    // The history goes wrong as soon as an answer is given that no call so far explains.
    const explanation = explained(byHand(...lines));
    if (rightTime === 'after its return') expect(explanation.operations).toHaveLength(1);
    else expect(explanation).toMatchObject({ rightTime, operations: { length: count } });
  });

  test('is a violation itself, in which the others fit without the culprit', () => {
    let checked = 0;
    fc.assert(
      fc.property(history, (operations) => {
        const verdict = checkLinearizable(operations, registerModel);
        if (verdict.verdict !== 'violation') return;
        checked++;
        const { operations: few, culprit, words } = explainViolation(verdict, registerModel);
        expect(isLinearizableByForce(few, registerModel)).toBe(false);
        const { returned: _answer, ...weak } = culprit;
        const others = few.map((each) => (each === culprit ? weak : each));
        expect(isLinearizableByForce(others, registerModel)).toBe(true);
        expect(words).toContain('cannot have answered');
        const reason = reasonByForce(few, culprit);
        for (const dropped of few) {
          if (dropped === culprit) continue;
          const fewer = few.filter((each) => each !== dropped);
          expect(reasonByForce(fewer, culprit)).not.toBe(reason);
        }
      }),
      { numRuns: 1000 },
    );
    expect(checked).toBeGreaterThan(200);
  });
});
