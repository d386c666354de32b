/**
 * A node's line to the meta leader: registers, sends heartbeats, takes what is pushed.
 *
 * - A lease is renewed by the answer to a heartbeat, from the moment of its sending.
 * - What is pushed is applied once and never backwards: heartbeats say what the node has, and the
 *   leader repeats what they do not show.
 * - It registers with each new connection and when it is told that it is not known. Heartbeats go
 *   on meanwhile: a new leader that knows the node renews its lease at once.
 *
 * It needs nothing of a cache node, so that the simulator can put it under load by itself.
 */
import type { z } from 'zod';
import {
  heartbeatAnswerSchema,
  PUSHES,
  registerAnswerSchema,
  asEpoch,
  asRevision,
  shardMapFault,
  type Epoch,
  type HeartbeatCall,
  type LeaveCall,
  type NodeFacts,
  type Push,
  type RegisterAnswer,
  type RegisterCall,
  type ReportCall,
  type Revision,
  type ShardPosition,
} from '../../cluster/index.ts';
import { RpcClient, type RpcClientState, type RpcOutcome } from '../../rpc/index.ts';
import type { Address, Runtime, Timer } from '../../runtime/index.ts';
import { Lease, type LeaseRules } from './lease.ts';

/** What a heartbeat tells, beside what the link knows itself. */
export type NodeReport = Pick<
  HeartbeatCall,
  'shards' | 'tenants' | 'quotaShares' | 'usedBytes' | 'memoryBytes'
>;

/** Answers a `seal` or a `freeze`. */
export type ReportPositions = (positions: readonly ShardPosition[], error?: string) => void;

/** Told of what is new. Pushes that are old news do not arrive here. */
export interface MetaLinkHandler {
  report(): NodeReport;
  /** The lease is held again that had run out, or is for the first time. */
  onLeased(): void;
  /** A newer map, or the same with other nodes. */
  onMap(push: Push<'map'>): void;
  /** Follows on what came before it, or is whole. */
  onTenants(push: Push<'tenants'>): void;
  onConfig(push: Push<'config'>): void;
  onQuotas(push: Push<'quotas'>): void;
  onSeal(push: Push<'seal'>, answer: ReportPositions): void;
  onFreeze(push: Push<'freeze'>, answer: ReportPositions): void;
  onThaw(push: Push<'thaw'>): void;
  onThrottle(push: Push<'throttle'>): void;
}

export interface MetaLinkOptions {
  /** Of the meta peers. */
  readonly addresses: readonly Address[];
  readonly token?: string | undefined;
  readonly facts: NodeFacts;
  readonly leaseRules?: LeaseRules;
}

const CONNECT_TIMEOUT_MS = 500;
const REGISTER_TIMEOUT_MS = 2000;
const REGISTER_RETRY_MS = 250;
const REPORT_TIMEOUT_MS = 2000;
const LEAVE_TIMEOUT_MS = 500;
/** News that come together are told together. */
const NEWS_MS = 5;
/** Unanswered heartbeats under way; beyond, the answers would come too late to be of use. */
const HEARTBEATS_MAX = 4;
/** Different words in the log about one trouble. */
const SAID_MAX = 20;

export class MetaLink {
  readonly lease: Lease;
  readonly #runtime: Runtime;
  readonly #options: MetaLinkOptions;
  readonly #handler: MetaLinkHandler;
  #client: RpcClient | undefined;
  #registration: RegisterAnswer | undefined;
  /** Counts the connections: what was registered in one is not known to the next. */
  #connections = 0;
  #isRegistering = false;
  #registerTimer: Timer | undefined;
  #heartbeatTimer: Timer | undefined;
  #newsTimer: Timer | undefined;
  #heartbeatsUnderWay = 0;
  #mapEpoch: Epoch = asEpoch(0);
  #tenantsRevision: Revision = asRevision(0);
  #configVersion = '';
  /** What was said of the trouble under way. */
  readonly #said = new Set<string>();

  constructor(runtime: Runtime, options: MetaLinkOptions, handler: MetaLinkHandler) {
    this.#runtime = runtime;
    this.#options = options;
    this.#handler = handler;
    this.lease = new Lease(options.leaseRules);
  }

  /** Of the map that was applied last; 0: none was. */
  get mapEpoch(): Epoch {
    return this.#mapEpoch;
  }

  /** Of the tenants that were applied last; 0: none were. */
  get tenantsRevision(): Revision {
    return this.#tenantsRevision;
  }

  /** Undefined until the node has been registered once. */
  get clusterId(): string | undefined {
    return this.#registration?.clusterId;
  }

  start(): void {
    const { addresses, token } = this.#options;
    this.#client = new RpcClient(this.#runtime, {
      addresses,
      token,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      onPush: (topic, body) => this.#pushed(topic, body),
      onState: (state) => this.#stateChanged(state),
    });
  }

  /** Gives the lease up, tells the leader so, and ends. */
  stop(done: () => void): void {
    this.lease.giveUp();
    this.#heartbeatTimer?.cancel();
    this.#newsTimer?.cancel();
    this.#registerTimer?.cancel();
    const client = this.#client;
    if (client === undefined || this.#registration === undefined) {
      client?.close();
      done();
      return;
    }
    const { id, bootId } = this.#options.facts;
    const leave: LeaveCall = { id, bootId };
    client.call(
      'node.leave',
      leave,
      LEAVE_TIMEOUT_MS,
      () => {
        client.close();
        done();
      },
      { isIdempotent: true },
    );
    this.#client = undefined;
  }

  #stateChanged(state: RpcClientState): void {
    if (state.kind === 'disconnected') {
      if (state.error !== undefined) this.#note('warn', state.error.message);
      return;
    }
    this.#connections++;
    this.#register();
    if (this.#registration !== undefined) this.#beat();
  }

  #register(): void {
    if (this.#isRegistering || this.#client === undefined) return;
    this.#isRegistering = true;
    this.#registerTimer?.cancel();
    const connection = this.#connections;
    const call: RegisterCall = { facts: this.#options.facts };
    this.#client.call(
      'node.register',
      call,
      REGISTER_TIMEOUT_MS,
      (outcome) => {
        this.#isRegistering = false;
        if (this.#client === undefined) return;
        const answer = outcome.ok ? registerAnswerSchema.safeParse(outcome.body).data : undefined;
        if (answer === undefined) this.#registerLater(outcome);
        else if (this.#accept(answer) && connection !== this.#connections) this.#register();
      },
      { isIdempotent: true },
    );
  }

  #registerLater(outcome: RpcOutcome): void {
    const why = outcome.ok ? 'its answer is not understood' : outcome.error.message;
    this.#note('warn', `not registered: ${why}`);
    this.#registerTimer = this.#runtime.timers.after(REGISTER_RETRY_MS, () => this.#register());
  }

  /** @returns whether the node has a place there */
  #accept(answer: RegisterAnswer): boolean {
    const before = this.#registration;
    if (before !== undefined && before.clusterId !== answer.clusterId) {
      // What is in memory belongs to tenants of the other cluster.
      this.lease.giveUp();
      const words = `the meta peers now serve cluster ${answer.clusterId}, and this node belongs to`;
      this.#note('error', `${words} ${before.clusterId}: start it anew to have it join`);
      this.#heartbeatTimer?.cancel();
      this.#client?.close();
      this.#client = undefined;
      return false;
    }
    this.#registration = answer;
    if (before === undefined) {
      this.#runtime.log.write('info', `meta: registered in cluster ${answer.clusterId}`);
      this.#heartbeat();
    }
    return true;
  }

  #heartbeat(): void {
    const { heartbeatMs } = this.#registration ?? { heartbeatMs: 0 };
    this.#heartbeatTimer = this.#runtime.timers.after(heartbeatMs, () => this.#heartbeat());
    this.#beat();
  }

  /** There is something that the leader waits for: it need not wait for the next heartbeat. */
  hasNews(): void {
    this.#newsTimer ??= this.#runtime.timers.after(NEWS_MS, () => {
      this.#newsTimer = undefined;
      this.#beat();
    });
  }

  #beat(): void {
    const registration = this.#registration;
    if (this.#client === undefined || registration === undefined) return;
    if (this.#heartbeatsUnderWay >= HEARTBEATS_MAX) return;
    const { id, bootId } = this.#options.facts;
    const call: HeartbeatCall = {
      id,
      bootId,
      mapEpoch: this.#mapEpoch,
      tenantsRevision: this.#tenantsRevision,
      configVersion: this.#configVersion,
      ...this.#handler.report(),
    };
    const sentAtUs = this.#runtime.clock.monotonicUs();
    this.#heartbeatsUnderWay++;
    this.#client.call('node.heartbeat', call, registration.leaseMs, (outcome) => {
      this.#heartbeatsUnderWay--;
      this.#answered(outcome, sentAtUs, registration.leaseMs);
    });
  }

  #answered(outcome: RpcOutcome, sentAtUs: number, leaseMs: number): void {
    if (outcome.ok) {
      const answer = heartbeatAnswerSchema.safeParse(outcome.body).data;
      if (answer === undefined) return;
      this.#said.clear();
      const nowUs = this.#runtime.clock.monotonicUs();
      const wasLeased = this.lease.isHeld(nowUs);
      this.lease.answered({
        sentAtUs,
        receivedAtUs: nowUs,
        answerEpoch: answer.mapEpoch,
        ownEpoch: this.#mapEpoch,
        leaseMs,
      });
      if (!wasLeased && this.lease.isHeld(nowUs)) this.#handler.onLeased();
      return;
    }
    const { code, message } = outcome.error;
    this.#note('warn', `heartbeat not answered: ${message}`);
    if (code === 'ERR_CACHECTL_NOT_FOUND' || code === 'ERR_CACHECTL_CONFLICT') this.#register();
  }

  #pushed(topic: string, body: unknown): void {
    const handler = this.#handler;
    switch (topic) {
      case 'map':
        this.#parse(topic, PUSHES.map, body, (push) => this.#takeMap(push));
        break;
      case 'tenants':
        this.#parse(topic, PUSHES.tenants, body, (push) => this.#takeTenants(push));
        break;
      case 'config':
        this.#parse(topic, PUSHES.config, body, (push) => this.#takeConfig(push));
        break;
      case 'quotas':
        this.#parse(topic, PUSHES.quotas, body, (push) => handler.onQuotas(push));
        break;
      case 'seal':
        this.#parse(topic, PUSHES.seal, body, (push) =>
          handler.onSeal(push, this.#answerTo(push.id)),
        );
        break;
      case 'freeze':
        this.#parse(topic, PUSHES.freeze, body, (push) =>
          handler.onFreeze(push, this.#answerTo(push.id)),
        );
        break;
      case 'thaw':
        this.#parse(topic, PUSHES.thaw, body, (push) => handler.onThaw(push));
        break;
      case 'throttle':
        this.#parse(topic, PUSHES.throttle, body, (push) => handler.onThrottle(push));
        break;
      default:
        this.#note('warn', `a push of '${topic}' is not known to this version`);
    }
  }

  #takeMap(push: Push<'map'>): void {
    if (push.map.epoch < this.#mapEpoch) return;
    const fault = shardMapFault(push.map);
    if (fault !== undefined) {
      this.#note('error', `a shard map is refused: ${fault}`);
      return;
    }
    this.#mapEpoch = push.map.epoch;
    this.#handler.onMap(push);
  }

  #takeTenants(push: Push<'tenants'>): void {
    if (push.revision <= this.#tenantsRevision) return;
    // What lies between is missing: the next heartbeat says so, and it comes.
    if (push.since > this.#tenantsRevision) return;
    this.#tenantsRevision = push.revision;
    this.#handler.onTenants(push);
  }

  #takeConfig(push: Push<'config'>): void {
    if (push.version === this.#configVersion) return;
    this.#configVersion = push.version;
    this.#handler.onConfig(push);
  }

  #parse<Schema extends z.ZodType>(
    topic: string,
    schema: Schema,
    body: unknown,
    take: (push: z.output<Schema>) => void,
  ): void {
    const parsed = schema.safeParse(body);
    if (parsed.success) take(parsed.data);
    else this.#note('error', `a push of ${topic} is not understood: ${parsed.error.message}`);
  }

  #answerTo(id: number): ReportPositions {
    return (positions, error) => {
      const report: ReportCall = {
        id,
        nodeId: this.#options.facts.id,
        positions: [...positions],
        ...(error === undefined ? {} : { error }),
      };
      this.#client?.call('node.report', report, REPORT_TIMEOUT_MS, () => {}, {
        isIdempotent: true,
      });
    };
  }

  /** Says each thing once until a heartbeat is answered again, however often it is met. */
  #note(level: 'info' | 'warn' | 'error', words: string): void {
    if (this.#said.has(words) || this.#said.size >= SAID_MAX) return;
    this.#said.add(words);
    this.#runtime.log.write(level, `meta: ${words}`);
  }
}
