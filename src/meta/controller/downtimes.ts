/** How long nodes have been down, by the clock of this leader. */
import type { NodeId } from '../../cluster/index.ts';
import type { ClusterState } from './cluster-state.ts';

export class Downtimes {
  readonly #sinceUs = new Map<NodeId, number>();

  look({ nodes }: ClusterState, nowUs: number): void {
    for (const id of this.#sinceUs.keys()) {
      if (nodes.get(id)?.state !== 'down') this.#sinceUs.delete(id);
    }
    for (const { id, state } of nodes.values()) {
      if (state === 'down' && !this.#sinceUs.has(id)) this.#sinceUs.set(id, nowUs);
    }
  }

  /** Of a node that is down. */
  sinceUs(node: NodeId): number | undefined {
    return this.#sinceUs.get(node);
  }
}
