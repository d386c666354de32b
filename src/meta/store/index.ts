/**
 * The metadata store: its face, and the implementation over Raft.
 *
 * Read `metadata-store.ts` (what it promises), `keyspace.ts` with `sorted-map.ts` (the state),
 * `watches.ts` (who follows it), then how it is replicated: `codec.ts`, `snapshot-codec.ts`,
 * `store-machine.ts`, `raft-store.ts`.
 */
export type {
  Change,
  CommitOutcome,
  CompactOutcome,
  Compare,
  Entry,
  MetadataStore,
  ReadOutcome,
  ReadPage,
  ReadQuery,
  StoreRefusal,
  StoreView,
  Transaction,
  Watch,
  WatchEvent,
  WatchHandler,
} from './metadata-store.ts';
export { RaftMetadataStore, type RaftStoreOptions } from './raft-store.ts';
export { StoreMachine } from './store-machine.ts';
