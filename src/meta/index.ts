/**
 * The control plane: what the cluster is to be, kept by a group of meta peers, and made so by the
 * controller of the one that leads.
 *
 * What it guarantees: what was acknowledged is never lost while a majority of disks keeps what it
 * has confirmed; nobody acts as primary of a shard whose lease another's promotion rests on; and
 * whoever leads goes on from what the store says, wherever its predecessor was stopped.
 *
 * Reading order: `store/` (the truth), `controller/` (what is done about it), `peer-group.ts`,
 * `shared-port.ts`, `peer.ts` (how it is put together).
 */
export {
  openMetaPeer,
  type CallHandler,
  type CallTable,
  type MetaPeer,
  type MetaPeerOpening,
  type MetaPeerOptions,
  type NodeLife,
} from './peer.ts';
export type { MetaPeerView } from './peer-group.ts';
export { CONTROLLER_RULES, type Candidate, type ControllerRules } from './controller/rules.ts';
export type { Change, Entry, MetadataStore, StoreView, Watch, WatchEvent } from './store/index.ts';
