/**
 * The controller of one leadership: steps the loops, answers the nodes, tells them what is new.
 *
 * It is made when its peer leads and has all that was committed before, and stopped, for good, at
 * once when the peer leads no more. What it had under way then may still be committed: every commit
 * says what it rests on, so it does no harm.
 *
 * Reading order: `loop.ts`, `cluster-state.ts`, `rules.ts`, `leases.ts`, `membership.ts`, `loops/`,
 * `node-feed.ts`, and this.
 */
import type { z } from 'zod';
import {
  CachectlError,
  heartbeatCallSchema,
  leaveCallSchema,
  registerCallSchema,
  reportCallSchema,
  type HeartbeatAnswer,
  type HeartbeatCall,
  type LeaseTimes,
  type NodeFacts,
  type NodeId,
  type RegisterAnswer,
} from '../../cluster/index.ts';
import type { RpcOutcome, RpcSession } from '../../rpc/index.ts';
import type { Runtime, Timer } from '../../runtime/index.ts';
import type { MetadataStore } from '../store/index.ts';
import type { ClusterState } from './cluster-state.ts';
import { Commits } from './commits.ts';
import { Leases } from './leases.ts';
import type { ControllerLoop, LoopTime, LoopView, NodeLives, NodePush } from './loop.ts';
import { makeLoops, type LoopOptions } from './loops/index.ts';
import type { MembershipView } from './membership.ts';
import { MapText, NodeFeed } from './node-feed.ts';
import { Registrations } from './registrations.ts';
import { Reports } from './reports.ts';

export interface ControllerHost {
  readonly runtime: Pick<Runtime, 'clock' | 'log' | 'timers'>;
  readonly store: MetadataStore;
  readonly state: ClusterState;
  /** Whether this peer still led, in the same term, after this call was made. */
  confirmLeadership(done: (leads: boolean) => void): void;
  /** For whoever is to ask the leader. */
  notLeading(): CachectlError;
}

export interface ControllerOptions extends LoopOptions {
  readonly times: LeaseTimes;
  /** Monotonic; when the peer learned that it leads. */
  readonly electedAtUs: number;
}

export const NODE_METHODS = ['node.register', 'node.heartbeat', 'node.report', 'node.leave'];

type Answer = (outcome: RpcOutcome) => void;

interface Slot {
  readonly loop: ControllerLoop;
  isCommitting: boolean;
  wakeAtUs: number;
}

/** How often nodes are judged, and the loops see what heartbeats have brought. */
const LOOK_MS = 50;
const RETRY_MS = 200;

export class Controller {
  readonly #host: ControllerHost;
  readonly #options: ControllerOptions;
  readonly #leases: Leases;
  readonly #lives: NodeLives;
  readonly #view: LoopView;
  readonly #commits: Commits;
  readonly #registrations: Registrations;
  readonly #reports = new Reports();
  readonly #slots: readonly Slot[];
  readonly #mapText = new MapText();
  readonly #feeds = new Map<NodeId, NodeFeed>();
  /** Nodes that were down when they were last looked at. */
  readonly #down = new Set<NodeId>();
  #nodesSeen = -1;
  #timer: Timer | undefined;
  #isDue = false;
  #isStopped = false;

  constructor(host: ControllerHost, options: ControllerOptions) {
    const { clock } = host.runtime;
    this.#host = host;
    this.#options = options;
    const leases = new Leases(options.times, options.rules, options.electedAtUs);
    this.#leases = leases;
    this.#lives = {
      isAlive: (node) => leases.isAlive(node),
      heartbeatOf: (node) => leases.heartbeatOf(node),
      heardAgoMs: (node) => leases.heardAgoMs(node, clock.monotonicUs()),
    };
    this.#view = {
      state: host.state,
      lives: this.#lives,
      reportsTo: (id) => this.#reports.to(id),
    };
    this.#commits = new Commits(host);
    this.#registrations = new Registrations(
      {
        runtime: host.runtime,
        view: () => this.#membershipView(),
        notLeading: () => host.notLeading(),
      },
      this.#commits,
    );
    this.#slots = makeLoops(options).map((loop) => ({
      loop,
      isCommitting: false,
      wakeAtUs: Infinity,
    }));
    for (const { id, bootId, state } of host.state.nodes.values()) {
      if (state === 'down') this.#down.add(id);
      else leases.inherited(id, bootId);
    }
    this.#look();
  }

  get lives(): NodeLives {
    return this.#lives;
  }

  /** Nothing it has begun goes on, but for commits under way. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#commits.stop();
  }

  /** The state has moved on. To be called with each change. */
  stateChanged(): void {
    if (this.#isStopped) return;
    this.#takeNodes();
    this.#commits.stateChanged();
    const nowUs = this.#nowUs();
    for (const feed of this.#feeds.values()) feed.feed(this.#host.state, nowUs);
    this.#due();
  }

  /** What a node has called; `method` is one of `NODE_METHODS`. */
  nodeCall(method: string, session: RpcSession, body: unknown, answer: Answer): void {
    if (method === 'node.register') this.#takeRegistration(body, answer);
    else if (method === 'node.heartbeat') this.#heartbeat(session, body, answer);
    else if (method === 'node.report') this.#report(session, body, answer);
    else this.#leave(body, answer);
  }

  sessionClosed(session: RpcSession): void {
    for (const [node, feed] of this.#feeds) {
      if (feed.session === session) this.#feeds.delete(node);
    }
  }

  #takeRegistration(body: unknown, answer: Answer): void {
    const call = parsed(registerCallSchema, body, answer);
    if (call !== undefined) this.#register(call.facts, answer);
  }

  #heartbeat(session: RpcSession, body: unknown, answer: Answer): void {
    const heartbeat = parsed(heartbeatCallSchema, body, answer);
    if (heartbeat === undefined) return;
    if (!this.#leases.heard(heartbeat, this.#nowUs())) {
      answer({ ok: false, error: unknownNode(heartbeat.id) });
      return;
    }
    this.#feedOf(session, heartbeat).heard(heartbeat);
    if (!this.#options.rules.confirmsLeadership()) {
      this.#answerHeartbeat(heartbeat, answer);
      return;
    }
    this.#host.confirmLeadership((leads) => {
      if (leads && !this.#isStopped) this.#answerHeartbeat(heartbeat, answer);
      else answer({ ok: false, error: this.#host.notLeading() });
    });
  }

  #report(session: RpcSession, body: unknown, answer: Answer): void {
    const report = parsed(reportCallSchema, body, answer);
    if (report === undefined) return;
    if (this.#feeds.get(report.nodeId)?.session !== session) {
      answer({ ok: false, error: unknownNode(report.nodeId) });
      return;
    }
    if (report.error === undefined) this.#reports.add(report);
    else this.#log('warn', report.error, { node: report.nodeId });
    answer({ ok: true, body: null });
    this.#due();
  }

  #leave(body: unknown, answer: Answer): void {
    const call = parsed(leaveCallSchema, body, answer);
    if (call === undefined) return;
    this.#leases.left(call.id, call.bootId);
    answer({ ok: true, body: null });
    this.#due();
  }

  #answerHeartbeat({ id, bootId }: HeartbeatCall, answer: Answer): void {
    // It may have been given up while the majority was asked.
    if (!this.#leases.isAliveAs(id, bootId)) {
      answer({ ok: false, error: unknownNode(id) });
      return;
    }
    const { state } = this.#host;
    this.#feeds.get(id)?.feed(state, this.#nowUs());
    const body: HeartbeatAnswer = { mapEpoch: state.map.epoch };
    answer({ ok: true, body });
  }

  #register(facts: NodeFacts, answer: Answer): void {
    const { settings } = this.#host.state;
    if (settings === undefined) {
      const words = 'the cluster is being created';
      answer({ ok: false, error: new CachectlError('ERR_CACHECTL_UNHEALTHY', words) });
      return;
    }
    const { rules, times } = this.#options;
    const { heartbeatMs } = times;
    const body: RegisterAnswer = {
      ...{ clusterId: settings.id, heartbeatMs, leaseMs: rules.grantedMs(times) },
    };
    this.#registrations.add(facts, (error) => {
      answer(error === undefined ? { ok: true, body } : { ok: false, error });
    });
  }

  #membershipView(): MembershipView {
    const { state, runtime } = this.#host;
    const wallMs = Math.floor(runtime.clock.wallUs() / 1000);
    return { state, lives: this.#lives, rules: this.#options.rules, wallMs };
  }

  #feedOf(session: RpcSession, { id, bootId }: HeartbeatCall): NodeFeed {
    const known = this.#feeds.get(id);
    if (known?.session === session && known.bootId === bootId) return known;
    const feed = new NodeFeed(session, bootId, this.#mapText);
    this.#feeds.set(id, feed);
    return feed;
  }

  /** Follows the records of nodes: who has begun a life, and whose memory is gone. */
  #takeNodes(): void {
    const { state } = this.#host;
    if (state.changes.nodes === this.#nodesSeen) return;
    this.#nodesSeen = state.changes.nodes;
    const nowUs = this.#nowUs();
    for (const { id, bootId, state: nodeState } of state.nodes.values()) {
      if (nodeState === 'down') {
        this.#down.add(id);
        this.#leases.condemn(id);
      } else if (this.#down.delete(id) || !this.#leases.knows(id, bootId)) {
        this.#leases.registered(id, bootId, nowUs);
        this.#reports.forget(id);
      }
    }
    for (const id of this.#leases.nodes()) {
      if (state.nodes.has(id)) continue;
      this.#leases.condemn(id);
      if (!this.#leases.isAlive(id)) this.#leases.forget(id);
      this.#down.delete(id);
      this.#feeds.delete(id);
    }
  }

  #look(): void {
    const nowUs = this.#nowUs();
    this.#leases.look(nowUs);
    for (const feed of this.#feeds.values()) feed.feed(this.#host.state, nowUs);
    this.#due();
    this.#timer = this.#host.runtime.timers.after(LOOK_MS, () => this.#look());
  }

  /** All that happens in one turn of the event loop is one step. */
  #due(): void {
    if (this.#isDue || this.#isStopped) return;
    this.#isDue = true;
    this.#host.runtime.timers.defer(() => {
      this.#isDue = false;
      for (const slot of this.#slots) this.#step(slot);
    });
  }

  #step(slot: Slot): void {
    if (this.#isStopped || slot.isCommitting) return;
    const { clock, timers } = this.#host.runtime;
    const nowUs = clock.monotonicUs();
    const time: LoopTime = { nowUs, wallMs: Math.floor(clock.wallUs() / 1000) };
    const step = slot.loop.step(this.#view, time);
    for (const push of step.pushes ?? []) this.#push(push);
    // Looked at every LOOK_MS as it is: only what is due before is worth a timer.
    const { wakeAtUs } = step;
    if (wakeAtUs !== undefined && wakeAtUs < nowUs + LOOK_MS * 1000 && wakeAtUs !== slot.wakeAtUs) {
      slot.wakeAtUs = wakeAtUs;
      timers.after(Math.max(0, (wakeAtUs - nowUs) / 1000), () => this.#due());
    }
    if (step.commit === undefined) return;
    slot.isCommitting = true;
    this.#commits.commit(step.commit, (outcome) => {
      if (outcome === 'stopped') return;
      const goOn = (): void => {
        slot.isCommitting = false;
        this.#due();
      };
      if (outcome === 'failed') timers.after(RETRY_MS, goOn);
      else goOn();
    });
  }

  #push({ node, topic, body }: NodePush): void {
    this.#feeds.get(node)?.session.push(topic, body);
  }

  #nowUs(): number {
    return this.#host.runtime.clock.monotonicUs();
  }

  #log(level: 'warn', message: string, fields: Readonly<Record<string, string>>): void {
    this.#host.runtime.log.write(level, message, fields);
  }
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
  answer: Answer,
): z.output<Schema> | undefined {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const words = `${issue.path.join('.') || 'the body'}: ${issue.message}`;
  answer({ ok: false, error: new CachectlError('ERR_CACHECTL_VALUE', words) });
  return undefined;
}

function unknownNode(id: NodeId): CachectlError {
  return new CachectlError('ERR_CACHECTL_NOT_FOUND', `node ${id} is not registered as alive`);
}
