/** What the tests of this folder share: a client's router and a node in a simulated world. */
import type { CachectlError } from '../cluster/index.ts';
import { CacheNode } from '../node/index.ts';
import { REQUEST, RequestReader, type Reply } from '../resp/index.ts';
import { type Connection, OutputBuffer, type Runtime } from '../runtime/index.ts';
import { CALM_NETWORK, Simulation, type NetworkSettings, type SimProcess } from '../sim/index.ts';
import { type CacheOptions, readOptions } from './options.ts';
import { Router } from './router.ts';

export interface SimWorld {
  readonly simulation: Simulation;
  readonly node: SimProcess;
  readonly client: SimProcess;
  /** The client's. */
  readonly runtime: Runtime;
  run(milliseconds: number): void;
}

/** Two processes: `client`, and a real cache node on `node:7400`, or another program there. */
export function createWorld(
  settings: {
    seed?: number;
    network?: Partial<NetworkSettings>;
    program?: (runtime: Runtime) => void;
  } = {},
): SimWorld {
  const { seed = 1, network = {}, program = serveCache } = settings;
  const simulation = new Simulation({ seed, network: { ...CALM_NETWORK, ...network } });
  const add = (name: string, run: (runtime: Runtime) => void): SimProcess =>
    simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 0, driftPpm: 0, wallUs: 0 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 1 }),
      program: run,
    });
  let runtime: Runtime | undefined;
  const node = add('node', program);
  const client = add('client', (own) => (runtime = own));
  const run = (milliseconds: number): void =>
    simulation.queue.runUntil(simulation.queue.nowUs + milliseconds * 1000);
  node.start();
  client.start();
  run(5);
  if (runtime === undefined) throw new Error('the client process did not start');
  return { simulation, node, client, runtime, run };
}

function serveCache(runtime: Runtime): void {
  const listen = { host: 'node', port: 7400 };
  const options = { listen, settings: { memoryBytes: 16 * 1024 * 1024 } };
  new CacheNode(runtime, options, noFacts).start(() => {});
}

const noFacts = () => ({
  pid: 1,
  residentBytes: 0,
  userCpuUs: 0,
  systemCpuUs: 0,
  version: 'v26',
});

/** How one call has ended. */
export interface Outcome {
  readonly sinceUs: number;
  readonly deadlineUs: number;
  settledUs: number | undefined;
  /** Times that it was settled. */
  count: number;
  result: Reply | CachectlError | undefined;
}

export class Caller {
  readonly router: Router;
  readonly outcomes: Outcome[] = [];
  opened: CachectlError | 'open' | undefined;
  readonly #world: SimWorld;

  constructor(world: SimWorld, options: Partial<CacheOptions> = {}) {
    this.#world = world;
    const settings = readOptions({ seeds: ['node:7400'], ...options });
    this.router = new Router(world.runtime, settings);
    this.router.open((error) => (this.opened = error ?? 'open'));
  }

  call(args: readonly string[], timeoutMs = 250): Outcome {
    const sinceUs = this.#nowUs();
    const outcome: Outcome = {
      sinceUs,
      deadlineUs: sinceUs + timeoutMs * 1000,
      settledUs: undefined,
      count: 0,
      result: undefined,
    };
    this.outcomes.push(outcome);
    const settle = (result: Reply | CachectlError): void => {
      outcome.count++;
      outcome.settledUs = this.#nowUs();
      outcome.result = result;
    };
    this.router.call(args[1], args, timeoutMs, settle, settle);
    return outcome;
  }

  #nowUs(): number {
    return this.#world.runtime.clock.monotonicUs();
  }
}

export function codeOf(outcome: Outcome): string | undefined {
  return outcome.result instanceof Error && 'code' in outcome.result
    ? outcome.result.code
    : undefined;
}

export interface Script {
  readonly program: (runtime: Runtime) => void;
  readonly seen: {
    /** Pieces of input, requests, and connections made and still there, over all ports. */
    pieces: number;
    requests: number;
    connections: number;
    /** Connections that are there now, by port. */
    readonly open: Map<number, Set<Connection>>;
  };
}

/** A program that answers each request by a function of its arguments and the port it came to. */
export function scripted(
  answer: (args: readonly string[], port: number) => string,
  { ports = [7400], delayMs = 0 } = {},
): Script {
  const seen: Script['seen'] = { pieces: 0, connections: 0, requests: 0, open: new Map() };
  const serve = (runtime: Runtime, port: number): void => {
    const open = new Set<Connection>();
    seen.open.set(port, open);
    const onConnection = (connection: Connection): void => {
      seen.connections++;
      open.add(connection);
      const reader = new RequestReader();
      connection.start({
        onData(bytes, start, end) {
          seen.pieces++;
          reader.push(bytes, start, end);
          while (reader.next() === REQUEST) {
            seen.requests++;
            const words = answer(argumentsOf(reader), port);
            if (delayMs === 0) send(connection, words);
            else runtime.timers.after(delayMs, () => send(connection, words));
          }
          reader.finish();
        },
        onDrain() {},
        onEnd: () => connection.close(),
        onClose: () => open.delete(connection),
      });
    };
    const onError = (error: Error): void => {
      throw error;
    };
    runtime.network.listen({ host: 'node', port }, { onListening() {}, onConnection, onError });
  };
  const program = (runtime: Runtime): void => {
    for (const port of ports) serve(runtime, port);
  };
  return { seen, program };
}

function argumentsOf({ request }: RequestReader): string[] {
  const { argumentBytes, argumentCount, starts, ends } = request;
  return Array.from({ length: argumentCount }, (_, index) =>
    Buffer.from(argumentBytes.subarray(starts[index], ends[index])).toString(),
  );
}

function send(connection: Connection, text: string): void {
  const output = new OutputBuffer();
  output.append(Buffer.from(text));
  connection.send(output);
}

/** `CLUSTER SLOTS` where one port of `node` serves all. */
export function allSlotsAt(port: number): string {
  return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$4\r\nnode\r\n:${port}\r\n`;
}

export function answering(words: string): (args: readonly string[]) => string {
  return ([name]) => (name === 'CLUSTER' ? allSlotsAt(7400) : words);
}
