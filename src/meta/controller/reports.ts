/**
 * What nodes have answered to seals and freezes. Only as many are kept as can be of use.
 *
 * An id is the revision at which something was decided: shards about which was decided together are
 * answered for one by one, under one id. So a node's answers add up, the newest for each shard.
 */
import type { NodeId, ReportCall } from '../../cluster/index.ts';

const IDS_MAX = 1024;
const NONE: ReadonlyMap<NodeId, ReportCall> = new Map();

export class Reports {
  readonly #byId = new Map<number, Map<NodeId, ReportCall>>();

  add(report: ReportCall): void {
    let reports = this.#byId.get(report.id);
    if (reports === undefined) {
      reports = new Map();
      this.#byId.set(report.id, reports);
      if (this.#byId.size > IDS_MAX) this.#dropOldest();
    }
    const before = reports.get(report.nodeId)?.positions ?? [];
    const told = new Set(report.positions.map(({ shard }) => shard));
    const positions = [...before.filter(({ shard }) => !told.has(shard)), ...report.positions];
    reports.set(report.nodeId, { ...report, positions });
  }

  to(id: number): ReadonlyMap<NodeId, ReportCall> {
    return this.#byId.get(id) ?? NONE;
  }

  /** What it held then, it holds no more. */
  forget(node: NodeId): void {
    for (const reports of this.#byId.values()) reports.delete(node);
  }

  #dropOldest(): void {
    for (const id of this.#byId.keys()) {
      this.#byId.delete(id);
      return;
    }
  }
}
