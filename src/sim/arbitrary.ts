/**
 * Scenarios as fast-check draws them: data, which fast-check shrinks by itself.
 *
 * The caller passes in its own fast-check, since this package does not depend on it.
 */
import type FastCheck from 'fast-check';
import type { FaultProfile } from './draw.ts';
import type { Fault, FaultKind, Scenario, ScenarioOperation } from './scenario.ts';
import type { World } from './world.ts';

type Arbitrary<T> = FastCheck.Arbitrary<T>;

/** A fault without its id, of one of the kinds. */
type FaultBody = Omit<Fault, 'id'>;

/**
 * Scenarios of a world: the environment and the operations follow from a seed, of which some
 * operations may be left out; the faults are fast-check's own.
 */
export function scenarioArbitrary<Options, Op extends ScenarioOperation>(
  fc: typeof FastCheck,
  world: World<Options, Op>,
  limits: { readonly faultsMax?: number; readonly peers?: number } = {},
): Arbitrary<Scenario<Options, Op>> {
  return fc.nat().chain((seed) => {
    const drawn = world.draw(seed, limits.peers);
    const { kinds, signals, lengthMsMax } = world.faults;
    const profile: FaultProfile = {
      peers: drawn.peers,
      faultsMs: drawn.timing.faultsMs,
      faultsMax: limits.faultsMax ?? world.faults.faultsMax,
      kinds,
      signals,
      lengthMsMax,
    };
    const faults = fc.array(faultArbitrary(fc, profile), { maxLength: profile.faultsMax });
    const operations = fc.subarray([...drawn.operations]);
    const complete = (parts: { faults: FaultBody[]; operations: Op[] }): Scenario<Options, Op> => ({
      ...drawn,
      faults: parts.faults.map(withId),
      operations: parts.operations,
    });
    return fc.record({ faults, operations }).map(complete);
  });
}

function faultArbitrary(fc: typeof FastCheck, profile: FaultProfile): Arbitrary<FaultBody> {
  return fc.oneof(...profile.kinds.map((kind) => bodyArbitrary(fc, kind, profile)));
}

function withId(body: FaultBody, id: number): Fault {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a body is a fault but for its id
  return { ...body, id } as Fault;
}

function bodyArbitrary(
  fc: typeof FastCheck,
  kind: FaultKind,
  { peers, faultsMs, lengthMsMax }: FaultProfile,
): Arbitrary<FaultBody> {
  const names = peers.map(({ name }) => name);
  const atMs = fc.integer({ min: 0, max: faultsMs });
  const forMs = fc.integer({ min: 1, max: lengthMsMax });
  const restartMs = fc.integer({ min: 0, max: 3000 });
  const peer = fc.constantFrom(...names, '@leader', '@follower');
  const pairs = names.flatMap((a) => names.filter((b) => b !== a).map((b) => `${a}>${b}`));
  const links = fc.subarray(pairs, { minLength: Math.min(1, pairs.length) });
  const millionths = fc.integer({ min: 0, max: 999_999 });
  switch (kind) {
    case 'cut':
      return fc.record({ kind: fc.constant(kind), atMs, links, forMs });
    case 'reset':
    case 'halfOpen':
      return fc.record({ kind: fc.constant(kind), atMs, links });
    case 'slowLinks': {
      const extraUs = fc.integer({ min: 0, max: 400_000 });
      const bytesPerMs = fc.integer({ min: 0, max: 50 });
      return fc.record({ kind: fc.constant(kind), atMs, links, extraUs, bytesPerMs, forMs });
    }
    case 'isolate': {
      const direction = fc.constantFrom('both', 'in', 'out');
      return fc.record({ kind: fc.constant(kind), atMs, peer, direction, forMs });
    }
    case 'crash':
      return fc.record({
        kind: fc.constant(kind),
        atMs,
        peers: fc.subarray(names, { minLength: 1 }),
        how: fc.constantFrom('kill', 'power'),
        unsynced: fc.constantFrom('keep', 'drop', 'mix'),
        effects: fc.integer({ min: 0, max: 40 }),
        restartMs,
      });
    case 'wipe':
      return fc.record({ kind: fc.constant(kind), atMs, peer, restartMs });
    case 'pause':
    case 'diskFull':
    case 'diskStall':
      return fc.record({ kind: fc.constant(kind), atMs, peer, forMs });
    case 'slow': {
      const callbackUs = fc.integer({ min: 1, max: 5000 });
      return fc.record({ kind: fc.constant(kind), atMs, peer, callbackUs, forMs });
    }
    case 'clock': {
      const driftPpm = fc.integer({ min: -20_000, max: 20_000 });
      const stepWallMs = fc.integer({ min: -60_000, max: 60_000 });
      return fc.record({ kind: fc.constant(kind), atMs, peer, driftPpm, stepWallMs });
    }
    case 'diskError': {
      const call = fc.constantFrom('append', 'sync', 'read', 'rename', 'any');
      const times = fc.integer({ min: 1, max: 3 });
      return fc.record({ kind: fc.constant(kind), atMs, peer, call, times });
    }
    case 'bitRot': {
      const atMillionths = millionths;
      const bit = fc.integer({ min: 0, max: 7 });
      return fc.record({ kind: fc.constant(kind), atMs, peer, atMillionths, bit });
    }
    case 'phantomWrite':
      return fc.record({ kind: fc.constant(kind), atMs, peer, atMillionths: millionths });
    case 'misdirectedWrite': {
      const places = { atMillionths: millionths, toMillionths: millionths };
      return fc.record({ kind: fc.constant(kind), atMs, peer, ...places });
    }
  }
}
