/**
 * Finds an order for the operations on one object, or proves that there is none.
 *
 * A depth-first search over configurations (the operations placed so far, and the state after
 * them) that visits none twice, after Wing and Gong, and Lowe. Three rules keep it short. Each
 * leaves out only orders that have a twin which is not left out:
 *
 * 1. What changes no state is placed as soon as its answer fits, with no way back: whatever could
 *    come before it could come after it.
 * 2. An operation of unknown outcome is placed only where the next one needs its effect. Otherwise
 *    it might as well never have taken effect.
 * 3. Of two configurations that are alike but for the unknown operations that they have used, the
 *    one that has used fewer is enough.
 *
 * There is no recursion and no bit mask of fixed width. Checked against brute force.
 *
 * References: Wing and Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for
 * linearizability" (2017).
 */
import { invariant } from '../runtime/index.ts';
import { type Model, type Operation, STEPS_MAX_DEFAULT } from './linearizability-model.ts';
import { type Known, OpenOperations } from './linearizability-open.ts';

export interface Search<State, Input, Output> {
  readonly verdict: 'linearizable' | 'violation' | 'unknown';
  readonly steps: number;
  /** The longest order found; of a linearizable history it holds all whose outcome is known. */
  readonly order: ReadonlyArray<Operation<Input, Output>>;
  /** The state after that order. */
  readonly state: State;
}

export function searchOrder<State, Input, Output>(
  operations: ReadonlyArray<Operation<Input, Output>>,
  model: Model<State, Input, Output>,
  stepsMax = STEPS_MAX_DEFAULT,
): Search<State, Input, Output> {
  return new OrderSearch(operations, model, stepsMax).run();
}

/** A step that the search may take: place an operation, and so come to a state. */
interface Move<State> {
  /** An index into the known operations, `~index` into the unknown ones, or `START`. */
  readonly place: number;
  readonly state: State;
  /** Moves are tried from the least. */
  readonly urgency: number;
}

/** A configuration on the path, with what is still to be tried from it. */
interface Frame<State> {
  /** The move that led here. */
  readonly via: Move<State>;
  readonly moves: ReadonlyArray<Move<State>>;
  nextMove: number;
}

const START = Number.POSITIVE_INFINITY;

/** What the first open return waits for goes first; then by the order of returns. */
const URGENCY = { first: -2, opensWay: -1, unknown: Number.MAX_SAFE_INTEGER } as const;

/** Shared by all configurations of a history without unknown outcomes. Never added to. */
const NO_UNKNOWN = [new Uint8Array(0)];

class OrderSearch<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #stepsMax: number;
  readonly #open: OpenOperations<Input, Output>;
  readonly #isUnknownPlaced: Uint8Array;
  /** For what was visited: which unknown operations had been placed, in the smallest sets. */
  readonly #visited = new Map<string, Uint8Array[]>();
  readonly #path: Array<Frame<State>> = [];
  #longest: ReadonlyArray<Move<State>> = [];
  #steps = 0;

  constructor(
    operations: ReadonlyArray<Operation<Input, Output>>,
    model: Model<State, Input, Output>,
    stepsMax: number,
  ) {
    this.#model = model;
    this.#stepsMax = stepsMax;
    const known: Array<Known<Input, Output>> = [];
    const unknown: Array<Operation<Input, Output>> = [];
    for (const operation of [...operations].sort((a, b) => a.calledAt - b.calledAt)) {
      const { returned, calledAt, input } = operation;
      invariant(
        returned === undefined || returned.at >= calledAt,
        'returns come after their calls',
      );
      if (returned !== undefined) known.push({ operation, returned });
      else if (!model.isReadOnly(input, undefined)) unknown.push(operation);
    }
    this.#open = new OpenOperations(known, unknown);
    this.#isUnknownPlaced = new Uint8Array(unknown.length);
  }

  run(): Search<State, Input, Output> {
    if (this.#open.openCount === 0) return this.#result('linearizable', []);
    this.#enter({ place: START, state: this.#model.initial, urgency: URGENCY.first });
    for (;;) {
      const frame = this.#path.at(-1);
      if (frame === undefined) return this.#result('violation', this.#longest);
      if (this.#steps > this.#stepsMax) return this.#result('unknown', this.#longest);
      if (frame.nextMove === frame.moves.length) {
        if (this.#path.length > this.#longest.length) this.#longest = this.#moves();
        this.#path.pop();
        this.#takeBack(frame.via.place);
        continue;
      }
      const move = frame.moves[frame.nextMove++];
      this.#place(move.place);
      if (this.#open.openCount === 0) return this.#result('linearizable', [...this.#moves(), move]);
      if (this.#isNew(move.state)) this.#enter(move);
      else this.#takeBack(move.place);
    }
  }

  #enter(via: Move<State>): void {
    const moves = this.#movesAfter(via, this.#path.at(-1)?.via);
    this.#path.push({ via, moves, nextMove: 0 });
  }

  /** What may come next: operations called before the first open return. */
  #movesAfter(via: Move<State>, before: Move<State> | undefined): Array<Move<State>> {
    const { state } = via;
    const without = via.place < 0 ? before : undefined;
    const { indexes, first } = this.#open.candidates();
    const moves: Array<Move<State>> = [];
    for (const place of indexes) {
      const { operation, returned } = this.#open.known[place];
      const { input } = operation;
      const { output } = returned;
      const states = this.#step(state, input, output);
      if (states.length === 0) continue;
      if (this.#model.isReadOnly(input, output)) return [{ place, state, urgency: URGENCY.first }];
      for (const next of states) {
        if (without !== undefined && this.#leadsTo(without.state, input, output, next)) continue;
        const late = this.#opensWay(next, first) ? URGENCY.opensWay : this.#open.returnRank[place];
        moves.push({ place, state: next, urgency: place === first ? URGENCY.first : late });
      }
    }
    for (const index of this.#unknownCandidates(first)) {
      const { input } = this.#open.unknown[index];
      for (const next of this.#step(state, input, undefined)) {
        if (this.#isSame(state, next)) continue;
        if (without !== undefined && this.#leadsTo(without.state, input, undefined, next)) continue;
        if (!this.#isNeeded(state, next, indexes, index, first)) continue;
        const urgency = this.#opensWay(next, first) ? URGENCY.opensWay : URGENCY.unknown;
        moves.push({ place: ~index, state: next, urgency });
      }
    }
    return moves.sort((a, b) => a.urgency - b.urgency);
  }

  /** Whether the operation that all others wait for fits this state. */
  #opensWay(state: State, first: number): boolean {
    const { operation, returned } = this.#open.known[first];
    return this.#step(state, operation.input, returned.output).length > 0;
  }

  /** Whether anything that may come next needs a change that an unknown operation makes. */
  #isNeeded(
    state: State,
    changed: State,
    candidates: readonly number[],
    unknownIndex: number,
    first: number,
  ): boolean {
    const isNeededFor = (next: State, input: Input, output: Output | undefined): boolean =>
      !this.#model.ignoresState(input, output) && !this.#leadsTo(state, input, output, next);
    return (
      candidates.some((place) => {
        const { operation, returned } = this.#open.known[place];
        return this.#step(changed, operation.input, returned.output).some((next) =>
          isNeededFor(next, operation.input, returned.output),
        );
      }) ||
      this.#unknownCandidates(first).some((index) => {
        const { input } = this.#open.unknown[index];
        return (
          index !== unknownIndex &&
          this.#step(changed, input, undefined).some(
            (next) => !this.#isSame(changed, next) && isNeededFor(next, input, undefined),
          )
        );
      })
    );
  }

  #unknownCandidates(first: number): number[] {
    const indexes: number[] = [];
    const firstReturn = this.#open.returnRank[first];
    for (let index = 0; index < this.#isUnknownPlaced.length; index++) {
      // They are sorted by their calls.
      if (this.#open.unknownCallRank[index] > firstReturn) break;
      if (this.#isUnknownPlaced[index] === 0) indexes.push(index);
    }
    return indexes;
  }

  #leadsTo(state: State, input: Input, output: Output | undefined, next: State): boolean {
    return this.#step(state, input, output).some((other) => this.#isSame(other, next));
  }

  #step(state: State, input: Input, output: Output | undefined): readonly State[] {
    this.#steps++;
    return this.#model.step(state, input, output);
  }

  #isSame(a: State, b: State): boolean {
    return a === b || this.#model.stateKey(a) === this.#model.stateKey(b);
  }

  #place(place: number): void {
    if (place < 0) this.#isUnknownPlaced[~place] = 1;
    else this.#open.take(place);
  }

  /** Undoes the last `#place` that was not undone. */
  #takeBack(place: number): void {
    if (place < 0) this.#isUnknownPlaced[~place] = 0;
    else if (place !== START) this.#open.putBack(place);
  }

  /** Notes the configuration. False where it, or one that had used less, was there before. */
  #isNew(state: State): boolean {
    const key = `${this.#open.key()} ${this.#model.stateKey(state)}`;
    const sets = this.#visited.get(key);
    if (sets === undefined) {
      const isPlain = this.#isUnknownPlaced.length === 0;
      this.#visited.set(key, isPlain ? NO_UNKNOWN : [this.#isUnknownPlaced.slice()]);
      return true;
    }
    if (sets.some((set) => isSubset(set, this.#isUnknownPlaced))) return false;
    sets.push(this.#isUnknownPlaced.slice());
    return true;
  }

  #moves(): Array<Move<State>> {
    return this.#path.slice(1).map(({ via }) => via);
  }

  #result(
    verdict: Search<State, Input, Output>['verdict'],
    moves: ReadonlyArray<Move<State>>,
  ): Search<State, Input, Output> {
    const order = moves.map(({ place }) =>
      place < 0 ? this.#open.unknown[~place] : this.#open.known[place].operation,
    );
    const last = moves.at(-1);
    const state = last === undefined ? this.#model.initial : last.state;
    return { verdict, steps: this.#steps, order, state };
  }
}

function isSubset(set: Uint8Array, other: Uint8Array): boolean {
  for (let index = 0; index < set.length; index++) {
    if (set[index] === 1 && other[index] === 0) return false;
  }
  return true;
}
