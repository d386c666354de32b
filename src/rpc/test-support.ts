/** What the tests of this folder share: servers and clients in a simulated world. */
import { CachectlError } from '../cluster/index.ts';
import type { Connection, Runtime } from '../runtime/index.ts';
import { CALM_NETWORK, type NetworkSettings, type SimProcess, Simulation } from '../sim/index.ts';
import {
  RpcClient,
  type RpcClientOptions,
  type RpcHandler,
  type RpcOutcome,
  RpcServer,
  type RpcServerOptions,
} from './index.ts';

export const PORT = 7500;

export class RpcWorld {
  readonly simulation: Simulation;

  constructor(settings: { seed?: number; network?: Partial<NetworkSettings> } = {}) {
    const { seed = 1, network = {} } = settings;
    this.simulation = new Simulation({ seed, network: { ...CALM_NETWORK, ...network } });
  }

  add(name: string, program: (runtime: Runtime) => void): SimProcess {
    const process = this.simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 0, driftPpm: 0, wallUs: 0 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 1 }),
      program,
    });
    process.start();
    return process;
  }

  /** A server on `name:7500` with `handler`. */
  serve(name: string, handler: RpcHandler, options: RpcServerOptions = {}): SimProcess {
    return this.add(name, (runtime) => {
      const server = new RpcServer(runtime, handler, options);
      listen(runtime, name, (connection) => server.accept(connection));
    });
  }

  /** A client process that calls the servers of these names. */
  client(servers: readonly string[], options: Partial<RpcClientOptions> = {}): RpcClient {
    let client: RpcClient | undefined;
    this.add(`client${this.simulation.processes.length}`, (runtime) => {
      client = new RpcClient(runtime, {
        addresses: servers.map((host) => ({ host, port: PORT })),
        connectTimeoutMs: 500,
        ...options,
      });
    });
    this.run(1);
    if (client === undefined) throw new Error('the client process did not start');
    return client;
  }

  run(milliseconds: number): void {
    this.simulation.queue.runUntil(this.simulation.queue.nowUs + milliseconds * 1000);
  }
}

function listen(
  runtime: Runtime,
  host: string,
  onConnection: (connection: Connection) => void,
): void {
  runtime.network.listen(
    { host, port: PORT },
    {
      onListening() {},
      onConnection,
      onError(error) {
        throw error;
      },
    },
  );
}

/** Answers what it was asked, and counts. */
export class Echo implements RpcHandler {
  calls: Array<{ method: string; body: unknown }> = [];

  onCall(
    _session: unknown,
    method: string,
    body: unknown,
    answer: (outcome: RpcOutcome) => void,
  ): void {
    this.calls.push({ method, body });
    answer({ ok: true, body: { method, body } });
  }
}

/** Passes all calls on to where `leader` says. */
export const follower = (leader: () => string | null): RpcHandler => ({
  onCall: (_session, _method, _body, answer) => {
    const details = { leader: leader() };
    const error = new CachectlError('ERR_CACHECTL_NOT_LEADER', 'not the leader', { details });
    answer({ ok: false, error });
  },
});

/** The outcomes of calls, in order. */
export class Outcomes {
  readonly all: RpcOutcome[] = [];
  readonly take = (outcome: RpcOutcome): void => void this.all.push(outcome);

  get last(): RpcOutcome | undefined {
    return this.all.at(-1);
  }

  get error(): CachectlError | undefined {
    const { last } = this;
    return last?.ok === false ? last.error : undefined;
  }
}
