/**
 * `cachectl dev` on a terminal: a live picture of the cluster, and keys that hurt it.
 *
 * The terminal is given back as it was, however this ends: at the end of `play`, and else when the
 * process exits.
 */
import { CachectlError } from '../../../cluster/errors.ts';
import { random } from '../../../runtime/node/random.ts';
import { addresses } from '../admin-command.ts';
import { LOCAL_NODES_MAX, type LocalCluster } from '../local-cluster.ts';
import type { LocalPart } from '../local-part.ts';
import { pause } from '../pause.ts';
import { AdminLine, reasonOf, type Sight } from './admin-line.ts';
import { LiveRegion } from './live-region.ts';
import { picture } from './picture.ts';
import { SampleTraffic } from './sample-traffic.ts';
import { inSeconds, Story } from './story.ts';

const LOOK_MS = 500;
const FREEZE_MS = 5000;
const PARTITION_MS = 8000;
const STORY_LINES = 8;
const CTRL_C = '\u0003';

export class DevSession {
  readonly #cluster: LocalCluster;
  readonly #admin: AdminLine;
  readonly #story = new Story();
  /** By a key, and not seen to end yet. */
  readonly #killed = new Set<string>();
  #region: LiveRegion | undefined;
  #sight: Sight | undefined;
  #trouble: string | undefined;
  #traffic: SampleTraffic | undefined;
  /** A node has none of its shards, or not yet: they are spread once the cluster is whole. */
  #isToRebalance = false;
  readonly #onKeys = (keys: string) => {
    for (const key of keys) this.#onKey(key);
  };
  readonly #giveBack = () => this.#restoreTerminal();

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
    const meta = addresses.parse(cluster.metaAddresses);
    if (meta === undefined) throw new Error(`no addresses: ${cluster.metaAddresses}`);
    this.#admin = new AdminLine(meta);
  }

  /** Until `stopped`, or until `q` or Ctrl-C, which come as the signal that Ctrl-C is elsewhere. */
  async play(stopped: Promise<void>): Promise<void> {
    const { stdin, stdout } = process;
    process.once('exit', this.#giveBack);
    stdin.setRawMode(true).setEncoding('utf8').on('data', this.#onKeys).resume();
    this.#region = new LiveRegion(stdout);
    const end = stopped.then(() => 'stopped' as const);
    try {
      while ((await Promise.race([this.#look(), end])) !== 'stopped') {
        this.#draw();
        await Promise.race([pause(LOOK_MS), end]);
      }
    } finally {
      this.#restoreTerminal();
      process.off('exit', this.#giveBack);
      this.#admin.close();
      await this.#traffic?.stop();
    }
  }

  #restoreTerminal(): void {
    const { stdin } = process;
    stdin.off('data', this.#onKeys).pause();
    if (stdin.isTTY) stdin.setRawMode(false);
    this.#region?.end();
    this.#region = undefined;
  }

  async #look(): Promise<void> {
    try {
      this.#sight = await this.#admin.look();
      this.#trouble = undefined;
      this.#story.see(this.#sight);
      if (this.#isToRebalance) await this.#rebalance(this.#sight);
    } catch (error) {
      this.#trouble = reasonOf(error);
    }
  }

  #draw(): void {
    const { metas, nodes } = this.#cluster;
    this.#region?.draw(
      picture(
        {
          metas,
          nodes,
          sight: this.#sight,
          trouble: this.#trouble,
          traffic: this.#traffic?.rates(),
          story: this.#story.last(STORY_LINES),
        },
        process.stdout.rows - 1,
      ),
    );
  }

  #onKey(key: string): void {
    if (key === 'q' || key === CTRL_C) {
      process.kill(process.pid, 'SIGINT');
      return;
    }
    const actions: Readonly<Record<string, () => void | Promise<void>>> = {
      k: () => this.#kill(),
      p: () => this.#partition(),
      f: () => this.#freeze(),
      a: async () => this.#add(),
      r: async () => this.#restart(),
      t: async () => this.#toggleTraffic(),
    };
    const action = Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (action === undefined) return;
    void (async () => {
      try {
        await action();
      } catch (error) {
        this.#story.tell(reasonOf(error));
      }
      this.#draw();
    })();
    this.#draw();
  }

  /** Words of a part, or for whoever watches. */
  tell(words: string): void {
    for (const line of words.split('\n')) this.#story.tell(line);
    this.#draw();
  }

  /** A part has ended, by a key or by somebody else. */
  ended({ name }: LocalPart, how: string): void {
    if (!this.#killed.delete(name)) this.#story.hurt(name, `ended (${how})`);
    this.#draw();
  }

  #kill(): void {
    const part = this.#primary();
    if (part === undefined) return;
    this.#killed.add(part.name);
    part.kill();
    this.#story.hurt(part.name, 'was killed');
  }

  #partition(): void {
    const part = this.#primary();
    if (part === undefined) return;
    part.cutOff(PARTITION_MS);
    this.#story.hurt(part.name, 'was cut off');
    const words = `  from the others, for ${PARTITION_MS / 1000} s; clients still reach it`;
    this.#story.tell(words);
    this.#isToRebalance = true;
  }

  #freeze(): void {
    const part = this.#primary();
    if (part === undefined) return;
    part.freeze(FREEZE_MS);
    this.#story.hurt(part.name, 'was frozen');
    this.#isToRebalance = true;
  }

  /** Any node that serves writes now, and that nothing was done to. */
  #primary(): LocalPart | undefined {
    const serving = this.#sight?.status.nodes.filter((node) => node.isAlive && node.primaries > 0);
    const names = new Set(serving?.map(({ name }) => name));
    const parts = this.#cluster.nodes.filter(
      ({ name, state }) => names.has(name) && state === 'running',
    );
    if (parts.length === 0)
      this.#story.tell('no node is the primary of anything: nothing was done');
    return parts[random.uint32() % parts.length];
  }

  async #add(): Promise<void> {
    if (this.#cluster.nodes.length >= LOCAL_NODES_MAX) {
      this.#story.tell(`there are ${LOCAL_NODES_MAX} nodes, as many as there are ports for`);
      return;
    }
    this.#story.tell('adding a node');
    const { name } = await this.#cluster.addNode();
    this.#story.tell(`${name} has started; shards follow once the cluster is whole`);
    this.#isToRebalance = true;
  }

  async #restart(): Promise<void> {
    const { metas, nodes } = this.#cluster;
    const ended = [...metas, ...nodes].filter(({ state }) => state === 'ended');
    if (ended.length === 0) this.#story.tell('nothing was killed: nothing was restarted');
    await Promise.all(
      ended.map(async (part) => {
        await part.start();
        this.#story.tell(`${part.name} has started again, with nothing in memory`);
        if (part.plan.role === 'node') this.#isToRebalance = true;
      }),
    );
  }

  async #rebalance({ status }: Sight): Promise<void> {
    const started = this.#cluster.nodes.filter(({ state }) => state !== 'ended');
    if (!started.every(({ state }) => state === 'running')) return;
    const up = new Set(status.nodes.filter(({ isAlive }) => isAlive).map(({ name }) => name));
    const isWhole = status.shards.healthy === status.shards.total && status.moves.active === 0;
    if (!isWhole || !started.every(({ name }) => up.has(name))) return;
    try {
      const begun = await this.#admin.rebalance();
      this.#isToRebalance = false;
      if (begun > 0) this.#story.tell(`rebalancing: ${begun} moves`);
    } catch (error) {
      // It has changed since it was looked at: the next look plans anew.
      if (!(error instanceof CachectlError && error.code === 'ERR_CACHECTL_CONFLICT')) throw error;
    }
  }

  async #toggleTraffic(): Promise<void> {
    const running = this.#traffic;
    if (running !== undefined) {
      this.#traffic = undefined;
      await running.stop();
      return;
    }
    const seeds = this.#cluster.nodes.map(({ plan }) => plan.address);
    const traffic = await SampleTraffic.start(seeds, (writes, longestMs, reason) => {
      const words = `traffic: ${writes} writes waited, ${inSeconds(longestMs)} at most (${reason})`;
      this.#story.tell(words);
    });
    if (this.#traffic === undefined) this.#traffic = traffic;
    else await traffic.stop();
  }
}
