/**
 * A loop of the controller: level-triggered, pure.
 *
 * It is stepped whenever something that it may look at has changed, and when it asked to be. It
 * compares what the cluster is to be with what it is, and returns one idempotent step towards it: a
 * commit, pushes to nodes, both, or nothing. While its commit is under way it is not stepped; then
 * it sees a state that contains the outcome. So a loop keeps nothing that it needs: killed between
 * any two steps, or begun anew by another leader, it goes on from what the store says.
 *
 * What it may keep in memory is what it would find out again: since when, by its own clock, it has
 * seen a thing; whom it has asked. That is lost with leadership, and a new leader counts anew.
 */
import type { HeartbeatCall, NodeId, Push, PushTopic, ReportCall } from '../../cluster/index.ts';
import type { Change, Compare } from '../store/index.ts';
import type { ClusterState } from './cluster-state.ts';

/** What nodes have told this leader: in memory, and gone with its leadership. */
export interface NodeLives {
  /**
   * May hold a lease: false only once it surely holds none. A new leader takes all nodes for alive
   * until it has led for longer than a lease lasts.
   */
  isAlive(node: NodeId): boolean;
  /** The last of the boot that is registered; undefined where none came to this leader. */
  heartbeatOf(node: NodeId): HeartbeatCall | undefined;
  /** Since the last heartbeat; undefined where none came. */
  heardAgoMs(node: NodeId): number | undefined;
}

export interface LoopView {
  readonly state: ClusterState;
  readonly lives: NodeLives;
  /** What nodes have answered to the seals and freezes of this leader, by id and node. */
  reportsTo(id: number): ReadonlyMap<NodeId, ReportCall>;
}

export interface LoopTime {
  /** Monotonic: for spans, and for `wakeAtUs`. */
  readonly nowUs: number;
  /** For what is written down. */
  readonly wallMs: number;
}

/** Is put into the audit log, in the commit that it tells of. */
export interface LoopEvent {
  /** Such as `node.down`. */
  readonly operation: string;
  /** Such as `node n1`. */
  readonly subject: string;
  readonly words: string;
}

export interface LoopCommit {
  /** Of everything that the decision rests on: `state.unchanged(key)`. */
  readonly compares: readonly Compare[];
  readonly changes: readonly Change[];
  /** Also written to the log of the process. Not empty where `movesBegun` is given. */
  readonly events: readonly LoopEvent[];
  /** How many numbers of moves it takes, from `counters.move` on. */
  readonly movesBegun?: number;
}

export type NodePush = {
  readonly [Topic in PushTopic]: {
    readonly node: NodeId;
    readonly topic: Topic;
    readonly body: Push<Topic>;
  };
}[PushTopic];

export interface LoopStep {
  readonly commit?: LoopCommit | undefined;
  /** To nodes that have a session; others miss them. A loop repeats what must arrive. */
  readonly pushes?: readonly NodePush[];
  /** Monotonic: when to be stepped although nothing has changed. */
  readonly wakeAtUs?: number | undefined;
}

export interface ControllerLoop {
  readonly name: string;
  step(view: LoopView, time: LoopTime): LoopStep;
}

/** Nothing is to be done. */
export const NO_STEP: LoopStep = Object.freeze({});
