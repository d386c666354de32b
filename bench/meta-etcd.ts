/** Three etcd members as processes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { freePorts } from './raft-real-cluster.ts';

const HOST = '127.0.0.1';

const statusAnswer = z.object({
  header: z.object({ member_id: z.string() }),
  leader: z.string().optional(),
});

/** What `etcd --version` says, or undefined where there is none. */
export function etcdVersion(): string | undefined {
  const { error, stdout } = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
  return error === undefined ? /etcd Version: (\S+)/.exec(stdout)?.[1] : undefined;
}

export class EtcdCluster {
  readonly #children: ChildProcess[] = [];
  readonly clientPorts: number[] = [];

  private constructor() {}

  static async start(count: number, directory: string): Promise<EtcdCluster> {
    const cluster = new EtcdCluster();
    const ports = await freePorts(count * 2);
    const names = Array.from({ length: count }, (_, index) => `e${index + 1}`);
    const peers = names.map((name, index) => `${name}=http://${HOST}:${ports[index]}`).join(',');
    names.forEach((name, index) => {
      const peerUrl = `http://${HOST}:${ports[index]}`;
      const clientUrl = `http://${HOST}:${ports[count + index]}`;
      cluster.clientPorts.push(ports[count + index]);
      const dataDirectory = join(directory, name);
      const log = openSync(join(directory, `${name}.log`), 'w');
      const flags = {
        name,
        'data-dir': dataDirectory,
        'listen-peer-urls': peerUrl,
        'initial-advertise-peer-urls': peerUrl,
        'listen-client-urls': clientUrl,
        'advertise-client-urls': clientUrl,
        'initial-cluster': peers,
        'initial-cluster-state': 'new',
        'initial-cluster-token': directory,
        'log-level': 'error',
      };
      const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
      const child = spawn('etcd', args, { stdio: ['ignore', log, log] });
      closeSync(log);
      cluster.#children.push(child);
    });
    return cluster;
  }

  /** The port of the member that leads, once there is one. */
  async leaderPort(): Promise<number> {
    for (;;) {
      for (const port of this.clientPorts) {
        const url = `http://${HOST}:${port}/v3/maintenance/status`;
        const answer = await fetch(url, { method: 'POST', body: '{}' }).catch(() => undefined);
        if (answer?.ok !== true) continue;
        const { header, leader } = statusAnswer.parse(await answer.json());
        if (leader === header.member_id) return port;
      }
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
  }
}
