/**
 * Makes a violation small enough to read, and says in words what is wrong with it.
 *
 * Leaving an operation out can make a history wrong in a way that it was not: without its write,
 * every read of a value looks invented. So a smaller history counts only where it is wrong for the
 * same reason. There is one operation, the culprit, without whose answer all the others fit, and
 * its answer would have been right at the same other times as before, or at none.
 */
import { type Model, type Operation, STEPS_MAX_DEFAULT } from './linearizability-model.ts';
import type { Violation } from './linearizability.ts';
import { searchOrder } from './linearizability-search.ts';

/** When the culprit's answer would have been right. */
type RightTime = 'before its call' | 'after its return' | 'at another time' | 'never';

export interface Explanation<Input, Output> {
  /** In the order of their calls. None can be left out. */
  readonly operations: ReadonlyArray<Operation<Input, Output>>;
  readonly culprit: Operation<Input, Output>;
  readonly rightTime: RightTime;
  /** Lines for a terminal. */
  readonly words: string;
}

export function explainViolation<State, Input, Output>(
  violation: Violation<Input, Output>,
  model: Model<State, Input, Output>,
  stepsMax = STEPS_MAX_DEFAULT,
): Explanation<Input, Output> {
  const shrinker = new Shrinker(model, stepsMax);
  const { operations, culprit, rightTime } = shrinker.shrink(violation.operations);
  const longest = searchOrder(operations, model, stepsMax);
  const words = [
    `Key ${JSON.stringify(violation.key)} is not linearizable. No order of these operations, ` +
      'each at one instant from its call to its return, gives these answers',
    `(the fewest that show it, of ${violation.operations.length} on the key):`,
    ...table(operations, model),
    placing(operations, culprit, longest.order, longest.state, model),
    RIGHT_TIME_WORDS[rightTime],
  ].join('\n');
  return { operations, culprit, rightTime, words };
}

const RIGHT_TIME_WORDS: Readonly<Record<RightTime, string>> = {
  'before its call': 'The answer was right only before its call: it is stale.',
  'after its return': 'The answer became right only after its return: it came too early.',
  'at another time': 'The answer was right before its call and after its return, but not between.',
  never: 'The answer was right at no time, before or after.',
};

/** A history that is wrong, and about which operation. */
interface Wrong<Input, Output> {
  readonly operations: ReadonlyArray<Operation<Input, Output>>;
  readonly culprit: Operation<Input, Output>;
  readonly rightTime: RightTime;
}

class Shrinker<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #stepsMax: number;

  constructor(model: Model<State, Input, Output>, stepsMax: number) {
    this.#model = model;
    this.#stepsMax = stepsMax;
  }

  shrink(all: ReadonlyArray<Operation<Input, Output>>): Wrong<Input, Output> {
    const { operations: prefix, culprit } = this.#shortestPrefix(all);
    let operations = prefix;
    const rightTime = this.#rightTime(operations, culprit);
    for (let size = operations.length >> 1; size > 0;) {
      const before = operations.length;
      for (let start = 0; start < operations.length;) {
        const smaller = operations.filter(
          (each, index) => index < start || index >= start + size || each === culprit,
        );
        const isWrongAlike =
          smaller.length < operations.length &&
          this.#verdict(smaller) === 'violation' &&
          this.#verdict(replaced(smaller, culprit, withoutOutcome(culprit))) === 'linearizable' &&
          this.#rightTime(smaller, culprit) === rightTime;
        if (isWrongAlike) operations = smaller;
        else start += size;
      }
      // One by one again and again, since each that goes may have been what kept another.
      if (size > 1 || operations.length === before) size >>= 1;
    }
    return { operations, culprit, rightTime };
  }

  /**
   * What had happened when the history first went wrong. Any moment of a linearizable history is
   * one, so the first moment that is not can be found by halving.
   */
  #shortestPrefix(
    all: ReadonlyArray<Operation<Input, Output>>,
  ): Pick<Wrong<Input, Output>, 'operations' | 'culprit'> {
    const times = [...new Set(all.flatMap(({ returned }) => (returned ? [returned.at] : [])))];
    times.sort((a, b) => a - b);
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#verdict(cutAt(all, times[middle])) === 'violation') high = middle;
      else low = middle + 1;
    }
    let operations = cutAt(all, times[high]);
    const last = operations.filter(({ returned }) => returned?.at === times[high]);
    let culprit = last[last.length - 1];
    // Of those that returned at that moment, the answers that are needed for it to be wrong.
    for (const each of last) {
      const weaker = replaced(operations, each, withoutOutcome(each));
      if (this.#verdict(weaker) === 'violation') operations = weaker;
      else culprit = each;
    }
    return { operations, culprit };
  }

  #rightTime(
    operations: ReadonlyArray<Operation<Input, Output>>,
    culprit: Operation<Input, Output>,
  ): RightTime {
    const { returned } = culprit;
    if (returned === undefined) return 'never';
    const early = { ...culprit, calledAt: -Infinity };
    const late = { ...culprit, returned: { at: Infinity, output: returned.output } };
    const isRightBefore = this.#verdict(replaced(operations, culprit, early)) === 'linearizable';
    const isRightAfter = this.#verdict(replaced(operations, culprit, late)) === 'linearizable';
    if (isRightBefore) return isRightAfter ? 'at another time' : 'before its call';
    return isRightAfter ? 'after its return' : 'never';
  }

  #verdict(operations: ReadonlyArray<Operation<Input, Output>>): string {
    return searchOrder(operations, this.#model, this.#stepsMax).verdict;
  }
}

/** The history as it was known at one time. */
function cutAt<Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  at: number,
): Array<Operation<Input, Output>> {
  return operations
    .filter(({ calledAt }) => calledAt <= at)
    .map((each) =>
      each.returned !== undefined && each.returned.at > at ? withoutOutcome(each) : each,
    );
}

function withoutOutcome<Input, Output>({
  client,
  key,
  input,
  calledAt,
}: Operation<Input, Output>): Operation<Input, Output> {
  return { client, key, input, calledAt };
}

function replaced<T>(list: readonly T[], old: T, by: T): T[] {
  return list.map((each) => (each === old ? by : each));
}

function table<State, Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  { describeInput, describeOutput }: Model<State, Input, Output>,
): string[] {
  const rows = operations.map(({ client, input, calledAt, returned }, index) => [
    `#${index + 1}`,
    `client ${client}`,
    `${calledAt} to ${returned?.at ?? '?'}`,
    describeInput(input),
    returned === undefined ? 'outcome unknown' : describeOutput(input, returned.output),
  ]);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map(
    (row) =>
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd()}`,
  );
}

/** How far an order can be made, and what does not fit there. */
function placing<State, Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  culprit: Operation<Input, Output>,
  order: ReadonlyArray<Operation<Input, Output>>,
  state: State,
  { describeInput, describeOutput, describeState }: Model<State, Input, Output>,
): string {
  const number = (each: Operation<Input, Output>): string => `#${operations.indexOf(each) + 1}`;
  const open = operations.filter((each) => each.returned !== undefined && !order.includes(each));
  const stuck = open.includes(culprit) ? culprit : open[0];
  const after = order.length === 0 ? 'At first' : `After ${order.map(number).join(', ')}`;
  const answer =
    stuck.returned === undefined ? '' : describeOutput(stuck.input, stuck.returned.output);
  return (
    `${after} the key ${describeState(state)}: there ${number(stuck)} ` +
    `(${describeInput(stuck.input)}) cannot have answered: ${answer}.`
  );
}
