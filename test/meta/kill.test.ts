/** Real meta peers, each a process of its own, killed without warning. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeIdOfName, registerAnswerSchema, type NodeFacts } from '../../src/cluster/index.ts';
import { RpcClient, type RpcOutcome } from '../../src/rpc/index.ts';
import { encodeRequest } from '../../src/resp/index.ts';
import { OutputBuffer } from '../../src/runtime/index.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';
import { exchange, startCachectl, type Started } from '../support/cachectl.ts';
import { freePort } from '../support/redis-server.ts';

const runtime = createRuntime({ log: { level: 'silent' } });

function factsOf(name: string, port: number): NodeFacts {
  return {
    id: nodeIdOfName(name),
    name,
    host: '127.0.0.1',
    port,
    replicationPort: port,
    zone: 'z1',
    machine: 'here',
    weight: 1,
    memoryBytes: 1024,
    bootId: '0123456789abcdef',
    version: '1.0.0',
  };
}

class Group {
  readonly ports = new Map<string, number>();
  readonly running = new Map<string, Started>();
  readonly #directory = mkdtempSync(join(tmpdir(), 'cachectl-meta-'));
  #client: RpcClient | undefined;

  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (!this.ports.has(name)) this.ports.set(name, await freePort());
    }
    const started = names.map((name) => this.#start(name));
    await Promise.all(started);
  }

  async #start(name: string): Promise<void> {
    const peers = [...this.ports].map(([peer, port]) => `${peer}=127.0.0.1:${port}`).join(',');
    const listen = `127.0.0.1:${this.ports.get(name) ?? 0}`;
    const data = join(this.#directory, name);
    const args = ['--name', name, '--listen', listen, '--peers', peers, '--data-dir', data];
    const peer = startCachectl(['meta', 'start', ...args]);
    this.running.set(name, peer);
    await peer.line(/^meta peer \S+ serves /);
  }

  async kill(name: string): Promise<void> {
    await this.running.get(name)?.[Symbol.asyncDispose]();
    this.running.delete(name);
  }

  get client(): RpcClient {
    return (this.#client ??= new RpcClient(runtime, {
      addresses: [...this.ports.values()].map((port) => ({ host: '127.0.0.1', port })),
      connectTimeoutMs: 1000,
    }));
  }

  call(method: string, body: unknown, timeoutMs = 20_000): Promise<RpcOutcome> {
    return new Promise((resolve) => {
      this.client.call(method, body, timeoutMs, resolve, { isIdempotent: true });
    });
  }

  /** Registers a node, which is a write. */
  async register(name: string, port: number): Promise<void> {
    // A cluster that is being created has no place for nodes yet.
    for (;;) {
      const outcome = await this.call('node.register', { facts: factsOf(name, port) });
      if (outcome.ok) {
        registerAnswerSchema.parse(outcome.body);
        return;
      }
      if (outcome.error.code !== 'ERR_CACHECTL_UNHEALTHY') throw outcome.error;
      await sleep(20);
    }
  }

  async leader(): Promise<string> {
    for (;;) {
      for (const [name, port] of this.ports) {
        if (this.running.has(name) && (await leads(port))) return name;
      }
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    for (const name of [...this.running.keys()]) await this.kill(name);
    rmSync(this.#directory, { recursive: true });
  }
}

/** Asked for something that no node sends, a leader says what is wrong, and others who leads. */
async function leads(port: number): Promise<boolean> {
  const output = new OutputBuffer();
  encodeRequest(output, ['CALL', '1', 'node.leave', '{}']);
  const request = Buffer.from(output.view()).toString('latin1');
  const answer = await exchange(port, request, 60).catch(() => '');
  return answer.includes('ERR_CACHECTL_VALUE');
}

describe('a group of three processes', () => {
  let group: Group;
  beforeEach(async () => {
    group = new Group();
    await group.start('m1', 'm2', 'm3');
  });
  afterEach(async () => group[Symbol.asyncDispose]());

  test('takes the next write after its leader was killed, time and again', async () => {
    await group.register('n0', 7000);
    for (let round = 1; round <= 5; round++) {
      const leader = await group.leader();
      await group.kill(leader);
      await group.register(`n${round}`, 7000 + round);
      await group.start(leader);
    }
  });

  test('keeps what it acknowledged when all are killed', async () => {
    await group.register('n0', 7000);
    for (const name of ['m1', 'm2', 'm3']) await group.kill(name);
    await group.start('m1', 'm2', 'm3');
    // The name is taken: by another process, as the peers must remember.
    const facts = { ...factsOf('n0', 7000), bootId: 'fedcba9876543210' };
    const outcome = await group.call('node.register', { facts });
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_CACHECTL_CONFLICT' } });
  });
});
