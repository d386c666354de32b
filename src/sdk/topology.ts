/** Which node serves which slot, as far as this client knows. Pure. */
import { SLOT_COUNT } from '../cluster/index.ts';
import { type Reply, ReplyError, replyText } from '../resp/index.ts';
import type { Address } from '../runtime/index.ts';

const NOBODY = -1;
const PORT_MAX = 65_535;

export class Topology {
  /** Of each slot, where its node stands in `#nodes`, or `NOBODY`. */
  readonly #owners = new Int32Array(SLOT_COUNT).fill(NOBODY);
  #nodes: Address[] = [];

  /** The nodes that serve a slot. */
  get nodes(): readonly Address[] {
    return this.#nodes;
  }

  /** Undefined where no node is known to serve the slot. */
  ownerOf(slot: number): Address | undefined {
    return this.#nodes[this.#owners[slot]];
  }

  /** One node serves all: what speaks the protocol without being a cluster. */
  setAlone(node: Address): void {
    this.#nodes = [node];
    this.#owners.fill(0);
  }

  /**
   * Takes the answer to `CLUSTER SLOTS`; what it does not name is served by nobody.
   *
   * @param asked the node that answered: a range whose host is empty is its own
   * @returns false where the reply is not such an answer, which then changes nothing.
   */
  setSlots(reply: Reply, asked: Address): boolean {
    if (!isArray(reply)) return false;
    const ranges = reply.map((range) => readRange(range, asked));
    if (!ranges.every((range) => range !== undefined)) return false;
    this.#nodes = [];
    this.#owners.fill(NOBODY);
    for (const { first, last, node } of ranges) {
      this.#owners.fill(this.#indexOf(node), first, last + 1);
    }
    return true;
  }

  /** One slot is served by this node now. */
  move(slot: number, node: Address): void {
    this.#owners[slot] = this.#indexOf(node);
  }

  #indexOf(node: Address): number {
    const known = this.#nodes.findIndex((one) => one.host === node.host && one.port === node.port);
    return known >= 0 ? known : this.#nodes.push(node) - 1;
  }
}

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly node: Address;
}

/** `[first, last, [host, port, …], …replicas]` */
function readRange(range: Reply, asked: Address): SlotRange | undefined {
  if (!isArray(range)) return undefined;
  const [first, last, primary] = range;
  if (typeof first !== 'number' || typeof last !== 'number') return undefined;
  if (first < 0 || last < first || last >= SLOT_COUNT || !isArray(primary)) return undefined;
  const [host, port] = primary;
  if (typeof port !== 'number' || port < 1 || port > PORT_MAX) return undefined;
  const named = host === null ? '' : replyText(host);
  return {
    first,
    last,
    node: { host: named === undefined || named === '' ? asked.host : named, port },
  };
}

function isArray(reply: Reply | undefined): reply is readonly Reply[] {
  return Array.isArray(reply);
}

export interface Redirection {
  readonly slot: number;
  readonly node: Address;
}

/** Reads `MOVED slot host:port`; undefined for anything else. */
export function readMoved(reply: Reply, asked: Address): Redirection | undefined {
  if (!(reply instanceof ReplyError) || reply.code !== 'MOVED') return undefined;
  const [, slotText = '', place = ''] = reply.text.split(' ');
  const slot = Number(slotText);
  // An address of IPv6 comes without brackets, and an empty host is that of the node asked.
  const colon = place.lastIndexOf(':');
  const port = Number(place.slice(colon + 1));
  const isSlot = Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT;
  if (!isSlot || colon < 0 || !(port > 0 && port <= PORT_MAX)) return undefined;
  return { slot, node: { host: place.slice(0, colon) || asked.host, port } };
}
