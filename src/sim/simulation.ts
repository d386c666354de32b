/**
 * The kernel: one virtual world and the loop that moves it, event by event.
 *
 * All that happens follows from the seed and from what the caller schedules. After each callback
 * into a process the observer sees it, so that an oracle misses no state.
 */
import { EventQueue } from './event-queue.ts';
import { Stream } from './keyed-random.ts';
import { SimNetwork, type NetworkSettings } from './network.ts';
import { Points } from './points.ts';
import { SimProcess, type ProcessSettings } from './process.ts';
import { Trace, type TraceOptions } from './trace.ts';

/** A broken promise of the system under test. */
export class OracleViolation extends Error {
  override readonly name = 'OracleViolation';
  /** Which promise; the same violation found again has the same oracle. */
  readonly oracle: string;

  /** @param sentence one sentence that says what was violated, with the values */
  constructor(oracle: string, sentence: string) {
    super(sentence);
    this.oracle = oracle;
  }
}

/** The oracle of code that throws. */
const EXCEPTION_ORACLE = 'no-exception';

export interface Observer {
  /** A callback of a living process has returned. */
  afterStep(process: SimProcess): void;
  /** A process was killed or lost power. */
  ended(process: SimProcess): void;
}

/** Something that happened to a process, for the reader of a failure. */
export interface Transition {
  readonly timeUs: number;
  /** Undefined: to the world as a whole. */
  readonly process: string | undefined;
  readonly words: string;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly network: NetworkSettings;
  readonly trace?: TraceOptions;
  /** The last so many are kept. */
  readonly transitionsMax?: number;
}

export class Simulation {
  readonly seed: number;
  readonly queue = new EventQueue();
  readonly trace: Trace;
  readonly points = new Points();
  readonly network: SimNetwork;
  readonly processes: SimProcess[] = [];
  observer: Observer | undefined;
  /** Is told of what the world calls out, such as that a leader was elected. */
  onSignal: ((name: string, process: SimProcess) => void) | undefined;
  /** Events so far. */
  steps = 0;
  readonly #streams = new Map<string, Stream>();
  readonly #byName = new Map<string, SimProcess>();
  readonly #transitionsMax: number;
  #transitions: Transition[] = [];

  constructor({ seed, network, trace, transitionsMax = 200 }: SimulationOptions) {
    this.seed = seed;
    this.trace = new Trace(trace);
    this.#transitionsMax = transitionsMax;
    this.network = new SimNetwork(this, network);
  }

  /** The draws about one kind of thing; the same name gives the same stream. */
  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new Stream(this.seed, name, ({ name: of }, value) => this.trace.draw(value, of));
      this.#streams.set(name, stream);
    }
    return stream;
  }

  /** A new process, not yet started. Names are host names, too. */
  addProcess(settings: ProcessSettings): SimProcess {
    const process = new SimProcess(this, this.processes.length + 1, settings);
    this.processes.push(process);
    this.#byName.set(process.name, process);
    return process;
  }

  processNamed(name: string): SimProcess | undefined {
    return this.#byName.get(name);
  }

  /** Something of the world itself, at a time from now: a fault, an operation. */
  schedule(delayUs: number, what: string, run: () => void): void {
    this.queue.schedule(delayUs, () => {
      this.steps += 1;
      this.trace.event(this.queue.nowUs, 0, what);
      run();
    });
  }

  /** Runs a callback of a process, and shows the process to the observer. */
  step(process: SimProcess, what: string, run: () => void): void {
    this.steps += 1;
    this.trace.event(this.queue.nowUs, process.id, what);
    const { life } = process;
    try {
      run();
    } catch (error) {
      throw asViolation(error, process);
    }
    if (process.life === life && process.status !== 'down') this.observer?.afterStep(process);
  }

  ended(process: SimProcess): void {
    this.observer?.ended(process);
  }

  /** The system under test has come to a state that faults may be triggered by. */
  signal(name: string, process: SimProcess): void {
    this.onSignal?.(name, process);
  }

  /** Counts a situation that campaigns must reach. */
  reachable(point: string): void {
    this.points.add(point, 1, this.seed);
  }

  /** Counts it where `condition` holds. */
  sometimes(condition: boolean, point: string): void {
    if (condition) this.points.add(point, 1, this.seed);
  }

  /** @throws {OracleViolation} always: nobody should ever come here. */
  unreachable(point: string, sentence: string): never {
    throw new OracleViolation(point, sentence);
  }

  /** Remembers a transition for the report of a failure. */
  note(process: SimProcess | undefined, words: string): void {
    this.#transitions.push({ timeUs: this.queue.nowUs, process: process?.name, words });
    if (this.#transitions.length >= this.#transitionsMax * 2) {
      this.#transitions = this.#transitions.slice(-this.#transitionsMax);
    }
  }

  get transitions(): readonly Transition[] {
    return this.#transitions.slice(-this.#transitionsMax);
  }
}

function asViolation(error: unknown, process: SimProcess): unknown {
  if (error instanceof OracleViolation) return error;
  if (error instanceof Error && error.name === 'Divergence') return error;
  const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const violation = new OracleViolation(EXCEPTION_ORACLE, `${process.name} threw ${words}`);
  if (error instanceof Error) violation.cause = error;
  return violation;
}
