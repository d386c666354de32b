/**
 * The admin API: everything that an operator can do to a cluster, as one table of operations.
 *
 * Read `schemas.ts` first: the table, from which come the checks, the HTTP routes, their document
 * and `docs/admin-api.md`. Then `service.ts`: how a call becomes one commit, or a linearizable read.
 * `draft.ts` is the transaction in the making; `tenants.ts`, `nodes.ts`, `moves.ts`, `configs.ts`,
 * `cluster.ts` and `peers.ts` carry the operations out; `host.ts` is what they need of the peer.
 */
export { adminCalls } from './calls.ts';
export type { AdminHost } from './host.ts';
export { COMMON_ERRORS, type HttpMethod, type Operation } from './operation.ts';
export {
  OPERATIONS,
  type OperationInput,
  type OperationName,
  type OperationOutput,
} from './schemas.ts';
export { ADMIN_TIMEOUT_MS } from './service.ts';
export type {
  ClusterStatus,
  ConfigChange,
  ConfigView,
  CopyView,
  EventView,
  MoveView,
  NamespaceView,
  NodeView,
  PeerView,
  ReceiptView,
  Plan,
  RolloutView,
  ShardView,
  TenantUsageView,
  TenantView,
} from './views.ts';
