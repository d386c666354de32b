/**
 * Brings each call to the node that serves its key's slot: keeps a link to every node in use,
 * learns from any node who serves what, and follows nodes that send a call elsewhere.
 *
 * A node that redirects tells of one slot; the whole map is read anew behind it, at most once a
 * second. It is also read when a node is lost, does not answer in time, or says that it serves
 * nothing now: then four times a second, since a failover takes about one, and from others first,
 * since a node that is cut off from its cluster knows the old map only. By one request at a time,
 * however many calls fail.
 */
import { CachectlError, slotOfKey } from '../cluster/index.ts';
import { type Reply, ReplyError } from '../resp/index.ts';
import type { Address, Runtime, Timer } from '../runtime/index.ts';
import { type Argument, Call } from './call.ts';
import { Link } from './link.ts';
import type { Settings } from './options.ts';
import { Topology, readMoved } from './topology.ts';

/** A call that is sent on more often runs in a circle. */
const REDIRECTIONS_MAX = 5;
const REFRESH_GAP_MS = 1_000;
const REFRESH_GAP_TROUBLE_MS = 250;
/** For so long a node that gave trouble is asked for the map only after all others. */
const DOUBT_US = 5_000_000;

const encoder = new TextEncoder();
const keyBytes = new Uint8Array(1024);

export class Router {
  readonly #runtime: Runtime;
  readonly #settings: Settings;
  readonly #topology = new Topology();
  readonly #links = new Map<string, Link>();
  #refreshTimer: Timer | undefined;
  #refreshDueUs = Infinity;
  /** When each node last gave trouble. */
  readonly #doubtedUs = new Map<string, number>();
  #isRefreshing = false;
  #refreshedUs = -Infinity;
  #isClosed = false;
  /** Since `close`: links that somebody still waits for. */
  #busyLinks = 0;
  readonly #onClosed: Array<() => void> = [];
  /** Calls that a node has sent on to another. */
  redirections = 0;

  constructor(runtime: Runtime, settings: Settings) {
    this.#runtime = runtime;
    this.#settings = settings;
  }

  /**
   * Learns who serves what, from the seed that answers first.
   *
   * @param done where no seed would do, gets what the first of them said:
   *   `ERR_CACHECTL_CONNECT`, `ERR_CACHECTL_TIMEOUT`, `ERR_CACHECTL_AUTH` or `ERR_CACHECTL_SERVER`.
   */
  open(done: (error: CachectlError | undefined) => void): void {
    const { seeds } = this.#settings;
    const errors: CachectlError[] = [];
    let isOpen = false;
    const fail = (error: CachectlError): void => {
      errors.push(error);
      if (errors.length < seeds.length) return;
      this.#closeLinks();
      done(errors[0]);
    };
    for (const seed of seeds) {
      this.#askForSlots(
        seed,
        (reply) => {
          if (isOpen) return;
          isOpen = this.#learn(reply, seed);
          if (isOpen) done(undefined);
          else fail(noMap(seed));
        },
        fail,
      );
    }
  }

  /** Calls one of the two: with a reply that is no error, or with the error. */
  call(
    key: Argument,
    args: readonly Argument[],
    timeoutMs: number,
    resolve: (reply: Reply) => void,
    reject: (error: CachectlError) => void,
  ): void {
    const deadlineUs = this.#runtime.clock.monotonicUs() + timeoutMs * 1000;
    const node = this.#nodeOf(key);
    if (this.#isClosed) {
      reject(new CachectlError('ERR_CACHECTL_CLOSED', 'the client has been closed'));
    } else if (node === undefined) {
      this.#refreshSoon(REFRESH_GAP_TROUBLE_MS);
      reject(new CachectlError('ERR_CACHECTL_CONNECT', 'no node serves the slot of this key'));
    } else {
      this.#submit(node, args, deadlineUs, REDIRECTIONS_MAX, resolve, reject);
    }
  }

  /** Takes no more calls, waits for those under way, and closes all connections. */
  close(done: () => void): void {
    this.#onClosed.push(done);
    if (this.#isClosed) {
      this.#checkClosed();
      return;
    }
    this.#isClosed = true;
    this.#refreshTimer?.cancel();
    this.#busyLinks = this.#links.size;
    for (const link of [...this.#links.values()]) {
      link.whenIdle(() => {
        this.#busyLinks--;
        this.#checkClosed();
      });
    }
    this.#checkClosed();
  }

  #checkClosed(): void {
    if (this.#busyLinks > 0) return;
    this.#closeLinks();
    for (const done of this.#onClosed.splice(0)) done();
  }

  #submit(
    node: Address,
    args: readonly Argument[],
    deadlineUs: number,
    redirectionsLeft: number,
    resolve: (reply: Reply) => void,
    reject: (error: CachectlError) => void,
  ): void {
    const onReply = (reply: Reply): void => {
      if (!(reply instanceof ReplyError)) {
        resolve(reply);
        return;
      }
      const moved = readMoved(reply, node);
      if (moved === undefined || redirectionsLeft === 0) {
        if (reply.code === 'CLUSTERDOWN') this.#doubt(node);
        reject(errorOf(reply, node));
        return;
      }
      this.redirections++;
      this.#topology.move(moved.slot, moved.node);
      this.#refreshSoon(REFRESH_GAP_MS);
      this.#submit(moved.node, args, deadlineUs, redirectionsLeft - 1, resolve, reject);
    };
    const onError = (error: CachectlError): void => {
      if (error.code === 'ERR_CACHECTL_TIMEOUT') this.#doubt(node);
      reject(error);
    };
    this.#linkTo(node).submit(new Call(args, deadlineUs, onReply, onError));
  }

  #nodeOf(key: Argument): Address | undefined {
    const { nodes } = this.#topology;
    if (nodes.length === 1) return nodes[0];
    if (typeof key !== 'string') return this.#topology.ownerOf(slotOfKey(key, 0, key.length));
    // A character takes at most three bytes.
    const bytes = key.length * 3 <= keyBytes.length ? keyBytes : new Uint8Array(key.length * 3);
    const { written } = encoder.encodeInto(key, bytes);
    return this.#topology.ownerOf(slotOfKey(bytes, 0, written));
  }

  #linkTo(node: Address): Link {
    const name = nameOf(node);
    const known = this.#links.get(name);
    if (known !== undefined) return known;
    const { credentials, connectTimeoutMs, callsPerNodeMax: callsMax } = this.#settings;
    const settings = { credentials, connectTimeoutMs, callsMax };
    const link = new Link(this.#runtime, node, settings, () => this.#doubt(node));
    this.#links.set(name, link);
    return link;
  }

  #doubt(node: Address): void {
    this.#doubtedUs.set(nameOf(node), this.#runtime.clock.monotonicUs());
    this.#refreshSoon(REFRESH_GAP_TROUBLE_MS);
  }

  #refreshSoon(gapMs: number): void {
    if (this.#isClosed || this.#isRefreshing) return;
    const nowUs = this.#runtime.clock.monotonicUs();
    const dueUs = Math.max(nowUs, this.#refreshedUs + gapMs * 1000);
    if (this.#refreshTimer !== undefined && this.#refreshDueUs <= dueUs) return;
    this.#refreshTimer?.cancel();
    this.#refreshDueUs = dueUs;
    this.#refreshTimer = this.#runtime.timers.after(Math.ceil((dueUs - nowUs) / 1000), () => {
      this.#refreshTimer = undefined;
      this.#isRefreshing = true;
      this.#refreshFrom(this.#inOrderOfTrust());
    });
  }

  #inOrderOfTrust(): Address[] {
    const nodes = [...this.#topology.nodes, ...this.#settings.seeds];
    const first = this.#runtime.random.uint32() % nodes.length;
    const doubtedSinceUs = this.#runtime.clock.monotonicUs() - DOUBT_US;
    const isDoubted = (node: Address): boolean =>
      (this.#doubtedUs.get(nameOf(node)) ?? -Infinity) >= doubtedSinceUs;
    const turned = [...nodes.slice(first), ...nodes.slice(0, first)];
    return [...turned.filter((node) => !isDoubted(node)), ...turned.filter(isDoubted)];
  }

  /** Asks one node after the other, until one answers. */
  #refreshFrom(nodes: readonly Address[]): void {
    const [node, ...others] = nodes;
    if (node === undefined || this.#isClosed) {
      this.#endRefresh();
      return;
    }
    this.#askForSlots(
      node,
      (reply) => {
        if (this.#learn(reply, node)) this.#endRefresh();
        else this.#refreshFrom(others);
      },
      () => this.#refreshFrom(others),
    );
  }

  #endRefresh(): void {
    this.#isRefreshing = false;
    this.#refreshedUs = this.#runtime.clock.monotonicUs();
  }

  #askForSlots(
    node: Address,
    resolve: (reply: Reply) => void,
    reject: (error: CachectlError) => void,
  ): void {
    const nowUs = this.#runtime.clock.monotonicUs();
    const deadlineUs = nowUs + this.#settings.connectTimeoutMs * 1000;
    const onReply = (reply: Reply): void => {
      if (reply instanceof ReplyError && !speaksOfNoCluster(reply)) reject(errorOf(reply, node));
      else resolve(reply);
    };
    this.#linkTo(node).submit(new Call(['CLUSTER', 'SLOTS'], deadlineUs, onReply, reject));
  }

  #learn(reply: Reply, asked: Address): boolean {
    if (reply instanceof ReplyError) this.#topology.setAlone(asked);
    else if (!this.#topology.setSlots(reply, asked)) return false;
    const inUse = new Set(this.#topology.nodes.map(nameOf));
    for (const name of this.#doubtedUs.keys()) {
      if (!inUse.has(name) && !this.#links.has(name)) this.#doubtedUs.delete(name);
    }
    for (const [name, link] of this.#links) {
      if (inUse.has(name) || link.callsUnderWay > 0) continue;
      link.close();
      this.#links.delete(name);
    }
    return true;
  }

  #closeLinks(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** What does not know of clusters serves all slots itself. */
function speaksOfNoCluster({ text }: ReplyError): boolean {
  return text.includes('cluster support disabled') || text.startsWith('ERR unknown command');
}

function noMap(node: Address): CachectlError {
  const message = `${node.host}:${node.port} does not say which node serves which slot`;
  return new CachectlError('ERR_CACHECTL_SERVER', message);
}

const AUTH_CODES = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM']);

function errorOf(reply: ReplyError, node: Address): CachectlError {
  const code = AUTH_CODES.has(reply.code) ? 'ERR_CACHECTL_AUTH' : 'ERR_CACHECTL_SERVER';
  return new CachectlError(code, `${node.host}:${node.port}: ${reply.text}`);
}
