/**
 * One process of a local cluster: started, stopped, and hurt in the ways that a machine can be.
 *
 * It ends when this process does, in whatever way that ends: the channel between them closes. A
 * frozen one cannot notice that, so whoever froze it has already sent for its thawing.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CachectlError } from '../../cluster/errors.ts';
import type { Timer } from '../../runtime/index.ts';
import { timers } from '../../runtime/node/clock.ts';
import { orderPart } from './partition.ts';

export interface PartPlan {
  readonly name: string;
  readonly role: 'meta' | 'node';
  readonly address: string;
  readonly http: string | undefined;
  /** Of `cachectl`. */
  readonly args: readonly string[];
}

type PartState = 'starting' | 'running' | 'frozen' | 'cut off' | 'ended';

export interface PartListener {
  /** What it writes to stderr once it serves. */
  onWords(part: LocalPart, words: string): void;
  /** It had served, and was not asked to stop. */
  onEnded(part: LocalPart, how: string): void;
}

const STOP_MS = 10_000;
const WORDS_MAX = 4000;

export class LocalPart {
  readonly plan: PartPlan;
  readonly #listener: PartListener;
  #child: ChildProcess | undefined;
  #state: PartState = 'ended';
  #recovery: Timer | undefined;
  #isStopping = false;

  constructor(plan: PartPlan, listener: PartListener) {
    this.plan = plan;
    this.#listener = listener;
  }

  get name(): string {
    return this.plan.name;
  }

  get state(): PartState {
    return this.#state;
  }

  /** 0 where there is no process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What a person types to have it again. */
  get command(): string {
    return `cachectl ${this.plan.args.join(' ')}`;
  }

  /**
   * Returns once it serves.
   *
   * @throws {CachectlError} `ERR_CACHECTL_FAILED`, with its own words
   */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [process.argv[1] ?? '', ...this.plan.args], {
      // By the channel it learns that this process is gone; Ctrl-C must not reach it by itself.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.#child = child;
    this.#state = 'starting';
    let words = '';
    child.stderr?.on('data', (chunk) => {
      if (this.#state === 'starting') words = (words + String(chunk)).slice(-WORDS_MAX);
      else this.#listener.onWords(this, String(chunk));
    });
    const ended = once(child, 'close').then(() => this.#onClosed(child));
    if (!(await untilServes(child))) {
      const how = await ended;
      // Its own first line, without its hint: what helps is another flag here.
      const [line] = words.trim().split('\n');
      const reason = line.replace(/^Error: /, '') || `it ended with ${how}`;
      const hint = line.includes('port is in use')
        ? { hint: 'Stop what holds the port, or give another --base-port.' }
        : {};
      throw new CachectlError('ERR_CACHECTL_FAILED', `${this.name} did not start: ${reason}`, hint);
    }
    this.#state = 'running';
    if (words !== '') this.#listener.onWords(this, words);
  }

  /** Asks it to end, and insists after a while. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'close');
    this.#recover(child);
    child.kill('SIGTERM');
    const impatience = timers.after(STOP_MS, () => child.kill('SIGKILL'));
    await ended;
    impatience.cancel();
  }

  /** `kill -9`. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** All of it stands still for a while, as a process does whose machine has other things to do. */
  freeze(durationMs: number): void {
    const child = this.#child;
    if (child?.pid === undefined || this.#state !== 'running') return;
    // A process of its own sees to the end of it, since this one may be killed meanwhile.
    const script = 'kill -STOP "$0"; sleep "$1"; kill -CONT "$0"';
    const args = ['-c', script, String(child.pid), String(durationMs / 1000)];
    spawn('sh', args, { detached: true, stdio: 'ignore' }).unref();
    this.#hurt('frozen', child, durationMs);
  }

  /** Other parts and it do not reach each other for a while; clients still reach it. */
  cutOff(durationMs: number): void {
    const child = this.#child;
    if (child === undefined || this.#state !== 'running') return;
    orderPart(child, 'cut');
    this.#hurt('cut off', child, durationMs);
  }

  #hurt(state: 'frozen' | 'cut off', child: ChildProcess, durationMs: number): void {
    this.#state = state;
    this.#recovery = timers.after(durationMs, () => this.#recover(child));
  }

  #recover(child: ChildProcess): void {
    this.#recovery?.cancel();
    if (this.#state === 'frozen') child.kill('SIGCONT');
    if (this.#state === 'cut off') orderPart(child, 'heal');
    if (this.#state === 'frozen' || this.#state === 'cut off') this.#state = 'running';
  }

  #onClosed(child: ChildProcess): string {
    this.#recovery?.cancel();
    const how = child.signalCode ?? `exit code ${child.exitCode}`;
    const hadServed = this.#state !== 'starting';
    this.#state = 'ended';
    this.#child = undefined;
    if (hadServed && !this.#isStopping) this.#listener.onEnded(this, how);
    return how;
  }
}

async function untilServes({ stdout }: ChildProcess): Promise<boolean> {
  if (stdout === null) return false;
  for await (const line of createInterface(stdout)) {
    if (!line.includes(' serves ')) continue;
    stdout.resume();
    return true;
  }
  return false;
}
