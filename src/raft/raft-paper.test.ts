/**
 * The Raft paper (Ongaro and Ousterhout, 2014, extended version), sentence by sentence.
 *
 * Where this implementation asks first (pre-vote), the sentence about elections is checked from the
 * moment at which the peers have agreed to be asked.
 */
import { describe, expect, test } from 'vitest';
import { RAFT_LIMITS } from './options.ts';
import { Solo, entriesOf } from './testing/solo.ts';
import { asIndex, asTerm } from './types.ts';

const ELECTION_US = RAFT_LIMITS.electionTimeoutMs * 1000;

function append(previousIndex: number, previousTerm: number, terms: readonly number[], commit = 0) {
  return {
    kind: 'append',
    previousIndex: asIndex(previousIndex),
    previousTerm: asTerm(previousTerm),
    entries: entriesOf(terms, previousIndex + 1),
    commit: asIndex(commit),
  } as const;
}

function accepted(match: number) {
  return { kind: 'appendAccepted', match: asIndex(match) } as const;
}

function vote(lastIndex: number, lastTerm: number) {
  return {
    kind: 'vote',
    lastIndex: asIndex(lastIndex),
    lastTerm: asTerm(lastTerm),
    transfer: false,
  } as const;
}

function leaderOf(voters: string, log?: readonly number[]): Solo {
  const solo = new Solo({ voters, ...(log === undefined ? {} : { log }) });
  solo.becomeLeader();
  solo.sent.length = 0;
  return solo;
}

describe('§5.1: terms', () => {
  test('a follower whose term is smaller takes over the larger one', () => {
    const solo = new Solo();
    solo.receive('b', append(1, 1, []), 2);
    expect(solo.core.term).toBe(2);
    expect(solo.core.role).toBe('follower');
  });

  test('a candidate that learns of a later term becomes a follower at once', () => {
    const solo = new Solo();
    solo.becomeCandidate();
    solo.receive('b', append(1, 1, []), 5);
    expect([solo.core.role, solo.core.term]).toEqual(['follower', 5]);
  });

  test('a leader that learns of a later term becomes a follower at once', () => {
    const solo = leaderOf('a b c');
    solo.receive('b', { kind: 'heartbeatResponse', readContext: 0 }, 9);
    expect([solo.core.role, solo.core.term]).toEqual(['follower', 9]);
  });

  test('a request with an earlier term is rejected', () => {
    const solo = new Solo({ term: 3 });
    solo.receive('b', append(1, 1, [2]), 2);
    expect(solo.logTerms).toEqual([1]);
    expect(solo.core.leader).toBeUndefined();
    // The answer carries the later term, so that the sender learns that it is out of date.
    expect(solo.sent).toMatchObject([{ to: 'b', term: 3 }]);
  });
});

describe('§5.2: elections', () => {
  test('a peer begins as a follower', () => {
    expect(new Solo().core.role).toBe('follower');
  });

  test('a leader sends heartbeats to all followers, time after time', () => {
    const solo = leaderOf('a b c');
    for (let beat = 0; beat < 3; beat++) {
      solo.timeOut();
      expect(solo.takeSent('heartbeat').map(({ to }) => to)).toEqual(['b', 'c']);
    }
  });

  test.each(['follower', 'candidate'] as const)(
    'a %s that hears nothing over the election timeout increments its term, votes for itself and asks all others',
    (role) => {
      const solo = new Solo();
      if (role === 'candidate') solo.becomeCandidate();
      expect(solo.core.role).toBe(role);
      solo.sent.length = 0;
      const { term } = solo.core;
      solo.becomeCandidate();
      expect([solo.core.term, solo.core.role, solo.core.vote]).toEqual([
        term + 1,
        'candidate',
        'a',
      ]);
      expect(solo.sentOf('vote').map(({ to, term: asked }) => [to, asked])).toEqual([
        ['b', term + 1],
        ['c', term + 1],
      ]);
    },
  );

  test.each([
    { voters: 'a', granted: '', refused: '', role: 'leader' },
    { voters: 'a b c', granted: 'b c', refused: '', role: 'leader' },
    { voters: 'a b c', granted: 'b', refused: '', role: 'leader' },
    { voters: 'a b c', granted: 'b', refused: 'c', role: 'leader' },
    { voters: 'a b c d e', granted: 'b c d e', refused: '', role: 'leader' },
    { voters: 'a b c d e', granted: 'b c', refused: 'd e', role: 'leader' },
    { voters: 'a b c', granted: '', refused: 'b c', role: 'follower' },
    { voters: 'a b c d e', granted: 'b', refused: 'c d e', role: 'follower' },
    { voters: 'a b c', granted: '', refused: '', role: 'candidate' },
    { voters: 'a b c d e', granted: 'b', refused: 'c d', role: 'candidate' },
    { voters: 'a b c d', granted: 'b', refused: '', role: 'candidate' },
  ])(
    'of ($voters), granted by ($granted) and refused by ($refused), one round makes a $role',
    ({ voters, granted, refused, role }) => {
      const solo = new Solo({ voters });
      solo.becomeCandidate();
      for (const peer of granted.split(' ').filter(Boolean)) {
        solo.receive(peer, { kind: 'voteResponse', granted: true }, 2);
      }
      for (const peer of refused.split(' ').filter(Boolean)) {
        solo.receive(peer, { kind: 'voteResponse', granted: false }, 2);
      }
      expect([solo.core.role, solo.core.term]).toEqual([role, 2]);
    },
  );

  test.each([
    { voted: undefined, candidate: 'b', granted: true },
    { voted: undefined, candidate: 'c', granted: true },
    { voted: 'b', candidate: 'b', granted: true },
    { voted: 'c', candidate: 'c', granted: true },
    { voted: 'b', candidate: 'c', granted: false },
    { voted: 'c', candidate: 'b', granted: false },
  ])(
    'a peer that voted for $voted votes for $candidate in that term: $granted',
    ({ voted, candidate, granted }) => {
      const solo = new Solo({ term: 1, ...(voted === undefined ? {} : { vote: voted }) });
      solo.receive(candidate, vote(1, 1), 1);
      expect(solo.sent).toMatchObject([{ kind: 'voteResponse', to: candidate, granted }]);
    },
  );

  test.each([2, 3])(
    'a candidate follows a leader that appears in term %i, its own or a later one',
    (term) => {
      const solo = new Solo();
      solo.becomeCandidate();
      expect([solo.core.role, solo.core.term]).toEqual(['candidate', 2]);
      solo.receive('b', append(1, 1, []), term);
      expect([solo.core.role, solo.core.term, solo.core.leader]).toEqual(['follower', term, 'b']);
    },
  );

  test.each(['follower', 'candidate'] as const)(
    'the election timeout of a %s is drawn anew each time from a fixed interval',
    (role) => {
      let draw = 0;
      const solo = new Solo({ random: () => draw });
      const seen = new Set<number>();
      for (let round = 0; round < 50; round++) {
        draw = Math.floor((round / 50) * ELECTION_US);
        if (role === 'candidate') solo.becomeCandidate();
        else solo.receive('b', append(1, 1, []), solo.core.term + 1);
        expect(solo.core.role).toBe(role);
        const timeoutUs = solo.core.wakeAtUs - solo.nowUs;
        expect(timeoutUs).toBeGreaterThanOrEqual(ELECTION_US);
        expect(timeoutUs).toBeLessThan(2 * ELECTION_US);
        seen.add(timeoutUs);
      }
      expect(seen.size).toBe(50);
    },
  );

  test.each(['followers', 'candidates'] as const)(
    'with timeouts drawn so, only rarely do two of five %s time out together',
    (role) => {
      let state = 1;
      const random = (): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state;
      };
      let conflicts = 0;
      for (let round = 0; round < 400; round++) {
        const wakeUps = ['b', 'c', 'd', 'e', 'f'].map((leader) => {
          const solo = new Solo({ voters: 'a b c d e f', random });
          if (role === 'candidates') solo.becomeCandidate();
          else solo.receive(leader, append(1, 1, []), 2);
          return solo.core.wakeAtUs - solo.nowUs;
        });
        const [first, second] = wakeUps.sort((x, y) => x - y);
        // Closer than a round trip and a sync, say 10 ms.
        if (second - first < 10_000) conflicts++;
      }
      expect(conflicts / 400).toBeLessThan(0.2);
    },
  );
});

describe('§5.3: log replication', () => {
  test('a leader appends the command to its log and sends it to all others', () => {
    const solo = leaderOf('a b c');
    for (const peer of ['b', 'c']) solo.receive(peer, accepted(2));
    solo.sent.length = 0;
    solo.step({ kind: 'propose', proposal: 1, commands: [new Uint8Array([7])] });
    expect(solo.logTerms).toEqual([1, 2, 2]);
    expect(solo.sentOf('append')).toMatchObject([
      { to: 'b', previousIndex: 2, previousTerm: 2, entries: [{ index: 3, term: 2 }] },
      { to: 'c', previousIndex: 2, previousTerm: 2, entries: [{ index: 3, term: 2 }] },
    ]);
  });

  test('an entry is committed and applied once a majority has it, and followers are told', () => {
    const solo = leaderOf('a b c');
    solo.receive('b', accepted(2));
    solo.sent.length = 0;
    solo.step({ kind: 'propose', proposal: 1, commands: [new Uint8Array([7])] });
    expect(solo.core.log.commit).toBe(2);
    solo.receive('b', accepted(3));
    expect(solo.core.log.commit).toBe(3);
    expect(solo.applied.at(-1)).toMatchObject({ index: 3, bytes: new Uint8Array([7]) });
    expect(solo.sentOf('append').at(-1)).toMatchObject({ to: 'b', commit: 3 });
  });

  test.each([
    { voters: 'a', acceptors: '', commits: true },
    { voters: 'a b c', acceptors: '', commits: false },
    { voters: 'a b c', acceptors: 'b', commits: true },
    { voters: 'a b c d', acceptors: 'b', commits: false },
    { voters: 'a b c d', acceptors: 'b c', commits: true },
    { voters: 'a b c d e', acceptors: 'b', commits: false },
    { voters: 'a b c d e', acceptors: 'b c', commits: true },
    { voters: 'a b c d e', acceptors: 'b c d e', commits: true },
  ])(
    'of ($voters), accepted by the leader and ($acceptors), it is committed: $commits',
    ({ voters, acceptors, commits }) => {
      const solo = leaderOf(voters);
      for (const peer of acceptors.split(' ').filter(Boolean)) solo.receive(peer, accepted(2));
      expect(solo.core.log.commit >= 2).toBe(commits);
    },
  );

  test.each([[[1]], [[1, 2]], [[1, 1, 2]], [[1, 2, 2, 3]]])(
    'with its own entry a leader commits all entries before it, of other leaders too (%j)',
    (log) => {
      const solo = leaderOf('a b c', log);
      solo.receive('b', accepted(log.length + 1));
      expect(solo.applied.map(({ index }) => index)).toEqual(
        Array.from({ length: log.length + 1 }, (_, at) => at + 1),
      );
    },
  );

  test('a follower that learns that an entry is committed applies it, in the order of the log', () => {
    const solo = new Solo();
    solo.receive('b', append(1, 1, [2, 2, 2], 3), 2);
    expect(solo.applied.map(({ index }) => index)).toEqual([1, 2, 3]);
    expect(solo.core.log.commit).toBe(3);
  });

  test.each([
    { previous: [1, 1], hint: undefined },
    { previous: [3, 2], hint: undefined },
    { previous: [3, 3], hint: { hintIndex: 3, hintTerm: 2 } },
    { previous: [3, 1], hint: { hintIndex: 2, hintTerm: 1 } },
    { previous: [9, 2], hint: { hintIndex: 3, hintTerm: 2 } },
    { previous: [9, 1], hint: { hintIndex: 2, hintTerm: 1 } },
  ])(
    'a follower refuses entries unless it has the one before them ($previous), and says where to look',
    ({ previous: [index, term], hint }) => {
      const solo = new Solo({ log: [1, 1, 2], term: 3 });
      solo.receive('b', append(index, term, []), 3);
      expect(solo.sent).toMatchObject([
        hint === undefined
          ? { kind: 'appendAccepted', match: index }
          : { kind: 'appendRejected', previousIndex: index, ...hint },
      ]);
    },
  );

  test.each([
    { log: [1, 1], previous: [2, 1], entries: [3], becomes: [1, 1, 3] },
    { log: [1, 1], previous: [1, 1], entries: [3, 4], becomes: [1, 3, 4] },
    { log: [1, 1], previous: [0, 0], entries: [1], becomes: [1, 1] },
    { log: [1, 2, 2], previous: [1, 1], entries: [2], becomes: [1, 2, 2] },
    { log: [1, 2, 2], previous: [1, 1], entries: [3], becomes: [1, 3] },
    { log: [1, 2, 2, 2], previous: [2, 2], entries: [2, 4], becomes: [1, 2, 2, 4] },
  ])(
    'the log $log, sent $entries after $previous, becomes $becomes: cut only where it conflicts',
    ({ log, previous: [index, term], entries, becomes }) => {
      const solo = new Solo({ log, term: 4 });
      solo.receive('b', append(index, term, entries), 4);
      expect(solo.logTerms).toEqual(becomes);
      expect(solo.sent).toMatchObject([{ kind: 'appendAccepted', match: index + entries.length }]);
    },
  );

  // Figure 7, each follower in turn; the leader is of term 8.
  test.each([
    { name: 'a', log: [1, 1, 1, 4, 4, 5, 5, 6, 6] },
    { name: 'b', log: [1, 1, 1, 4] },
    { name: 'c', log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6] },
    { name: 'd', log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7] },
    { name: 'e', log: [1, 1, 1, 4, 4, 4, 4] },
    { name: 'f', log: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3] },
  ])('a leader brings follower ($name) of figure 7 to its own log', ({ log }) => {
    const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const leader = new Solo({ voters: 'a b c', log: leaderLog, term: 7 });
    const follower = new Solo({ voters: 'a b c', log, term: 7 });
    leader.becomeLeader();
    leader.receive('b', { kind: 'heartbeatResponse', readContext: 0 });
    for (let round = 0; round < 20; round++) {
      for (const message of leader.takeSent('append')) {
        if (message.to === 'b') follower.receive('c', message, 8);
      }
      for (const message of follower.takeSent('appendRejected')) leader.receive('b', message);
    }
    expect(follower.logTerms).toEqual([...leaderLog, 8]);
  });
});

describe('§5.4: safety', () => {
  test.each([{ log: [1] }, { log: [1, 1] }, { log: [1, 2, 2] }])(
    'a request for votes tells how the log $log ends',
    ({ log }) => {
      const solo = new Solo({ log });
      solo.becomeCandidate();
      const last = { lastIndex: log.length, lastTerm: log.at(-1) };
      expect(solo.sentOf('vote')).toMatchObject([last, last]);
    },
  );

  test.each([
    { own: [1], candidate: [1, 1], granted: true },
    { own: [1], candidate: [2, 1], granted: true },
    { own: [1, 1], candidate: [1, 1], granted: false },
    { own: [1], candidate: [1, 2], granted: true },
    { own: [1, 1, 1], candidate: [1, 2], granted: true },
    { own: [1, 1], candidate: [9, 1], granted: true },
    { own: [1, 2], candidate: [1, 1], granted: false },
    { own: [1, 2], candidate: [9, 1], granted: false },
    { own: [1, 2, 2], candidate: [2, 2], granted: false },
  ])(
    'with the log $own, a candidate whose log ends at $candidate gets the vote: $granted',
    ({ own, candidate: [index, term], granted }) => {
      const solo = new Solo({ log: own, term: 3 });
      solo.receive('b', vote(index, term), 4);
      expect(solo.sentOf('voteResponse')).toMatchObject([{ granted }]);
    },
  );

  test('a leader counts replicas for entries of its own term only (figure 8)', () => {
    const solo = leaderOf('a b c', [1, 1, 2]);
    expect(solo.core.term).toBe(3);
    for (const match of [1, 2, 3]) solo.receive('b', accepted(match));
    expect(solo.core.log.commit).toBe(0);
    solo.receive('b', accepted(4));
    expect(solo.core.log.commit).toBe(4);
  });
});
