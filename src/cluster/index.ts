/**
 * The domain of a cluster, pure: what nodes, meta peers, proxies and clients must agree on without
 * a word between them.
 *
 * Read `ids.ts` and `slots.ts` (where a key belongs), then `shard-map.ts` (who serves it), and the
 * other things that a cluster consists of: `node-record.ts`, `tenant.ts`, `move.ts`, `receipt.ts`,
 * `config-document.ts`, `cluster-settings.ts`, `audit-event.ts`. `placement/` decides who should
 * serve what. `metadata-keys.ts` says where records are kept, `wire.ts`
 * what nodes and the meta leader say to each other. Then `errors.ts`: what can go wrong, and how
 * each part says so; and `quantities.ts`: how people write sizes, durations and addresses.
 */
export {
  AUDIT_EVENTS_MAX,
  auditEventSchema,
  countersSchema,
  FIRST_COUNTERS,
  type AuditEvent,
  type Counters,
} from './audit-event.ts';
export {
  CLUSTER_DEFAULTS,
  clusterSettingsSchema,
  LEASE_TIMES,
  type ClusterSettings,
  type LeaseTimes,
} from './cluster-settings.ts';
export {
  configDocumentSchema,
  configValuesSchema,
  rolloutSchema,
  type ConfigDocument,
  type ConfigValues,
  type Rollout,
} from './config-document.ts';
export {
  CachectlError,
  ERRORS,
  EXIT,
  EXIT_MEANINGS,
  type ErrorCode,
  type ErrorEntry,
  type ExitCode,
} from './errors.ts';
export {
  ADDRESS_FORM,
  DURATION_FORM,
  SIZE_FORM,
  formatDuration,
  formatSize,
  parseAddress,
  parseDurationMs,
  parseSize,
} from './quantities.ts';
export {
  asEpoch,
  asNodeId,
  asRevision,
  asShardId,
  epochSchema,
  nameSchema,
  nodeIdSchema,
  revisionSchema,
  shardIdSchema,
  type Epoch,
  type NodeId,
  type Revision,
  type ShardId,
} from './ids.ts';
export { METADATA_KEYS } from './metadata-keys.ts';
export {
  isMoveOver,
  moveSchema,
  type Move,
  type MovePhase,
  type MoveReason,
  type PlannedMove,
} from './move.ts';
export {
  nodeFactsSchema,
  nodeIdOfName,
  nodeRecordSchema,
  nodeStateSchema,
  takesShards,
  type NodeFacts,
  type NodeRecord,
  type NodesById,
  type NodeState,
} from './node-record.ts';
export {
  mapAfter,
  placeShards,
  planMoves,
  replicaSetAfter,
  type PlacementNode,
  type PlacementRequest,
  type Plan,
  type ShardLoad,
} from './placement/index.ts';
export { QuotaDivision, type Demand } from './quota-shares.ts';
export { receiptSchema, type Receipt } from './receipt.ts';
export {
  changeShards,
  EMPTY_SHARD_MAP,
  holders,
  replicaSet,
  roleOf,
  shardBySlot,
  shardMapFault,
  shardMapSchema,
  shardSchema,
  shardSlots,
  shardsOf,
  type Shard,
  type ShardChange,
  type ShardMap,
  type ShardRole,
} from './shard-map.ts';
export { decideRollout, type RolloutDecision, type RolloutNode } from './rollout.ts';
export { SLOT_COUNT, slotOfKey } from './slots.ts';
export {
  checkLiveSettings,
  LIVE_SETTINGS,
  liveSetting,
  liveSettingFault,
} from './live-settings.ts';
export { suggest } from './suggest.ts';
export {
  ackSchema,
  DEFAULT_NAMESPACE,
  DEFAULT_TENANT,
  evictionPolicySchema,
  namespaceSchema,
  tenantSchema,
  tenantSettingsSchema,
  type Ack,
  type EvictionPolicyName,
  type Namespace,
  type Tenant,
  type TenantSettings,
} from './tenant.ts';
export {
  heartbeatAnswerSchema,
  heartbeatCallSchema,
  LAG_UNKNOWN_MS,
  leaveCallSchema,
  mapNodeSchema,
  PUSHES,
  quotaShareSchema,
  registerAnswerSchema,
  registerCallSchema,
  reportCallSchema,
  shardPositionSchema,
  shardReportSchema,
  tenantUsageSchema,
  type HeartbeatAnswer,
  type HeartbeatCall,
  type LeaveCall,
  type MapNode,
  type Push,
  type PushTopic,
  type QuotaShare,
  type RegisterAnswer,
  type RegisterCall,
  type ReportCall,
  type ShardPosition,
  type ShardReport,
  type TenantUsage,
} from './wire.ts';
