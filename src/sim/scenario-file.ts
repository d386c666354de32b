/**
 * Scenarios and failures as files: YAML or JSON, checked on the way in.
 *
 * A scenario file says what matters to its author; all else is drawn from its seed. With
 * `calm: true` nothing is drawn that could go wrong: no fault, no loss, true clocks.
 *
 * A failure file is self-contained: it holds the whole scenario as it ran, what was violated, and
 * the trace hash that a replay must have.
 */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { NEVER } from './keyed-random.ts';
import { SCENARIO_VERSION, scenarioSchema } from './scenario.ts';
import type { Scenario, ScenarioOperation } from './scenario.ts';
import type { World } from './world.ts';

/** A scenario or failure file that is not as it should be. */
export class ScenarioFileError extends Error {
  override readonly name = 'ScenarioFileError';

  /** @param line from 1; undefined where no line is to blame */
  constructor(file: string, line: number | undefined, field: string, words: string) {
    const place = line === undefined ? file : `${file}:${line}`;
    super(field === '' ? `${place}: ${words}` : `${place}: ${field}: ${words}`);
  }
}

export interface ScenarioFile {
  readonly title: string | undefined;
  readonly world: World;
  /** Set where the file names one; then it is the only one that is run. */
  readonly seed: number | undefined;
  /** The explicit scenario for a seed. */
  resolve(seed: number): Scenario;
}

/** Written beside the failure that it describes; read by `sim replay` and `sim shrink`. */
export interface FailureFile {
  readonly format: typeof FAILURE_FORMAT;
  readonly version: typeof FAILURE_VERSION;
  readonly oracle: string;
  readonly sentence: string;
  readonly timeUs: number;
  readonly traceHash: string;
  /** Of cachectl, of its sources where they are known, and of Node. */
  readonly versions: { readonly cachectl: string; readonly commit: string; readonly node: string };
  readonly scenario: Scenario;
}

const FAILURE_FORMAT = 'cachectl-sim-failure';
const FAILURE_VERSION = 1;

const SECTIONS = ['timing', 'network', 'disk', 'options'] as const;
const KEYS = [
  ...['version', 'world', 'title', 'seed', 'calm', 'peers'],
  ...SECTIONS,
  ...['faults', 'operations'],
];

const failureSchema = z.strictObject({
  format: z.literal(FAILURE_FORMAT),
  version: z.literal(FAILURE_VERSION),
  oracle: z.string(),
  sentence: z.string(),
  timeUs: z.int().min(0),
  traceHash: z.string().regex(/^[0-9a-f]{16}$/, '16 hex digits'),
  versions: z.strictObject({ cachectl: z.string(), commit: z.string(), node: z.string() }),
  scenario: z.looseObject({ world: z.string() }),
});

/** @throws {ScenarioFileError} */
export function parseScenarioFile(
  text: string,
  file: string,
  worlds: readonly World[],
): ScenarioFile {
  const source = new Source(text, file);
  const root = source.root();
  for (const key of Object.keys(root)) {
    if (!KEYS.includes(key)) source.fail([key], `no such section; there are ${KEYS.join(', ')}`);
  }
  if (root['version'] !== SCENARIO_VERSION) {
    const has = root['version'] === undefined ? 'missing' : `'${show(root['version'])}'`;
    source.fail(['version'], `is ${has}, and this simulator reads version ${SCENARIO_VERSION}`);
  }
  const world = worldNamed(root['world'], worlds, (words) => source.fail(['world'], words));
  const head = z
    .object({
      title: z.string().optional(),
      seed: z.int().min(0).optional(),
      calm: z.boolean().optional(),
      peers: z.int().min(1).max(9).optional(),
    })
    .safeParse(root);
  if (!head.success) return source.failBy(head.error, []);
  const { title, seed, calm, peers } = head.data;
  const resolve = (forSeed: number): Scenario => {
    const drawn = world.draw(forSeed, peers);
    const merged = merge(calm === true ? becalm(drawn) : drawn, root);
    return source.check(world, merged, []);
  };
  // A mistake is found when the file is read, whatever the seed.
  resolve(seed ?? 0);
  return { title, world, seed, resolve };
}

/** @throws {ScenarioFileError} */
export function parseFailureFile(
  text: string,
  file: string,
  worlds: readonly World[],
): { readonly failure: FailureFile; readonly world: World } {
  const source = new Source(text, file);
  const parsed = failureSchema.safeParse(source.root());
  if (!parsed.success) return source.failBy(parsed.error, []);
  const { scenario: raw, ...rest } = parsed.data;
  const world = worldNamed(raw.world, worlds, (words) => source.fail(['scenario', 'world'], words));
  return { failure: { ...rest, scenario: source.check(world, raw, ['scenario']) }, world };
}

export function failureFile(about: Omit<FailureFile, 'format' | 'version'>): FailureFile {
  return { format: FAILURE_FORMAT, version: FAILURE_VERSION, ...about };
}

/** The same scenario with nothing that goes wrong by itself. */
function becalm(scenario: Scenario): Scenario {
  const still = { shape: 'uniform', minUs: 500, spreadUs: 500 } as const;
  return {
    ...scenario,
    peers: scenario.peers.map(({ name, zone }) => ({
      name,
      zone,
      driftPpm: 0,
      clockOffsetUs: 0,
      timerLatenessUsMax: 0,
    })),
    network: {
      ...scenario.network,
      latency: still,
      loss: NEVER,
      reset: NEVER,
      split: NEVER,
      bitFlip: NEVER,
      replay: NEVER,
    },
    disk: { latency: still, syncLatency: still, slow: NEVER },
    faults: [],
  };
}

type Raw = Readonly<Record<string, unknown>>;

/** The file's sections over the drawn ones; its lists replace the drawn lists. */
function merge(drawn: Scenario, root: Raw): Raw {
  const merged: Record<string, unknown> = { ...drawn };
  for (const section of SECTIONS) {
    const given = root[section];
    if (given === undefined) continue;
    const base = drawn[section];
    const canMerge = isRecord(given) && isRecord(base);
    merged[section] = canMerge ? { ...base, ...given } : given;
  }
  for (const list of ['faults', 'operations'] as const) {
    const given = root[list];
    if (given === undefined) continue;
    merged[list] = Array.isArray(given) ? given.map(withId) : given;
  }
  return merged;
}

/** People do not number their faults. */
function withId(item: unknown, id: number): unknown {
  return isRecord(item) && item['id'] === undefined ? Object.assign({ id }, item) : item;
}

function isRecord(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function worldNamed(
  name: unknown,
  worlds: readonly World[],
  fail: (words: string) => never,
): World {
  const world = worlds.find((each) => each.name === name);
  if (world !== undefined) return world;
  const known = worlds.map((each) => each.name).join(', ');
  return fail(
    name === undefined ? `is missing; there are ${known}` : `no such world; there are ${known}`,
  );
}

/** A parsed file that knows on which line each of its fields stands. */
class Source {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, merge: true });
    const [error] = this.#document.errors;
    if (error !== undefined) {
      const { line } = this.#lines.linePos(error.pos[0]);
      throw new ScenarioFileError(file, line, '', error.message.replace(/ at line[\s\S]*$/, ''));
    }
  }

  root(): Raw {
    const value: unknown = this.#document.toJS();
    if (!isRecord(value)) return this.fail([], 'is not a mapping of names to values');
    return value;
  }

  fail(path: readonly PropertyKey[], words: string): never {
    throw new ScenarioFileError(this.#file, this.#lineOf(path), path.join('.'), words);
  }

  failBy(error: z.ZodError, prefix: readonly PropertyKey[]): never {
    const [issue] = error.issues;
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    const words = issue.code === 'unrecognized_keys' ? 'no such field' : issue.message;
    return this.fail([...prefix, ...issue.path, ...unknown], words);
  }

  /** @returns the scenario in `value`, whose place in the file is `prefix` */
  check(world: World, value: unknown, prefix: readonly PropertyKey[]): Scenario {
    const schema = scenarioSchema<unknown, ScenarioOperation>(
      world.name,
      world.options,
      world.operation,
    );
    const parsed = schema.safeParse(value);
    if (!parsed.success) return this.failBy(parsed.error, prefix);
    const scenario: Scenario = parsed.data;
    const names = new Set(scenario.peers.map(({ name }) => name));
    scenario.faults.forEach((fault, i) => {
      for (const [field, peer] of namedIn(fault)) {
        if (peer.startsWith('@') || names.has(peer)) continue;
        const known = [...names].join(', ');
        this.fail([...prefix, 'faults', i, field], `there is no peer ${peer}, but ${known}`);
      }
    });
    return scenario;
  }

  #lineOf(path: readonly PropertyKey[]): number | undefined {
    for (let length = path.length; length >= 0; length -= 1) {
      const offset = this.#offsetOf(path.slice(0, length));
      if (offset !== undefined) return this.#lines.linePos(offset).line;
    }
    return undefined;
  }

  /** Where the field stands, its name included. */
  #offsetOf(path: readonly PropertyKey[]): number | undefined {
    const parent =
      path.length <= 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    const last = path.at(-1);
    if (isMap(parent) && last !== undefined) {
      const pair = parent.items.find(({ key }) => isScalar(key) && key.value === last);
      return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
    }
    const node = isSeq(parent) && typeof last === 'number' ? parent.get(last, true) : parent;
    return isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
  }
}

function namedIn(fault: Scenario['faults'][number]): Array<readonly [field: string, peer: string]> {
  if ('links' in fault) {
    return fault.links.flatMap((link) =>
      link.split(/[>~]/).map((peer) => ['links', peer] as const),
    );
  }
  if ('peers' in fault) return fault.peers.map((peer) => ['peers', peer] as const);
  return [['peer', fault.peer]];
}
