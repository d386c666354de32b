/**
 * The fingerprint of a run: a hash over every event and every draw, in order. Two runs of one
 * scenario must have equal ones, in any process on any machine.
 *
 * To find where two runs part, the first keeps the hash after each step (`record`), and the second
 * compares as it goes (`against`): it stops at the first step that differs, which it can name.
 */
import { mix } from './keyed-random.ts';

/** The hash after each event and draw of a run. */
export type DrawLog = Uint32Array;

/** Thrown where a run leaves the one that it is compared with. */
export class Divergence extends Error {
  override readonly name = 'Divergence';
  readonly step: number;
  readonly timeUs: number;

  constructor(step: number, timeUs: number, what: string) {
    super(`the runs part at step ${step}, at ${timeUs} µs, in ${what}`);
    this.step = step;
    this.timeUs = timeUs;
  }
}

export interface TraceOptions {
  readonly record?: boolean;
  readonly against?: DrawLog;
}

export class Trace {
  #low = 0x2545f491;
  #high = 0x4f6cdd1d;
  #steps = 0;
  #timeUs = 0;
  #log: Uint32Array | undefined;
  readonly #against: DrawLog | undefined;

  constructor(options: TraceOptions = {}) {
    if (options.record === true) this.#log = new Uint32Array(1 << 12);
    this.#against = options.against;
  }

  /** 16 hex digits. */
  get hash(): string {
    const half = (lane: number): string => (lane >>> 0).toString(16).padStart(8, '0');
    return half(this.#high) + half(this.#low);
  }

  get log(): DrawLog {
    return (this.#log ?? new Uint32Array(0)).slice(0, this.#steps);
  }

  /** `what` names the step, should it be the first that differs. */
  event(timeUs: number, subject: number, what: string): void {
    this.#timeUs = timeUs;
    this.#low = mix(mix(this.#low, timeUs), subject);
    this.#high = mix(this.#high, this.#low ^ 0x51ed270b);
    this.#keep(what);
  }

  draw(value: number, what: string): void {
    this.#low = mix(this.#low, value);
    this.#keep(what);
  }

  #keep(what: string): void {
    const step = this.#steps;
    this.#steps += 1;
    if (this.#against !== undefined) {
      const expected = this.#against[step];
      if (expected !== this.#low >>> 0) throw new Divergence(step, this.#timeUs, what);
    }
    if (this.#log === undefined) return;
    if (step === this.#log.length) {
      const grown = new Uint32Array(step * 2);
      grown.set(this.#log);
      this.#log = grown;
    }
    this.#log[step] = this.#low;
  }
}
