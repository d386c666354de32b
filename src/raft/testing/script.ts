/**
 * Plays a scenario written down line by line, so that it reads as a story. Nothing happens but what
 * a line says: no message arrives, no time passes, unless told.
 *
 *     peers a b c [learners d] [spare e]   who there is; spares belong to no configuration
 *     log a 1 1 2                          before anything else: the terms of a's entries
 *     tight NAME VALUE                     before anything else: a limit
 *
 *     campaign a            a asks to be elected        timeout a      a's timer goes off
 *     elect a               nobody is loyal any more, a campaigns, and everything settles
 *     settle                messages arrive until there are none
 *     pass 500              milliseconds pass: timers go off, messages arrive
 *     deliver a>b [KIND]    what is under way from a to b arrives; `repeat`: and stays under way;
 *                           `reverse`: the last comes first
 *     drop a>b [KIND]       it is lost; `a>*` and `*>b` name many links
 *     cut a b | cut a>b     nothing gets through; `mend` ends all cuts; `lost a>b` a is told so
 *     slow a                a's disk waits for `write a [COUNT]`; `quick a` ends that
 *     crash a, start a      with what was written; between them `damage a INDEX` loses entries
 *     propose a x y         read a r1        snapshot a       transfer a b
 *     change a voters=a,b learners=c
 *
 *     expect a leader|follower|candidate|preCandidate      expect a term 3, expect a vote b
 *     expect a log 1 1 2    expect a commit 3              expect a holds x y
 *     expect a follows b|nobody                            expect a voters a b / joint / learners c
 *     expect a>b probe|replicate|snapshot|none             expect a>b sends KIND [COUNT]
 *     expect read r1 INDEX|pending|refused                 expect refused REASON, expect accepted
 *
 * Every step is checked by the oracles as well.
 */
import { RAFT_LIMITS } from '../options.ts';
import type { RaftLimits } from '../options.ts';
import { RAFT_RULES } from '../rules.ts';
import type { Rules } from '../rules.ts';
import type { Effects, Input } from '../effects.ts';
import { asClusterId, asIndex, asPeerId, asTerm } from '../types.ts';
import type { Message, PeerId } from '../types.ts';
import { Oracles } from './oracles.ts';
import { TestPeer } from './peer.ts';
import { addressesOf, configurationOf, entriesOf } from './solo.ts';

/** @throws with the line that failed, and why. */
export function play(script: string, rules: Partial<Rules> = {}): void {
  const stage = new Stage(rules);
  const lines = script.split('\n');
  lines.forEach((line, at) => {
    const words = line.replace(/#.*/, '').trim().split(/\s+/).filter(Boolean);
    if (words.length === 0) return;
    try {
      stage.perform(words);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`line ${at + 1}, "${line.trim()}": ${reason}`, { cause });
    }
  });
}

const STEP_US = 10_000;

class Stage {
  readonly #rules: Partial<Rules>;
  readonly #peers = new Map<string, TestPeer>();
  readonly #logs = new Map<string, readonly number[]>();
  readonly #reads = new Map<number, { readonly name: string; outcome: string }>();
  readonly #cuts = new Set<string>();
  readonly #slow = new Set<string>();
  #limits: RaftLimits = { ...RAFT_LIMITS, electionTimeoutMs: 600, trailingEntries: 0 };
  #oracles = new Oracles(new Map());
  #messages: Message[] = [];
  #nowUs = 1_000_000;
  #voters = '';
  #learners = '';
  #started = false;
  #lastRefusal: string | undefined;

  constructor(rules: Partial<Rules>) {
    this.#rules = rules;
  }

  perform(words: readonly string[]): void {
    const [verb, ...rest] = words;
    if (verb === 'peers') this.#cast(rest);
    else if (verb === 'log') this.#logs.set(rest[0], rest.slice(1).map(Number));
    else if (verb === 'tight') this.#limits = { ...this.#limits, [rest[0]]: Number(rest[1]) };
    else {
      if (!this.#started) this.#begin();
      if (verb === 'expect') this.#expect(rest);
      else this.#act(verb, rest);
    }
  }

  #act(verb: string, [who = '', ...rest]: readonly string[]): void {
    switch (verb) {
      case 'campaign':
        return void this.#step(who, { kind: 'campaign' });
      case 'elect':
        this.#nowUs += this.#limits.electionTimeoutMs * 1000;
        this.#step(who, { kind: 'campaign' });
        this.#settle();
        return this.#expect([who, 'leader']);
      case 'timeout':
        this.#nowUs = Math.max(this.#nowUs, this.#peer(who).core.wakeAtUs);
        return void this.#step(who, { kind: 'tick' });
      case 'settle':
        return this.#settle();
      case 'pass':
        return this.#pass(Number(who));
      case 'deliver':
        return this.#deliver(who, rest[0], false);
      case 'repeat':
        return this.#deliver(who, rest[0], true);
      case 'reverse':
        return this.#take(who, rest[0], false)
          .toReversed()
          .forEach((message) => this.#arrive(message));
      case 'drop':
        return void this.#take(who, rest[0], false);
      case 'cut':
        return this.#cut(who, rest[0]);
      case 'mend':
        return this.#cuts.clear();
      case 'lost': {
        const [from, to] = who.split('>');
        return void this.#step(from, { kind: 'unreachable', peer: asPeerId(to) });
      }
      case 'slow':
        return void this.#slow.add(who);
      case 'quick':
        this.#slow.delete(who);
        return this.#write(this.#peer(who), Infinity);
      case 'write':
        return this.#write(this.#peer(who), Number(rest[0] ?? Infinity));
      case 'crash':
        this.#peer(who).crash(0, false);
        return this.#oracles.crashed(asPeerId(who));
      case 'damage':
        return this.#peer(who).disk.loseFrom(asIndex(Number(rest[0])));
      case 'start':
        return this.#peer(who).start(this.#nowUs);
      case 'propose':
        return this.#propose(who, rest);
      case 'read':
        return this.#read(who, rest[0]);
      case 'snapshot':
        return this.#peer(who).saveSnapshot(this.#nowUs);
      case 'transfer':
        return this.#administer(who, { kind: 'transfer', to: asPeerId(rest[0]) });
      case 'change':
        return this.#change(who, rest);
      default:
        throw new Error(`there is no verb ${verb}`);
    }
  }

  #cast(words: readonly string[]): void {
    const group = { peers: [] as string[], learners: [] as string[], spare: [] as string[] };
    let into = group.peers;
    for (const word of words) {
      if (word === 'learners') into = group.learners;
      else if (word === 'spare') into = group.spare;
      else into.push(word);
    }
    this.#voters = group.peers.join(' ');
    this.#learners = group.learners.join(' ');
    for (const name of [...group.peers, ...group.learners, ...group.spare]) {
      this.#logs.set(name, group.spare.includes(name) ? [] : [1]);
    }
  }

  #begin(): void {
    this.#started = true;
    const configuration = configurationOf(this.#voters, this.#learners);
    for (const [name, terms] of this.#logs) {
      const peer = new TestPeer({
        identity: { cluster: asClusterId('test'), id: asPeerId(name) },
        limits: this.#limits,
        rules: { ...RAFT_RULES, ...this.#rules },
        sessionRules: undefined,
        random: { uint32: () => name.charCodeAt(0) * 7919 },
        observe: (from, effects) => this.#observe(from, effects),
      });
      peer.disk.entries = entriesOf(terms, 1, configuration);
      peer.disk.hardState = { term: asTerm(terms.at(-1) ?? 0), vote: undefined };
      this.#peers.set(name, peer);
    }
    const disks = [...this.#peers.values()].map(({ id, disk }) => [id, disk] as const);
    this.#oracles = new Oracles(new Map(disks));
    for (const peer of this.#peers.values()) peer.start(this.#nowUs);
  }

  #peer(name: string): TestPeer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(`there is no peer ${name}`);
    return peer;
  }

  #step(name: string, input: Input): Effects {
    const peer = this.#peer(name);
    const effects = peer.step(input, this.#nowUs);
    if (!this.#slow.has(name)) this.#write(peer, Infinity);
    return effects;
  }

  #write(peer: TestPeer, count: number): void {
    if (count !== Infinity) return peer.carryOut(count, this.#nowUs);
    while (peer.writes.length > 0) peer.carryOut(peer.writes.length, this.#nowUs);
  }

  #observe(peer: TestPeer, effects: Effects): void {
    this.#oracles.check(peer.core, peer.id, effects);
    this.#messages.push(...effects.messages);
    for (const { to, snapshot, offset, lengthMax } of effects.snapshotReads) {
      const bytes = peer.disk.readSnapshot(snapshot.index, offset, lengthMax);
      this.#step(peer.id, { kind: 'snapshotRead', to, index: snapshot.index, offset, bytes });
    }
    for (const outcome of effects.reads) {
      const read = this.#reads.get(outcome.read);
      if (read) read.outcome = 'index' in outcome ? String(outcome.index) : 'refused';
    }
    for (const outcome of effects.proposals) {
      this.#lastRefusal = 'refused' in outcome ? outcome.refused : undefined;
    }
  }

  #take(link: string, kind: string | undefined, stays: boolean): readonly Message[] {
    const [from, to] = link.split('>');
    const matches = (message: Message): boolean =>
      (from === '*' || message.from === from) &&
      (to === '*' || message.to === to) &&
      (kind === undefined || message.kind === kind);
    const taken = this.#messages.filter(matches);
    if (taken.length === 0) throw new Error('no such message is under way');
    if (!stays) this.#messages = this.#messages.filter((message) => !matches(message));
    return taken;
  }

  #deliver(link: string, kind: string | undefined, stays: boolean): void {
    for (const message of this.#take(link, kind, stays)) this.#arrive(message);
  }

  #arrive(message: Message): void {
    const peer = this.#peers.get(message.to);
    if (this.#cuts.has(`${message.from}>${message.to}`) || peer?.isUp !== true) return;
    this.#step(message.to, { kind: 'message', message });
  }

  #settle(): void {
    for (let count = 0; this.#messages.length > 0; count++) {
      if (count > 10_000) throw new Error('messages go back and forth without end');
      const message = this.#messages.shift();
      if (message !== undefined) this.#arrive(message);
    }
  }

  #pass(ms: number): void {
    const untilUs = this.#nowUs + ms * 1000;
    while (this.#nowUs < untilUs) {
      this.#nowUs += STEP_US;
      for (const [name, peer] of this.#peers) {
        if (peer.isUp && peer.core.wakeAtUs <= this.#nowUs) this.#step(name, { kind: 'tick' });
      }
      this.#settle();
    }
  }

  #cut(a: string, b: string | undefined): void {
    if (b === undefined) {
      this.#cuts.add(a);
      return;
    }
    this.#cuts.add(`${a}>${b}`);
    this.#cuts.add(`${b}>${a}`);
  }

  #propose(who: string, values: readonly string[]): void {
    const commands = values.map((value) => new TextEncoder().encode(value));
    this.#step(who, { kind: 'propose', proposal: 1, commands });
  }

  #read(who: string, name: string): void {
    const read = this.#reads.size + 1;
    this.#reads.set(read, { name, outcome: 'pending' });
    this.#step(who, { kind: 'read', read });
  }

  #change(who: string, words: readonly string[]): void {
    const named = new Map(words.map((word) => [word.split('=')[0], word.split('=')[1]]));
    const of = (role: string) => addressesOf((named.get(role) ?? '').replaceAll(',', ' '));
    const change = { voters: of('voters'), learners: of('learners') };
    this.#administer(who, { kind: 'change', change });
  }

  #administer(who: string, input: Input): void {
    const { administration } = this.#step(who, input);
    this.#lastRefusal = administration?.accepted === false ? administration.refused : undefined;
  }

  #expect([who, ...what]: readonly string[]): void {
    const same = (is: string): void => {
      const wanted = what.join(' ');
      if (is !== wanted) throw new Error(`it is "${is}"`);
    };
    if (who === 'read') {
      const read = [...this.#reads.values()].find(({ name }) => name === what[0]);
      same(`${what[0]} ${read?.outcome}`);
    } else if (who === 'refused') same(this.#lastRefusal ?? 'accepted');
    else if (who === 'accepted') same(this.#lastRefusal ?? '');
    else if (who.includes('>')) this.#expectLink(who, what);
    else same(describeIfNamed(this.#peer(who), what[0]));
  }

  #expectLink(link: string, [what, kind, count]: readonly string[]): void {
    const [from, to] = link.split('>');
    if (what === 'sends') {
      const found = this.#messages.filter(
        (message) => message.from === from && message.to === to && message.kind === kind,
      ).length;
      const isRight = count === undefined ? found > 0 : found === Number(count);
      if (!isRight) throw new Error(`there are ${found}`);
      return;
    }
    const followers = this.#peer(from).core.replication?.followers;
    const is = followers?.get(asPeerId(to))?.sending.mode ?? 'none';
    if (is !== what) throw new Error(`it is ${is}`);
  }
}

/** The peer's state in the words of an `expect` line that begins with `aspect`. */
function describeIfNamed({ core, machine }: TestPeer, aspect: string): string {
  const { log } = core;
  const list = (peers: readonly PeerId[]): string => peers.join(' ');
  switch (aspect) {
    case 'term':
      return `term ${core.term}`;
    case 'vote':
      return `vote ${core.vote ?? 'nobody'}`;
    case 'commit':
      return `commit ${log.commit}`;
    case 'follows':
      return `follows ${core.leader ?? 'nobody'}`;
    case 'holds':
      return ['holds', ...machine.commands].join(' ');
    case 'log': {
      const terms = Array.from({ length: log.lastIndex - log.base.index }, (_, at) =>
        log.termAt(log.base.index + 1 + at),
      );
      return ['log', ...terms].join(' ');
    }
    case 'voters':
      return `voters ${list(log.configuration.voters)}`;
    case 'outgoing':
      return `outgoing ${list(log.configuration.votersOutgoing)}`.trim();
    case 'learners':
      return `learners ${list(log.configuration.learners)}`.trim();
    default:
      return core.role;
  }
}
