/**
 * Draws the worlds that scenarios take place in: peers and their clocks, network, disk, faults.
 *
 * Swarm: each kind of trouble is switched on or off by the seed, and its strength drawn anew, since
 * a run with everything on hides what a run with one thing on finds. Each draw is keyed by what it
 * is for, so adding a kind of fault does not change the others.
 */
import { NEVER, type Draws, type Ratio, Stream } from './keyed-random.ts';
import type { Latency } from './latency.ts';
import type { DiskSettings, Fault, FaultKind, PeerSettings, Scenario } from './scenario.ts';

/** What a world allows to happen to it. */
export interface FaultProfile {
  readonly peers: readonly PeerSettings[];
  readonly faultsMs: number;
  readonly faultsMax: number;
  /** Kinds that the system promises to survive. */
  readonly kinds: readonly FaultKind[];
  /** Signals of the world that faults may be triggered by. */
  readonly signals: readonly string[];
  /** How long a fault lasts at most. */
  readonly lengthMsMax: number;
}

/** A shape of trouble: becomes one fault, or some that belong together. */
type Shape =
  | FaultKind
  | 'cutOffAndStalled'
  | 'cutOffAndNextCrashes'
  | 'longPause'
  | 'rotAndCrash'
  | 'split'
  | 'oneWaySplit'
  | 'bridge'
  | 'flapping'
  | 'swizzle'
  | 'zoneCrash'
  | 'rollingCrash';

const SHAPES_OF: Readonly<Record<FaultKind, readonly Shape[]>> = {
  cut: ['split', 'oneWaySplit', 'bridge', 'flapping', 'swizzle'],
  isolate: ['isolate', 'isolate', 'cutOffAndStalled', 'cutOffAndNextCrashes'],
  slowLinks: ['slowLinks'],
  reset: ['reset'],
  halfOpen: ['halfOpen'],
  crash: ['crash', 'crash', 'zoneCrash', 'rollingCrash'],
  wipe: ['wipe'],
  pause: ['pause', 'longPause'],
  slow: ['slow'],
  clock: ['clock'],
  diskError: ['diskError'],
  diskFull: ['diskFull'],
  diskStall: ['diskStall'],
  bitRot: ['rotAndCrash'],
  phantomWrite: ['phantomWrite'],
  misdirectedWrite: ['misdirectedWrite'],
};

/** Ids of the faults that one shape becomes are next to each other. */
const FAULTS_A_SHAPE_MAX = 32;

export function drawPeers(seed: number, names: readonly string[], zones: number): PeerSettings[] {
  const stream = new Stream(seed, 'swarm: peers');
  const drift = stream.chance([1, 2], 0) ? stream.between(1, 5000, 1) : 0;
  const lateness = stream.chance([1, 3], 2) ? stream.between(100, 20_000, 3) : 0;
  return names.map((name, i) => ({
    name,
    zone: `z${(i % zones) + 1}`,
    driftPpm: drift === 0 ? 0 : stream.between(-drift, drift, 4, i),
    clockOffsetUs: stream.between(0, 1_000_000_000, 5, i),
    timerLatenessUsMax: lateness,
  }));
}

function drawLatency(draws: Draws, minUsMax: number, spreadUsMax: number): Latency {
  return {
    shape: draws.pick(['uniform', 'exponential', 'bimodal'] as const),
    minUs: draws.between(10, minUsMax),
    spreadUs: draws.between(0, spreadUsMax),
  };
}

/** Off in half of all runs; else up to `max[0]` in `max[1]`. */
function drawChance(draws: Draws, max: Ratio): Ratio {
  const isOn = draws.chance([1, 2]);
  const of = draws.between(1, max[0]);
  return isOn ? [of, max[1]] : NEVER;
}

export function drawNetwork(seed: number): Scenario['network'] {
  const draws = new Stream(seed, 'swarm: network').sequence(0);
  const isQuick = draws.chance([2, 3]);
  return {
    latency: isQuick ? drawLatency(draws, 500, 2000) : drawLatency(draws, 5000, 15_000),
    loss: drawChance(draws, [30, 1000]),
    reset: drawChance(draws, [5, 1000]),
    split: drawChance(draws, [200, 1000]),
    bitFlip: drawChance(draws, [5, 1000]),
    replay: drawChance(draws, [900, 1000]),
    giveUpUs: draws.between(2000, 8000) * 1000,
  };
}

export function drawDisk(seed: number): DiskSettings {
  const draws = new Stream(seed, 'swarm: disk').sequence(0);
  const isQuick = draws.chance([2, 3]);
  return {
    latency: drawLatency(draws, 50, 100),
    syncLatency: isQuick ? drawLatency(draws, 200, 1000) : drawLatency(draws, 2000, 10_000),
    slow: drawChance(draws, [5, 1000]),
  };
}

/** Faults for a run: `profile.faultsMax` shapes at most, of the kinds that this seed has on. */
export function drawFaults(seed: number, profile: FaultProfile): Fault[] {
  const swarm = new Stream(seed, 'swarm: faults');
  const kinds = profile.kinds.filter((_, i) => swarm.chance([1, 2], 1, i));
  const shapes = kinds.flatMap((kind) => SHAPES_OF[kind]);
  if (shapes.length === 0) return [];
  const stream = new Stream(seed, 'faults: shapes');
  const faults: Fault[] = [];
  const count = swarm.between(0, profile.faultsMax, 2);
  for (let i = 0; i < count; i += 1) {
    const draws = stream.sequence(i);
    const made = drawShape(draws.pick(shapes), draws, profile);
    const possible = made.filter((fault) => !('links' in fault) || fault.links.length > 0);
    possible.slice(0, FAULTS_A_SHAPE_MAX).forEach((fault, j) => {
      faults.push({ ...fault, id: i * FAULTS_A_SHAPE_MAX + j });
    });
  }
  return faults;
}

function drawShape(shape: Shape, draws: Draws, profile: FaultProfile): Fault[] {
  const names = profile.peers.map(({ name }) => name);
  const forMs = drawLength(draws, profile);
  const isTriggered = profile.signals.length > 0 && draws.chance([1, 4]);
  const atMs = draws.between(0, profile.faultsMs);
  const when = isTriggered
    ? {
        id: 0,
        atMs: draws.between(0, 50),
        on: draws.pick(profile.signals),
        nth: draws.between(1, 4),
      }
    : { id: 0, atMs };
  const peer = isTriggered && draws.chance([2, 3]) ? '@subject' : drawSelector(draws, names);
  switch (shape) {
    case 'cut':
    case 'split':
    case 'oneWaySplit': {
      const sign = shape === 'oneWaySplit' ? '>' : '~';
      const links = linksBetween(...drawGroups(draws, names), sign);
      return [{ ...when, kind: 'cut', links, forMs }];
    }
    case 'bridge': {
      // One peer sees everyone, and the two halves of the others do not see each other.
      const bridge = draws.pick(names);
      const others = names.filter((name) => name !== bridge);
      const links = others.length < 2 ? [] : linksBetween(...drawGroups(draws, others), '~');
      return [{ ...when, kind: 'cut', links, forMs }];
    }
    case 'flapping': {
      const links = linksBetween(...drawGroups(draws, names), draws.pick(['~', '>'] as const));
      const periodMs = draws.between(50, 1500);
      const times = Math.min(FAULTS_A_SHAPE_MAX, 1 + Math.floor((forMs * 2) / periodMs));
      return Array.from({ length: times }, (_, i) => {
        const at = { ...when, atMs: when.atMs + i * periodMs };
        return { ...at, kind: 'cut', links, forMs: Math.ceil(periodMs / 2) };
      });
    }
    case 'swizzle': {
      // One after another is cut off, and they come back in an order of their own.
      const cutOff = (name: string): Fault => ({
        ...when,
        kind: 'isolate',
        atMs: when.atMs + draws.between(0, forMs),
        peer: name,
        direction: 'both',
        forMs: draws.between(10, forMs + 10),
      });
      return draws.some(names, [2, 3]).map(cutOff);
    }
    case 'cutOffAndStalled':
      return [
        { ...when, kind: 'isolate', peer, direction: 'both', forMs },
        { ...when, kind: 'diskStall', peer, forMs: draws.between(1, forMs) },
      ];
    case 'cutOffAndNextCrashes': {
      // Comes back with what nobody else has, to a group that has lost its leader again.
      const longMs = draws.between(Math.ceil(profile.lengthMsMax / 6), profile.lengthMsMax);
      const crash = { how: 'kill', unsynced: 'keep', effects: 0 } as const;
      const crashMs = Math.max(0, when.atMs + longMs - draws.between(0, 50));
      const restartMs = draws.between(300, 3000);
      return [
        { ...when, kind: 'isolate', peer: '@leader', direction: 'both', forMs: longMs },
        { ...when, kind: 'crash', peers: ['@leader'], ...crash, atMs: crashMs, restartMs },
      ];
    }
    case 'isolate': {
      const direction = draws.pick(['both', 'both', 'in', 'out'] as const);
      return [{ ...when, kind: 'isolate', peer, direction, forMs }];
    }
    case 'slowLinks': {
      const links = linksBetween(...drawGroups(draws, names), '~');
      const extraUs = draws.between(1000, 400_000);
      const bytesPerMs = draws.chance([1, 2]) ? draws.between(1, 50) : 0;
      return [{ ...when, kind: 'slowLinks', links, extraUs, bytesPerMs, forMs }];
    }
    case 'reset':
    case 'halfOpen':
      return [{ ...when, kind: shape, links: linksBetween(...drawGroups(draws, names), '~') }];
    case 'zoneCrash': {
      const { zone } = draws.pick(profile.peers);
      const peers = profile.peers.filter((each) => each.zone === zone).map(({ name }) => name);
      return [{ ...when, kind: 'crash', peers, ...drawCrash(draws) }];
    }
    case 'rollingCrash': {
      const gapMs = draws.between(1, 500);
      const crash = (name: string, i: number): Fault => ({
        ...when,
        kind: 'crash',
        atMs: when.atMs + i * gapMs,
        peers: [name],
        ...drawCrash(draws),
      });
      return names.map(crash);
    }
    case 'crash':
      return [{ ...when, kind: 'crash', peers: [peer], ...drawCrash(draws) }];
    case 'wipe':
      return [{ ...when, kind: 'wipe', peer, restartMs: draws.between(0, 2000) }];
    case 'pause':
      return [{ ...when, kind: 'pause', peer, forMs }];
    case 'longPause': {
      const longMs = draws.between(Math.ceil(profile.lengthMsMax / 4), profile.lengthMsMax);
      return [{ ...when, kind: 'pause', peer: '@leader', forMs: longMs }];
    }
    case 'slow':
      return [{ ...when, kind: 'slow', peer, callbackUs: draws.between(100, 5000), forMs }];
    case 'clock': {
      const driftPpm = draws.between(-20_000, 20_000);
      return [
        { ...when, kind: 'clock', peer, driftPpm, stepWallMs: draws.between(-60_000, 60_000) },
      ];
    }
    case 'diskError': {
      const call = draws.pick(['append', 'sync', 'sync', 'read', 'rename', 'any'] as const);
      return [{ ...when, kind: 'diskError', peer, call, times: draws.between(1, 3) }];
    }
    case 'diskFull':
    case 'diskStall':
      return [{ ...when, kind: shape, peer, forMs }];
    case 'bitRot':
    case 'rotAndCrash': {
      const atMillionths = draws.between(0, 999_999);
      return damaged(draws, names, when, { kind: 'bitRot', atMillionths, bit: draws.below(8) });
    }
    case 'phantomWrite':
      return damaged(draws, names, when, { kind: shape, atMillionths: draws.between(0, 999_999) });
    case 'misdirectedWrite': {
      const [atMillionths, toMillionths] = [draws.between(0, 999_999), draws.between(0, 999_999)];
      return damaged(draws, names, when, { kind: shape, atMillionths, toMillionths });
    }
  }
}

type Damage = Extract<Fault, { kind: 'bitRot' | 'phantomWrite' | 'misdirectedWrite' }>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type When = Pick<Fault, 'id' | 'atMs' | 'on' | 'nth'>;

/** What a disk has lost is seen when it is read: at the next start. */
function damaged(
  draws: Draws,
  names: readonly string[],
  when: When,
  damage: DistributiveOmit<Damage, keyof When | 'peer'>,
): Fault[] {
  const peer = draws.pick(names);
  return [
    { ...when, ...damage, peer },
    { ...when, kind: 'crash', atMs: when.atMs + 1, peers: [peer], ...drawCrash(draws) },
  ];
}

/** Mostly short, sometimes as long as may be. */
function drawLength(draws: Draws, { lengthMsMax }: FaultProfile): number {
  return draws.between(1, draws.chance([2, 3]) ? Math.ceil(lengthMsMax / 4) : lengthMsMax);
}

function drawSelector(draws: Draws, names: readonly string[]): string {
  return draws.pick(['@leader', '@leader', '@follower', '@any', draws.pick(names)]);
}

function drawCrash(draws: Draws) {
  return {
    how: draws.pick(['kill', 'power', 'power'] as const),
    unsynced: draws.pick(['keep', 'drop', 'mix', 'mix'] as const),
    effects: draws.chance([2, 3]) ? draws.between(0, 40) : 0,
    restartMs: draws.between(0, draws.chance([2, 3]) ? 300 : 3000),
  };
}

/** Two groups that are not empty. */
function drawGroups(draws: Draws, names: readonly string[]): [string[], string[]] {
  if (names.length < 2) return [[...names], []];
  const one = draws.below(names.length);
  const inFirst = names.map((_, i) => i === one || draws.chance([1, 3]));
  if (inFirst.every(Boolean)) inFirst[(one + 1) % names.length] = false;
  return [names.filter((_, i) => inFirst[i]), names.filter((_, i) => !inFirst[i])];
}

function linksBetween(from: readonly string[], to: readonly string[], sign: '~' | '>'): string[] {
  return from.flatMap((a) => to.map((b) => `${a}${sign}${b}`));
}
