/** Carries out the faults of a scenario, and takes them all back when the world is to heal. */
import { invariant } from '../runtime/index.ts';
import type { DiskCall, DiskOutcome, SectorAddress } from './disk.ts';
import { latencyUs } from './latency.ts';
import type { Link } from './network.ts';
import type { SimProcess } from './process.ts';
import type { DiskSettings, Fault, FaultKind } from './scenario.ts';
import type { Simulation } from './simulation.ts';

const SLOW_DISK_FACTOR = 100;

/** What is wrong with the disk of one process now. */
interface DiskTrouble {
  failing: Array<{ call: DiskCall['kind'] | 'any'; times: number }>;
  stalledUntilUs: number;
}

export interface InjectorOptions {
  readonly faults: readonly Fault[];
  readonly disk: DiskSettings;
  readonly leader: () => SimProcess | undefined;
  /** Told of each process that is cut off, just before. */
  readonly onCutOff: (process: SimProcess) => void;
}

export class Injector {
  /** How many faults of each kind were carried out. */
  readonly injected = new Map<FaultKind, number>();
  readonly #simulation: Simulation;
  readonly #options: InjectorOptions;
  readonly #trouble = new Map<SimProcess, DiskTrouble>();
  readonly #signals = new Map<string, number>();
  #isOver = false;

  constructor(simulation: Simulation, options: InjectorOptions) {
    this.#simulation = simulation;
    this.#options = options;
    simulation.onSignal = (name, process) => this.#onSignal(name, process);
  }

  /** Times of faults count from now. */
  begin(): void {
    for (const fault of this.#options.faults) {
      if (fault.on === undefined) this.#later(fault, undefined);
    }
  }

  /**
   * No fault begins any more, and in `core` nothing is wrong from now on: all its processes run,
   * and reach each other. With the rest of the world it is cut off from, if anything.
   */
  heal(core: readonly SimProcess[]): void {
    this.#isOver = true;
    const { network, processes } = this.#simulation;
    for (const process of core) {
      for (const other of processes) {
        if (core.includes(other)) network.repair(network.link(process, other));
        else this.#cutOff(process, other);
      }
      this.#trouble.delete(process);
      process.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
      process.callbackUs = 0;
      process.disarm();
      process.resume();
      if (process.status === 'down') process.start();
    }
  }

  decideDisk(process: SimProcess, call: DiskCall): DiskOutcome {
    const { disk } = this.#options;
    const stream = this.#simulation.stream('disk');
    let delayUs = latencyUs(disk.latency, stream.uint32(process.id, call.sequence));
    if (call.kind === 'sync' || call.kind === 'syncDirectory') {
      delayUs += latencyUs(disk.syncLatency, stream.uint32(process.id, call.sequence, 1));
    }
    if (disk.slow[0] > 0 && stream.chance(disk.slow, process.id, call.sequence, 2)) {
      delayUs *= SLOW_DISK_FACTOR;
    }
    const trouble = this.#trouble.get(process);
    if (trouble === undefined) return { delayUs };
    const { nowUs } = this.#simulation.queue;
    if (trouble.stalledUntilUs > nowUs) delayUs += trouble.stalledUntilUs - nowUs;
    const failing = trouble.failing.find(
      ({ call: kind, times }) => times > 0 && (kind === 'any' || kind === call.kind),
    );
    if (failing === undefined) return { delayUs };
    failing.times -= 1;
    this.#simulation.note(process, `disk fails: ${call.kind} ${call.path}`);
    const bytesWritten =
      call.bytes === 0
        ? 0
        : stream.below(Math.min(call.bytes + 1, 0x20_0000), process.id, call.sequence, 3);
    return { delayUs, error: 'EIO', bytesWritten };
  }

  /** For ever: both ways, or so that `outsider` is heard and does not hear, or the other way. */
  #cutOff(insider: SimProcess, outsider: SimProcess): void {
    const { network } = this.#simulation;
    const direction = this.#simulation.stream('core').below(3, 1, outsider.id);
    if (direction !== 1) network.cut(network.link(insider, outsider));
    else network.repair(network.link(insider, outsider));
    if (direction !== 2) network.cut(network.link(outsider, insider));
    else network.repair(network.link(outsider, insider));
  }

  #onSignal(name: string, process: SimProcess): void {
    const nth = (this.#signals.get(name) ?? 0) + 1;
    this.#signals.set(name, nth);
    for (const fault of this.#options.faults) {
      if (fault.on === name && (fault.nth ?? 1) === nth) this.#later(fault, process);
    }
  }

  #later(fault: Fault, subject: SimProcess | undefined): void {
    this.#simulation.schedule(fault.atMs * 1000, fault.kind, () => {
      if (!this.#isOver) this.#inject(fault, subject);
    });
  }

  #inject(fault: Fault, subject: SimProcess | undefined): void {
    const resolve = (selector: string): SimProcess | undefined =>
      this.#resolve(fault, selector, subject);
    const did = this.#perform(fault, resolve);
    if (did === undefined) return;
    this.injected.set(fault.kind, (this.injected.get(fault.kind) ?? 0) + 1);
    this.#simulation.note(undefined, `fault ${fault.id}: ${did}`);
  }

  /** @returns what was done, in words; undefined when there was nobody to do it to */
  #perform(
    fault: Fault,
    resolve: (selector: string) => SimProcess | undefined,
  ): string | undefined {
    switch (fault.kind) {
      case 'cut':
      case 'slowLinks':
      case 'reset':
      case 'halfOpen':
        return this.#performOnLinks(fault, resolve);
      case 'isolate': {
        const process = resolve(fault.peer);
        if (process === undefined) return undefined;
        this.#options.onCutOff(process);
        this.#cutFor(this.#linksOf(process, fault.direction), fault.forMs);
        return `${process.name} is isolated (${fault.direction}) for ${fault.forMs} ms`;
      }
      case 'crash': {
        const processes = fault.peers.map(resolve).filter((process) => process !== undefined);
        if (processes.length === 0) return undefined;
        for (const process of new Set(processes)) this.#crash(fault, process);
        const names = processes.map(({ name }) => name).join(', ');
        return fault.how === 'kill'
          ? `${names}: killed`
          : `${names}: power lost, ${fault.unsynced} what was not synced`;
      }
      case 'wipe':
      case 'pause':
      case 'slow':
      case 'clock':
      case 'diskError':
      case 'diskFull':
      case 'diskStall':
      case 'bitRot':
      case 'phantomWrite':
      case 'misdirectedWrite':
        return this.#performOnPeer(fault, resolve(fault.peer));
    }
  }

  #performOnPeer(
    fault: Exclude<
      Fault,
      { kind: 'cut' | 'slowLinks' | 'reset' | 'halfOpen' | 'isolate' | 'crash' }
    >,
    process: SimProcess | undefined,
  ): string | undefined {
    if (process === undefined) return undefined;
    const { name } = process;
    switch (fault.kind) {
      case 'wipe':
        process.losePower('drop');
        process.disk.restart();
        this.#restartLater(process, fault.restartMs);
        return `${name} loses its disk`;
      case 'pause':
        process.pause();
        this.#after(fault.forMs, () => process.resume());
        return `${name} is paused for ${fault.forMs} ms`;
      case 'slow':
        process.callbackUs = fault.callbackUs;
        this.#after(fault.forMs, () => (process.callbackUs = 0));
        return `${name} takes ${fault.callbackUs} µs a callback for ${fault.forMs} ms`;
      case 'clock':
        process.clock.setDrift(fault.driftPpm);
        process.clock.stepWall(fault.stepWallMs * 1000);
        return `the clock of ${name} drifts by ${fault.driftPpm} ppm and steps by ${fault.stepWallMs} ms`;
      case 'diskError':
        this.#troubleOf(process).failing.push({ call: fault.call, times: fault.times });
        return `the disk of ${name} fails: the next ${fault.times} of ${fault.call}`;
      case 'diskFull':
        process.disk.capacityBytes = process.disk.bytesUsed;
        this.#after(fault.forMs, () => (process.disk.capacityBytes = Number.MAX_SAFE_INTEGER));
        return `the disk of ${name} is full for ${fault.forMs} ms`;
      case 'diskStall':
        this.#troubleOf(process).stalledUntilUs = this.#simulation.queue.nowUs + fault.forMs * 1000;
        return `the disk of ${name} stalls for ${fault.forMs} ms`;
      case 'bitRot':
        return this.#rot(process, fault.atMillionths, fault.bit);
      case 'phantomWrite': {
        const lost = settledSector(process, fault.atMillionths);
        if (lost === undefined) return undefined;
        process.disk.loseWrite(lost);
        return `the disk of ${name} has never written ${lost.path} sector ${lost.sector}`;
      }
      case 'misdirectedWrite': {
        const meant = settledSector(process, fault.atMillionths);
        const to = settledSector(process, fault.toMillionths);
        if (meant === undefined || to === undefined) return undefined;
        process.disk.misdirectWrite(meant, to);
        const words = `${meant.path} sector ${meant.sector} at ${to.path} sector ${to.sector}`;
        return `the disk of ${name} has written ${words}`;
      }
    }
  }

  #performOnLinks(
    fault: Extract<Fault, { links: unknown }>,
    resolve: (selector: string) => SimProcess | undefined,
  ): string | undefined {
    const links = fault.links.flatMap((text) => this.#parseLink(text, resolve));
    if (links.length === 0) return undefined;
    const { network } = this.#simulation;
    const words = fault.links.join(' ');
    switch (fault.kind) {
      case 'cut':
        this.#cutFor(links, fault.forMs);
        return `cut ${words} for ${fault.forMs} ms`;
      case 'slowLinks':
        for (const link of links) {
          link.extraUs = fault.extraUs;
          link.bytesPerMs = fault.bytesPerMs;
        }
        this.#after(fault.forMs, () => {
          for (const link of links) {
            link.extraUs = 0;
            link.bytesPerMs = 0;
          }
        });
        return `slow ${words} for ${fault.forMs} ms`;
      case 'reset':
        for (const { from, to } of links) network.resetConnections(from, to);
        return `reset ${words}`;
      case 'halfOpen':
        for (const { from, to } of links) network.loseConnections(from, to);
        return `lose the connections of ${words}`;
    }
  }

  #crash(fault: Extract<Fault, { kind: 'crash' }>, process: SimProcess): void {
    const die = (): void => {
      if (fault.how === 'kill') process.kill();
      else process.losePower(fault.unsynced);
      this.#restartLater(process, fault.restartMs);
    };
    if (fault.effects === 0) die();
    else process.dieAtEffect(fault.effects, die);
  }

  #restartLater(process: SimProcess, delayMs: number): void {
    this.#simulation.schedule(delayMs * 1000, 'restart', () => {
      if (process.status === 'down' && !this.#isOver) process.start();
    });
  }

  #rot(process: SimProcess, atMillionths: number, bit: number): string | undefined {
    let offset = Math.floor((process.disk.bytesUsed * atMillionths) / 1_000_000);
    for (const [path, content] of process.disk.image().files) {
      if (offset < content.length) {
        process.disk.rot(path, offset, bit);
        return `a bit rots on the disk of ${process.name}: ${path} byte ${offset} bit ${bit}`;
      }
      offset -= content.length;
    }
    return undefined;
  }

  #cutFor(links: readonly Link[], forMs: number): void {
    const { network } = this.#simulation;
    for (const link of links) network.cut(link);
    this.#after(forMs, () => {
      for (const link of links) network.heal(link);
    });
  }

  #after(delayMs: number, undo: () => void): void {
    this.#simulation.schedule(delayMs * 1000, 'fault ends', () => {
      if (!this.#isOver) undo();
    });
  }

  #linksOf(process: SimProcess, direction: 'both' | 'in' | 'out'): Link[] {
    const { network, processes } = this.#simulation;
    const links: Link[] = [];
    for (const other of processes) {
      if (other === process) continue;
      if (direction !== 'out') links.push(network.link(other, process));
      if (direction !== 'in') links.push(network.link(process, other));
    }
    return links;
  }

  #parseLink(text: string, resolve: (selector: string) => SimProcess | undefined): Link[] {
    const at = text.search(/[>~]/);
    const from = resolve(text.slice(0, at));
    const to = resolve(text.slice(at + 1));
    if (from === undefined || to === undefined || from === to) return [];
    const { network } = this.#simulation;
    return text[at] === '>'
      ? [network.link(from, to)]
      : [network.link(from, to), network.link(to, from)];
  }

  #resolve(
    fault: Fault,
    selector: string,
    subject: SimProcess | undefined,
  ): SimProcess | undefined {
    const { processes } = this.#simulation;
    const leader = this.#options.leader();
    switch (selector) {
      case '@leader':
        return leader;
      case '@subject':
        return subject;
      case '@follower':
      case '@any': {
        const from = processes.filter(
          (process) => selector === '@any' || (process !== leader && process.status === 'running'),
        );
        return from.length === 0
          ? undefined
          : this.#simulation.stream('faults').pick(from, fault.id);
      }
      default: {
        const process = this.#simulation.processNamed(selector);
        invariant(process !== undefined, `fault ${fault.id} names ${selector}, which is no peer`);
        return process;
      }
    }
  }

  #troubleOf(process: SimProcess): DiskTrouble {
    let trouble = this.#trouble.get(process);
    if (trouble === undefined) {
      trouble = { failing: [], stalledUntilUs: 0 };
      this.#trouble.set(process, trouble);
    }
    return trouble;
  }
}

function settledSector({ disk }: SimProcess, atMillionths: number): SectorAddress | undefined {
  const sectors = disk.settledSectors;
  return sectors[Math.floor((sectors.length * atMillionths) / 1_000_000)];
}
