/**
 * Drives one server from one thread: holds the connections, runs one order after another on them,
 * and tallies.
 *
 * A closed run (the default) has each connection send as many requests as the pipeline is deep,
 * wait for all of their replies, and send again: latency is from the sending to the reply, and a
 * server that stalls is simply asked less. An open run sends by a schedule, whatever the server
 * does: latency is from the instant at which a request was due, so a stall counts for all that it
 * kept waiting.
 */
import { SKIMMED_ERROR, SKIMMED_NULL, type ReplySkimmer } from '../resp/index.ts';
import { OutputBuffer, type Runtime, type Timer } from '../runtime/index.ts';
import { Lane, type LaneOwner, type Target } from './lane.ts';
import type { Source } from './source.ts';
import { type Tally, createTally, recordError, recordLatency } from './tally.ts';

export interface Order {
  readonly source: Source;
  /** Requests in flight on a connection at most, up to the driver's depth. */
  readonly pipeline: number;
  /** The run sends so many requests at most; `Infinity` where time alone ends it. */
  readonly requests: number;
  /** No request is sent after this; `Infinity` where their number alone ends it. */
  readonly durationMs: number;
  /** Requests a second of an open run; undefined: closed. */
  readonly ratePerSecond: number | undefined;
  /** The run is given up when there was no reply at all for so long. */
  readonly stallMs: number;
}

const CONNECTING_MAX = 64;
const RECONNECT_MS = 100;
/** How often it is looked whether anything answers, in parts of the time that it may take. */
const CHECKS_A_STALL = 10;
/** A request due within this is waited for by spinning, since timers are only good to 1 ms. */
const SPIN_US = 2_000;

interface Run {
  readonly order: Order;
  readonly tally: Tally;
  readonly startedUs: number;
  readonly done: (tally: Tally) => void;
  end: Timer | undefined;
  watch: Timer | undefined;
  /** Of an open run: will send what is due next. */
  pump: Timer | undefined;
  isSpinning: boolean;
  /** Requests that are still to be sent. */
  left: number;
  lastReplyUs: number;
  /** Of an open run: how many requests it has sent, which says when the next is due. */
  sent: number;
}

export class Driver implements LaneOwner {
  readonly #runtime: Runtime;
  readonly #lanes: Lane[];
  readonly #output = new OutputBuffer();
  #opening: ((error: Error | undefined) => void) | undefined;
  #openCount = 0;
  #isClosed = false;
  #run: Run | undefined;
  #inFlight = 0;
  #nextLane = 0;

  constructor(runtime: Runtime, target: Target, shape: { connections: number; depth: number }) {
    this.#runtime = runtime;
    this.#lanes = Array.from(
      { length: shape.connections },
      () => new Lane(runtime, target, shape.depth, this),
    );
  }

  /** Makes all connections. `done` gets the first error, and then the driver is of no use. */
  open(done: (error: Error | undefined) => void): void {
    this.#opening = done;
    for (const lane of this.#lanes.slice(0, CONNECTING_MAX)) lane.connect();
  }

  /** One at a time, after `open`. */
  run(order: Order, done: (tally: Tally) => void): void {
    const nowUs = this.#runtime.clock.monotonicUs();
    const run: Run = {
      order,
      tally: createTally(),
      startedUs: nowUs,
      done,
      end: undefined,
      watch: undefined,
      pump: undefined,
      isSpinning: false,
      left: order.requests,
      lastReplyUs: nowUs,
      sent: 0,
    };
    this.#run = run;
    if (order.durationMs !== Infinity) {
      run.end = this.#runtime.timers.after(order.durationMs, () => this.#stop(run));
    }
    this.#watch(run);
    for (const lane of this.#lanes) lane.connect();
    if (order.ratePerSecond === undefined) for (const lane of this.#lanes) this.#refill(run, lane);
    else this.#pump(run);
    // A share of few requests may be none.
    if (run.left === 0 && this.#inFlight === 0) {
      this.#runtime.timers.defer(() => this.#finish(run));
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const lane of this.#lanes) lane.drop();
  }

  onOpen(lane: Lane): void {
    if (this.#opening !== undefined) {
      this.#openCount++;
      const next = this.#openCount + CONNECTING_MAX - 1;
      if (next < this.#lanes.length) this.#lanes[next].connect();
      if (this.#openCount === this.#lanes.length) this.#endOpening(undefined);
    } else {
      this.onReplies(lane);
    }
  }

  onReply(isRead: boolean, latencyUs: number, reply: ReplySkimmer): void {
    this.#inFlight--;
    const tally = this.#run?.tally;
    if (tally === undefined) return;
    if (reply.kind === SKIMMED_ERROR) {
      recordError(tally, reply.errorText);
      return;
    }
    tally.answered++;
    if (isRead) {
      if (reply.kind === SKIMMED_NULL) tally.misses++;
      else tally.hits++;
    }
    recordLatency(tally, isRead, latencyUs);
  }

  onReplies(lane: Lane): void {
    const run = this.#run;
    if (run === undefined) return;
    run.lastReplyUs = this.#runtime.clock.monotonicUs();
    if (run.order.ratePerSecond === undefined) this.#refill(run, lane);
    else this.#pump(run);
    if (run.left === 0 && this.#inFlight === 0) this.#finish(run);
  }

  onDown(lane: Lane, error: Error, inFlight: number): void {
    this.#inFlight -= inFlight;
    if (this.#opening !== undefined) {
      this.#endOpening(error);
      return;
    }
    const run = this.#run;
    if (run === undefined || this.#isClosed) return;
    run.tally.lost += inFlight;
    if (run.left === 0 && this.#inFlight === 0) {
      this.#finish(run);
      return;
    }
    this.#runtime.timers.after(RECONNECT_MS, () => {
      if (this.#run === run) lane.connect();
    });
  }

  #endOpening(error: Error | undefined): void {
    const done = this.#opening;
    this.#opening = undefined;
    if (error !== undefined) this.close();
    done?.(error);
  }

  /** Of a closed run: the next batch, where all of the last one has been answered. */
  #refill(run: Run, lane: Lane): void {
    if (lane.inFlight > 0 || !lane.isOpen) return;
    const count = Math.min(run.order.pipeline, run.left);
    if (count === 0) return;
    this.#send(run, lane, count, this.#runtime.clock.monotonicUs(), 0);
  }

  /** Of an open run: sends what is due by now, and sees to being called for what is due next. */
  #pump(run: Run): void {
    const { pipeline, ratePerSecond = 1 } = run.order;
    const intervalUs = 1_000_000 / ratePerSecond;
    while (run.left > 0) {
      const dueUs = run.startedUs + run.sent * intervalUs;
      const lateUs = this.#runtime.clock.monotonicUs() - dueUs;
      if (lateUs < 0) {
        this.#pumpLater(run, -lateUs);
        return;
      }
      const lane = this.#laneWithRoom(pipeline);
      // All are full: the next reply calls again.
      if (lane === undefined) return;
      const due = Math.floor(lateUs / intervalUs) + 1;
      const count = Math.min(due, pipeline - lane.inFlight, run.left);
      this.#send(run, lane, count, dueUs, intervalUs);
    }
  }

  #pumpLater(run: Run, waitUs: number): void {
    run.pump?.cancel();
    run.pump = undefined;
    if (waitUs > SPIN_US) {
      run.pump = this.#runtime.timers.after((waitUs - SPIN_US) / 1000, () => this.#pump(run));
    } else if (!run.isSpinning) {
      run.isSpinning = true;
      this.#runtime.timers.defer(() => {
        run.isSpinning = false;
        if (this.#run === run) this.#pump(run);
      });
    }
  }

  /** In turn, so that all connections share the load. */
  #laneWithRoom(pipeline: number): Lane | undefined {
    const lanes = this.#lanes;
    for (let tried = 0; tried < lanes.length; tried++) {
      const lane = lanes[this.#nextLane];
      this.#nextLane = this.#nextLane + 1 === lanes.length ? 0 : this.#nextLane + 1;
      if (lane.isOpen && lane.inFlight < pipeline) return lane;
    }
    return undefined;
  }

  /** @param gapUs between the instants at which the requests were due */
  #send(run: Run, lane: Lane, count: number, sinceUs: number, gapUs: number): void {
    const { source } = run.order;
    const output = this.#output;
    for (let index = 0; index < count; index++) {
      lane.note(sinceUs + index * gapUs, source.append(output));
    }
    run.left -= count;
    run.sent += count;
    this.#inFlight += count;
    lane.send(output);
  }

  /** Time is up: nothing more is sent. */
  #stop(run: Run): void {
    this.#countUnsent(run);
    run.left = 0;
    if (this.#inFlight === 0) this.#finish(run);
  }

  #countUnsent(run: Run): void {
    const { source, ratePerSecond } = run.order;
    if (ratePerSecond === undefined) return;
    const nowUs = this.#runtime.clock.monotonicUs();
    const dueBy = Math.floor(((nowUs - run.startedUs) * ratePerSecond) / 1_000_000) + 1;
    run.tally.unsent = Math.max(0, Math.min(dueBy - run.sent, run.left));
    for (let index = 0; index < run.tally.unsent; index++) {
      const dueUs = run.startedUs + ((run.sent + index) * 1_000_000) / ratePerSecond;
      recordLatency(run.tally, source.append(this.#output), nowUs - dueUs);
      this.#output.clear();
    }
  }

  /** Gives the run up where nothing answers. */
  #watch(run: Run): void {
    const { stallMs } = run.order;
    const isWaiting = this.#inFlight > 0 || !this.#lanes.some((lane) => lane.isOpen);
    const silentUs = this.#runtime.clock.monotonicUs() - run.lastReplyUs;
    if (isWaiting && silentUs > stallMs * 1000) {
      run.tally.unanswered = this.#inFlight;
      for (const lane of this.#lanes) lane.drop();
      this.#inFlight = 0;
      this.#finish(run);
    } else {
      run.watch = this.#runtime.timers.after(stallMs / CHECKS_A_STALL, () => this.#watch(run));
    }
  }

  #finish(run: Run): void {
    if (this.#run !== run) return;
    this.#run = undefined;
    run.end?.cancel();
    run.watch?.cancel();
    run.pump?.cancel();
    run.tally.elapsedUs = Math.max(this.#runtime.clock.monotonicUs() - run.startedUs, 1);
    run.done(run.tally);
  }
}
