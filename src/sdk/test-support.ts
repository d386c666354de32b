/** What the tests of this folder share: a client's router and a node in a simulated world. */
import { CacheNode } from '../node/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { Simulation, type NetworkSettings, type SimProcess } from '../sim/index.ts';

const CALM: NetworkSettings = {
  latency: { shape: 'uniform', minUs: 100, spreadUs: 0 },
  loss: [0, 1],
  reset: [0, 1],
  split: [0, 1],
  bitFlip: [0, 1],
  replay: [0, 1],
  giveUpUs: 5_000_000,
};

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
  const simulation = new Simulation({ seed, network: { ...CALM, ...network } });
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
