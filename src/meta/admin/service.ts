/**
 * Carries the operations of the admin API out, on the peer that leads.
 *
 * - Reads and answers are linearizable: nothing is said that was not true at some moment between
 *   the call and its answer.
 * - A write is one commit, with the event that tells of it, or nothing. What is asked for at one
 *   time goes into one commit, each call on top of those before it; a call that fails has no part
 *   in it. Where the store has changed meanwhile, all are tried again on what is there by then.
 * - No commit changes a record twice: a revision names one version of a record, which whoever was
 *   told of it can be sure of, by giving it as a guard.
 * - Every call is answered by its deadline. Where a write may have been carried out although nothing
 *   was heard of it, the error's `details.maybeApplied` says so.
 */
import { CachectlError, type Revision } from '../../cluster/index.ts';
import { invariant, InvariantError } from '../../runtime/index.ts';
import type { RpcOutcome } from '../../rpc/index.ts';
import type { CommitOutcome, StoreRefusal } from '../store/index.ts';
import { clusterReads } from './cluster.ts';
import { configReads, configWrites } from './configs.ts';
import { Draft } from './draft.ts';
import type { Reading, Writing } from './handlers.ts';
import type { AdminHost } from './host.ts';
import { moveReads, moveWrites } from './moves.ts';
import { nodeReads, nodeWrites } from './nodes.ts';
import { changePeers, isPeerChange, PEER_CHANGES } from './peers.ts';
import { rebalanceReads, rebalanceWrites } from './rebalance.ts';
import { findOperation, type OperationName } from './schemas.ts';
import { type MadeSecret, SecretMaker } from './secrets.ts';
import { tenantReads, tenantWrites } from './tenants.ts';

/** Calls that go into one commit. */
const BATCH_MAX = 64;
/** Tries of a commit that is in conflict with others. */
const ATTEMPTS_MAX = 16;
const CALLS_MAX = 4096;
export const ADMIN_TIMEOUT_MS = 5000;

type AnyRead = (context: Reading, input: unknown) => unknown;
type AnyWrite = (context: Writing, input: unknown) => (revision: Revision) => object;

const reads = {
  ...clusterReads,
  ...tenantReads,
  ...nodeReads,
  ...moveReads,
  ...configReads,
  ...rebalanceReads,
};
const writes = {
  ...tenantWrites,
  ...nodeWrites,
  ...moveWrites,
  ...configWrites,
  ...rebalanceWrites,
};
/** Whose secrets are made before they are carried out. */
const NEED_SECRETS: ReadonlySet<OperationName> = new Set(['tenant.create', 'tenant.rotate-secret']);
/** None is missing: the compiler says so. */
const handlers: Readonly<Record<OperationName, unknown>> = { ...reads, ...writes, ...PEER_CHANGES };

export interface Caller {
  /** For the audit log, where the call itself does not say who it is from. */
  readonly name: string;
}

interface PendingWrite {
  readonly run: AnyWrite;
  readonly input: unknown;
  readonly who: string;
  /** The same for each try; undefined while it is being made, and where none is needed. */
  secret: MadeSecret | undefined;
  /** It can be carried out. */
  isReady: boolean;
  readonly answer: (outcome: RpcOutcome) => void;
}

/** What came of a write, once its commit is known to have gone through. */
interface Prepared {
  readonly write: PendingWrite;
  readonly outcomeAt: (revision: Revision) => RpcOutcome;
}

export class AdminService {
  readonly #host: AdminHost;
  #waiting: PendingWrite[] = [];
  #isCommitting = false;
  #callsUnderWay = 0;
  readonly #secrets: SecretMaker;

  constructor(host: AdminHost) {
    this.#host = host;
    this.#secrets = new SecretMaker(host.runtime);
  }

  /**
   * @param body checked here against the operation's schema
   * @param done called once, never before `call` has returned
   */
  call(caller: Caller, name: string, body: unknown, done: (outcome: RpcOutcome) => void): void {
    const answer = this.#answerOnce(name, done);
    const row = findOperation(name);
    if (row === undefined) {
      answer(failed('ERR_CACHECTL_NOT_FOUND', `no operation '${name}'`));
      return;
    }
    if (this.#callsUnderWay > CALLS_MAX) {
      answer(failed('ERR_CACHECTL_OVERLOADED', `${CALLS_MAX} admin calls are under way`));
      return;
    }
    const parsed = row.input.safeParse(body ?? {});
    if (!parsed.success) {
      answer({ ok: false, error: badInput(name, parsed.error.issues) });
      return;
    }
    const { actor = caller.name, ...input } = { actor: undefined, ...parsed.data };
    if (isPeerChange(row.name)) {
      changePeers(this.#host, row.name, input, answer);
    } else if (Object.hasOwn(reads, row.name)) {
      // Each handler is called with what the schema of its own operation has let through.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      this.#read(handlers[row.name] as AnyRead, input, answer);
    } else {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const write = handlers[row.name] as AnyWrite;
      this.#take(
        { run: write, input, who: actor, secret: undefined, isReady: true, answer },
        row.name,
      );
    }
  }

  #take(write: PendingWrite, name: OperationName): void {
    this.#waiting.push(write);
    if (NEED_SECRETS.has(name)) {
      write.isReady = false;
      this.#secrets.make((secret) => {
        write.secret = secret;
        write.isReady = true;
        this.#commitNext();
      });
    }
    this.#commitNext();
  }

  /** Settles the call later, once, and by its deadline. */
  #answerOnce(name: string, done: (outcome: RpcOutcome) => void): (outcome: RpcOutcome) => void {
    const { timers } = this.#host.runtime;
    let isAnswered = false;
    const finish = (outcome: RpcOutcome) => {
      if (isAnswered) return;
      isAnswered = true;
      this.#callsUnderWay--;
      timer.cancel();
      timers.defer(() => done(outcome));
    };
    const timer = timers.after(ADMIN_TIMEOUT_MS, () => {
      finish({ ok: false, error: this.#noQuorum(`'${name}' was not carried out in time`, true) });
    });
    this.#callsUnderWay++;
    return finish;
  }

  #read(run: AnyRead, input: unknown, answer: (outcome: RpcOutcome) => void): void {
    this.#barrier((refusal) => {
      if (refusal !== undefined) {
        answer({ ok: false, error: this.#refused(refusal) });
        return;
      }
      answer(this.#attempt(() => run(this.#reading(), input)));
    });
  }

  /** Calls once the view shows all that was committed before. */
  #barrier(then: (refusal: StoreRefusal | undefined) => void): void {
    this.#host.store.read({ key: BARRIER_KEY }, (outcome) => {
      then(outcome.kind === 'refused' ? outcome.reason : undefined);
    });
  }

  #reading(): Reading {
    const { store, runtime } = this.#host;
    const view = store.view();
    const nowMs = Math.round(runtime.clock.wallUs() / 1000);
    return { draft: new Draft(view), revision: view.revision, host: this.#host, nowMs };
  }

  #commitNext(): void {
    if (this.#isCommitting) return;
    // Those that are asked for first are done first.
    const unready = this.#waiting.findIndex(({ isReady }) => !isReady);
    const count = Math.min(unready < 0 ? this.#waiting.length : unready, BATCH_MAX);
    if (count === 0) return;
    this.#isCommitting = true;
    const batch = this.#waiting.splice(0, count);
    this.#commit(batch, 1, () => {
      this.#isCommitting = false;
      this.#commitNext();
    });
  }

  #commit(batch: readonly PendingWrite[], attempt: number, done: () => void): void {
    this.#barrier((refusal) => {
      if (refusal !== undefined) {
        answerAll(batch, this.#refused(refusal));
        done();
        return;
      }
      const reading = this.#reading();
      const prepared = this.#prepareAll(reading, batch);
      const settle = (revision: Revision) => {
        for (const { write, outcomeAt } of prepared) write.answer(outcomeAt(revision));
        done();
      };
      if (!reading.draft.isChanged) {
        settle(reading.revision);
        return;
      }
      const taken = prepared.map(({ write }) => write);
      const transaction = reading.draft.transaction();
      this.#host.store.commit(transaction, ADMIN_TIMEOUT_MS, (outcome) => {
        if (outcome.kind === 'committed') {
          settle(outcome.revision);
        } else if (outcome.kind === 'conflict' && attempt < ATTEMPTS_MAX) {
          this.#commit(taken, attempt + 1, done);
        } else {
          answerAll(taken, this.#commitError(outcome));
          done();
        }
      });
    });
  }

  /** The first that changes what one before it has changed waits for the next commit, and all after it. */
  #prepareAll(reading: Reading, batch: readonly PendingWrite[]): Prepared[] {
    const prepared: Prepared[] = [];
    for (const [index, write] of batch.entries()) {
      const one = this.#prepare(reading, write);
      if (one === undefined) {
        this.#waiting.unshift(...batch.slice(index));
        break;
      }
      prepared.push(one);
    }
    return prepared;
  }

  /**
   * Runs a write on top of those before it. One that fails has no part in the commit, and is still
   * answered after it: it may have failed because of what those before it did.
   *
   * @returns undefined where it changes a record that those before it have changed
   */
  #prepare(reading: Reading, write: PendingWrite): Prepared | undefined {
    const draft = reading.draft.fork();
    const warnings: string[] = [];
    const { who } = write;
    const secret = () => {
      invariant(write.secret !== undefined, 'a secret is made before it is needed');
      return write.secret;
    };
    try {
      const answer = write.run({ ...reading, draft, who, warnings, secret }, write.input);
      if (reading.draft.collidesWith(draft)) return undefined;
      reading.draft.merge(draft);
      const bodyAt = (revision: Revision) => ({ ...answer(revision), revision, warnings });
      return { write, outcomeAt: (revision) => ({ ok: true, body: bodyAt(revision) }) };
    } catch (thrown) {
      const error = this.#errorOf(thrown);
      return { write, outcomeAt: () => ({ ok: false, error }) };
    }
  }

  #attempt(run: () => unknown): RpcOutcome {
    try {
      return { ok: true, body: run() };
    } catch (thrown) {
      return { ok: false, error: this.#errorOf(thrown) };
    }
  }

  #errorOf(thrown: unknown): CachectlError {
    if (thrown instanceof CachectlError) return thrown;
    if (!(thrown instanceof InvariantError)) throw thrown;
    this.#host.runtime.log.write('error', 'an admin call has failed', { reason: thrown.message });
    return new CachectlError('ERR_CACHECTL_FAILED', thrown.message);
  }

  #commitError(outcome: Exclude<CommitOutcome, { kind: 'committed' }>): CachectlError {
    switch (outcome.kind) {
      case 'conflict': {
        const words = `others changed the same records ${ATTEMPTS_MAX} times meanwhile`;
        const details = { attempts: ATTEMPTS_MAX };
        return new CachectlError('ERR_CACHECTL_CONFLICT', words, { hint: 'Try again.', details });
      }
      case 'refused':
        return this.#refused(outcome.reason);
      case 'unknown':
        return this.#noQuorum('the write was not confirmed in time', true);
    }
  }

  #refused(reason: StoreRefusal): CachectlError {
    switch (reason) {
      case 'unavailable':
        return this.#noQuorum('nothing was done', false);
      case 'overloaded':
        return new CachectlError('ERR_CACHECTL_OVERLOADED', 'too much is under way in the store');
      case 'tooLarge':
        return new CachectlError('ERR_CACHECTL_VALUE', 'this is more than one commit may hold');
      case 'stopped':
        return new CachectlError('ERR_CACHECTL_CLOSED', 'this meta peer is stopping');
    }
  }

  #noQuorum(what: string, maybeApplied: boolean): CachectlError {
    const peers = this.#host.peers();
    const answered = peers.filter(({ isReachable }) => isReachable).map(({ name }) => name);
    const silent = peers.filter(({ isReachable }) => !isReachable).map(({ name }) => name);
    const words = `no majority of the meta peers answered, and ${what}: ${namesOr(answered)} answered, ${namesOr(silent)} did not`;
    return new CachectlError('ERR_CACHECTL_NO_QUORUM', words, {
      details: { answered, silent, maybeApplied },
    });
  }
}

/** Any key will do: what counts is that the read is linearizable. */
const BARRIER_KEY = 'cluster/settings';

function answerAll(batch: readonly PendingWrite[], error: CachectlError): void {
  for (const { answer } of batch) answer({ ok: false, error });
}

function failed(
  code: 'ERR_CACHECTL_NOT_FOUND' | 'ERR_CACHECTL_OVERLOADED',
  words: string,
): RpcOutcome {
  return { ok: false, error: new CachectlError(code, words) };
}

function namesOr(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function badInput(name: string, issues: readonly Issue[]): CachectlError {
  const words = issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
  );
  const hint = 'GET /openapi.json describes what each operation takes.';
  return new CachectlError('ERR_CACHECTL_VALUE', `${name}: ${words.join('; ')}`, { hint });
}
