/**
 * How `cachectl dev` cuts one of its nodes off: the node that it started is told by the channel
 * between the two processes, and cuts its own links to meta peers and to other nodes. Clients still
 * reach it, which is the worse case: a primary that knows of nothing newer and is asked to write.
 *
 * A node that nobody started as a part has no such channel, and no such network.
 */
import type { ChildProcess } from 'node:child_process';
import type { Address, Network } from '../../runtime/index.ts';
import { CuttableNetwork } from '../../runtime/node/cuttable-network.ts';
import { network } from '../../runtime/node/network.ts';

const ORDERS = ['cut', 'heal'] as const;
type Order = (typeof ORDERS)[number];

/** For a process that is a part of another one's cluster; undefined for all others. */
export function networkOfPart(clients: Address): Network | undefined {
  if (!process.connected) return undefined;
  const cuttable = new CuttableNetwork(network, ({ port }) => port === clients.port);
  process.on('message', (message: unknown) => {
    const order = ORDERS.find((known) => known === message);
    if (order !== undefined) cuttable[order]();
  });
  return cuttable;
}

/** Does nothing where the process has gone. */
export function orderPart(child: ChildProcess, order: Order): void {
  if (child.connected) child.send(order, () => {});
}
