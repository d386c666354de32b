/** Situations that Raft implementations have got wrong, as stories. See `testing/script.ts`. */
import { describe, test } from 'vitest';
import { play } from './testing/script.ts';

function stories(scripts: Readonly<Record<string, string>>): void {
  for (const [title, script] of Object.entries(scripts)) test(title, () => play(script));
}

describe('elections', () => {
  stories({
    'a lone voter elects itself, once its vote is on its disk': `
      peers a
      slow a
      campaign a
      expect a candidate
      expect a term 2
      write a 1
      expect a leader
      expect a commit 0
      write a
      expect a commit 2
      propose a x
      expect a commit 2
      write a
      expect a commit 3
      expect a holds x
    `,
    'three voters elect the one that asks first': `
      peers a b c
      elect b
      expect a follows b
      expect c follows b
      expect a term 2
    `,
    'two that ask at the same time do not both win, and one of them does in the end': `
      peers a b c
      campaign a
      campaign b
      deliver a>c preVote
      deliver b>c preVote
      deliver c>a
      deliver c>b
      expect a candidate
      expect b candidate
      deliver a>c vote
      deliver b>c vote
      settle
      expect a leader
      expect b follows a
    `,
    'a pre-candidate with a log behind is refused and goes back to follow': `
      peers a b c
      log a 1 1
      log b 1 1 2
      log c 1 1 2
      campaign a
      settle
      expect a follower
      expect a term 2
      expect b term 2
      elect b
      expect a log 1 1 2 3
    `,
    'a pre-vote changes nothing at those asked': `
      peers a b c
      campaign a
      deliver a>b preVote
      expect b term 1
      expect b vote nobody
      expect b>a sends preVoteResponse
    `,
    'an answer to an earlier pre-vote does not count for a later one': `
      peers a b c
      campaign a
      deliver a>b preVote
      drop a>c preVote
      campaign c
      deliver c>b preVote
      deliver b>c
      deliver c>b vote
      deliver b>c
      expect c leader
      deliver c>a append
      expect a term 2
      timeout a
      expect a preCandidate
      deliver b>a preVoteResponse
      expect a preCandidate
      expect a term 2
    `,
    'who was cut off comes back in the term that it left with': `
      peers a b c
      elect a
      cut c a
      cut c b
      pass 6000
      expect c preCandidate
      expect c term 2
      mend
      pass 500
      expect a leader
      expect a term 2
      expect c follows a
    `,
    'who does not hear the leader, but hears the others, does not unseat it': `
      peers a b c
      elect a
      cut a>c
      pass 8000
      expect a leader
      expect a term 2
      expect b follows a
    `,
    'a leader that hears from no majority stands down, and follows the next one': `
      peers a b c
      elect a
      cut a b
      cut a c
      pass 800
      expect a follower
      pass 3000
      mend
      pass 2000
      expect a follower
      expect b leader
    `,
    'a leader that sends and hears nothing does not keep the others quiet for ever': `
      peers a b c
      elect a
      cut b>a
      cut c>a
      pass 4000
      expect a follows nobody
      mend
      pass 2000
      expect b leader
      expect a follows b
    `,
    'a candidate stuck in a later term frees itself through the leader that it cannot follow': `
      peers a b c
      elect a
      transfer a c
      cut c>a
      cut c>b
      settle
      expect c candidate
      expect c term 3
      expect a leader
      pass 200
      mend
      pass 3000
      expect c leader
      expect a follows c
    `,
    'a peer that believes to be a learner answers votes all the same': `
      peers a b learners c
      elect a
      change a voters=a,b,c
      cut a>c
      settle
      expect a voters a b c
      expect c learners c
      crash a
      mend
      pass 3000
      expect b leader
      expect c learners
    `,
    'a candidate that has lost does not count its own late vote': `
      peers a b c
      slow a
      campaign a
      deliver a>b preVote
      deliver b>a
      expect a candidate
      elect b
      expect a follows b
      write a
      expect a follower
      settle
      expect b leader
      expect a follows b
    `,
    'a vote is not sent before it is on the disk': `
      peers a b c
      slow b
      campaign a
      deliver a>b preVote
      deliver b>a
      deliver a>b vote
      expect b vote a
      expect b>a sends voteResponse 0
      write b
      expect b>a sends voteResponse 1
    `,
    'a vote survives a crash': `
      peers a b c
      campaign a
      deliver a>b preVote
      deliver b>a
      deliver a>b vote
      expect b vote a
      crash b
      start b
      expect b vote a
      expect b term 2
      campaign c
      deliver c>b
      expect b vote a
    `,
    'a vote that was not written is forgotten, and was not sent': `
      peers a b c
      slow b
      campaign a
      deliver a>b preVote
      deliver b>a
      deliver a>b vote
      crash b
      start b
      expect b term 1
      expect b>a sends voteResponse 0
    `,
    'a new leader writes an entry of its own term, and only so commits the older ones': `
      peers a b c
      log a 1 1 1
      log b 1
      log c 1
      campaign a
      deliver a>* preVote
      deliver *>a
      deliver a>* vote
      deliver *>a
      expect a leader
      expect a log 1 1 1 2
      expect a commit 0
      settle
      expect a commit 4
      expect b log 1 1 1 2
    `,
  });
});

describe('replication', () => {
  stories({
    'a follower is probed one message at a time until the logs meet': `
      peers a b c
      log a 1 1 2 2 2
      log b 1 1 2 2 2
      log c 1 1
      elect a
      expect a>c replicate
      expect c log 1 1 2 2 2 3
    `,
    'probing finds the place in one step for each term that differs, not for each entry': `
      peers a b c
      log a 1 1 1 1 1 1 1 1 1 1 4 4 4
      log b 1 1 1 1 1 1 1 1 1 1 4 4 4
      log c 1 1 1 1 1 1 1 1 1 1 2 2 2 2 2 2 3 3 3 3 3 3
      campaign a
      deliver a>b preVote
      deliver b>a
      deliver a>b vote
      deliver b>a
      expect a leader
      deliver a>c append
      deliver c>a
      expect a>c probe
      deliver a>c append
      deliver c>a
      expect a>c replicate
      settle
      expect c log 1 1 1 1 1 1 1 1 1 1 4 4 4 5
    `,
    'a heartbeat that is answered repeats a probe that was lost': `
      peers a b c
      elect a
      lost a>c
      expect a>c probe
      propose a x
      drop a>c append
      propose a y
      expect a>c sends append 0
      settle
      expect c holds
      pass 200
      expect a>c replicate
      expect c holds x y
    `,
    'a heartbeat that is answered repeats the last message, though no more entries come': `
      peers a b c
      elect a
      cut a>c
      propose a x
      settle
      expect a holds x
      expect c holds
      mend
      pass 200
      expect c holds x
    `,
    'the window bounds what is under way, and moves on with the answers': `
      peers a b c
      tight inflightMessagesMax 3
      elect a
      propose a v
      propose a w
      propose a x
      propose a y
      propose a z
      expect a>b sends append 3
      deliver a>b
      deliver b>a
      settle
      expect b holds v w x y z
    `,
    'a full window opens again though all its messages were lost': `
      peers a b c
      tight inflightMessagesMax 2
      elect a
      propose a w
      propose a x
      propose a y
      drop a>b append
      expect a>b sends append 0
      pass 500
      expect b holds w x y
    `,
    'messages that overtake each other do no harm': `
      peers a b c
      elect a
      propose a x
      propose a y
      reverse a>c append
      repeat c>a
      reverse c>a
      settle
      expect c holds x y
    `,
    'an old message, come again, takes nothing back': `
      peers a b c
      elect a
      propose a x
      repeat a>b append
      propose a y
      repeat a>b append
      settle
      expect b log 1 2 2 2
      expect b holds x y
    `,
    'a follower cuts what a leader that was lost has left there': `
      peers a b c
      elect a
      propose a x
      propose a y
      drop a>b append
      drop a>c append
      crash a
      elect b
      propose b z
      settle
      start a
      pass 500
      expect a log 1 2 3 3
      expect a holds z
      expect c holds z
    `,
    'a follower commits no further than its log has been compared': `
      peers a b c
      log a 1 2
      log b 1 2
      log c 1 1 1 1
      campaign a
      deliver a>b preVote
      deliver b>a
      deliver a>b vote
      deliver b>a
      deliver a>b append
      deliver b>a
      propose a x
      deliver a>b append
      deliver b>a
      expect a commit 4
      drop a>c append
      pass 50
      expect c commit 0
      pass 200
      expect c commit 4
      expect c log 1 2 3 3
    `,
    'a leader does not count itself before its own disk has the entry': `
      peers a b c
      elect a
      slow a
      propose a x
      deliver a>b append
      deliver b>a
      expect a commit 2
      deliver a>c append
      deliver c>a
      expect a commit 3
      expect a holds
      write a
      expect a holds x
    `,
    'a follower does not acknowledge before its disk has the entry': `
      peers a b c
      elect a
      slow b
      propose a x
      deliver a>b append
      expect b>a sends appendAccepted 0
      write b
      expect b>a sends appendAccepted 1
    `,
    'an answer to a write does not vouch for the entry that has taken its place': `
      peers a b c d e
      elect a
      slow b
      propose a x
      deliver a>b append
      drop a>* append
      expect b log 1 2 2
      crash a
      timeout c
      drop c>b preVote
      deliver c>* preVote
      deliver *>c
      drop c>b vote
      deliver c>* vote
      deliver *>c
      expect c leader
      timeout c
      deliver c>b heartbeat
      repeat c>b append
      expect b log 1 2 3
      # The writes of the old entry and of the new term are done, that of the new entry is not.
      write b 2
      deliver c>b append
      expect b>c sends appendAccepted 0
      write b
      expect b>c sends appendAccepted 2
    `,
    'an acknowledgement of an earlier term is not sent any more': `
      peers a b c
      elect a
      slow b
      propose a x
      deliver a>b append
      deliver a>c append
      crash a
      timeout c
      deliver c>b preVote
      deliver b>c
      deliver c>b vote
      write b
      expect b>a sends appendAccepted 0
      expect b>c sends voteResponse 1
    `,
    'an entry of an earlier term is not committed by counting (figure 8)': `
      peers a b c d e
      log a 1 2
      log b 1 2
      log c 1
      log d 1
      log e 1 3
      campaign a
      deliver a>* preVote
      deliver *>a
      deliver a>* vote
      deliver *>a
      expect a leader
      expect a term 3
      drop a>* append
      pass 110
      expect a commit 3
    `,
    'a disk that has lost entries gets them back, and the leader forgets that it had them': `
      peers a b c
      elect a
      propose a x y z
      settle
      crash b
      damage b 3
      start b
      expect b log 1 2
      pass 300
      expect b log 1 2 2 2 2
      expect b holds x y z
    `,
    'who has lost entries does not help to elect a leader without them': `
      peers a b c
      elect a
      cut a>c
      propose a x
      settle
      expect a holds x
      crash a
      crash b
      damage b 3
      start b
      mend
      pass 6000
      expect c preCandidate
      expect b follower
      start a
      pass 3000
      expect a leader
      expect b holds x
      expect c holds x
    `,
  });
});

describe('snapshots', () => {
  stories({
    'a follower whose entries are gone gets a snapshot, then entries': `
      peers a b c
      elect a
      crash c
      propose a x y
      settle
      snapshot a
      propose a z
      settle
      start c
      pass 300
      expect c holds x y z
      expect a>c replicate
    `,
    'a snapshot comes in pieces': `
      peers a b c
      tight snapshotChunkBytes 3
      elect a
      crash c
      propose a one two three four
      settle
      snapshot a
      start c
      pass 300
      expect c holds one two three four
      expect a>c replicate
    `,
    'a piece that is lost is sent again, and what is there is not': `
      peers a b c
      tight snapshotChunkBytes 8
      elect a
      crash c
      propose a one two three
      settle
      snapshot a
      start c
      timeout a
      deliver a>c heartbeat
      deliver c>a
      deliver a>c append
      deliver c>a
      expect a>c snapshot
      deliver a>c snapshotChunk
      deliver c>a
      drop a>c snapshotChunk
      pass 2000
      expect c holds one two three
    `,
    'the answer that makes a snapshot unnecessary ends it': `
      peers a b c
      elect a
      crash c
      propose a x
      settle
      snapshot a
      start c
      timeout a
      deliver a>c heartbeat
      deliver c>a heartbeatResponse
      deliver a>c append
      deliver c>a appendRejected
      expect a>c snapshot
      deliver a>c snapshotChunk
      expect c holds x
      deliver c>a appendAccepted
      expect a>c replicate
    `,
    'a snapshot in the place of entries that conflict leaves none of them': `
      peers a b c
      elect a
      cut a b
      cut a c
      propose a p q r s
      crash a
      elect b
      propose b x y
      settle
      snapshot b
      snapshot c
      mend
      start a
      pass 1000
      expect a holds x y
      expect a log
      propose b z
      settle
      expect a holds x y z
    `,
    'an old snapshot, come late, is not installed': `
      peers a b c
      elect a
      crash c
      propose a x
      settle
      snapshot a
      start c
      timeout a
      deliver a>c heartbeat
      deliver c>a
      deliver a>c append
      deliver c>a
      repeat a>c snapshotChunk
      propose a y
      settle
      expect c holds x y
      pass 200
      expect c holds x y
    `,
    'a snapshot brings the configuration of its last entry': `
      peers a b c spare d
      elect a
      crash c
      change a voters=a,b,d
      pass 500
      expect a voters a b d
      propose a x
      settle
      snapshot a
      change a voters=a,b,c,d
      start c
      pass 500
      expect c voters a b c d
      expect c holds x
    `,
    'a peer restarts from its snapshot and the log after it': `
      peers a b c
      elect a
      propose a x y
      settle
      snapshot b
      propose a z
      settle
      crash b
      start b
      expect b holds x y
      pass 200
      expect b holds x y z
    `,
  });
});

describe('reads', () => {
  stories({
    'a read waits for a majority that was asked after it came': `
      peers a b c
      elect a
      propose a x
      settle
      read a r
      expect read r pending
      deliver a>b heartbeat
      deliver b>a heartbeatResponse
      expect read r 3
    `,
    'a lone voter answers at once': `
      peers a
      elect a
      read a r
      expect read r 2
    `,
    'a new leader answers no read before it has committed an entry of its own': `
      peers a b c
      elect a
      propose a x
      settle
      crash a
      pass 600
      campaign b
      deliver b>c preVote
      deliver c>b
      deliver b>c vote
      deliver c>b
      expect b leader
      read b r
      expect read r pending
      expect b>c sends heartbeat 0
      settle
      expect read r 4
    `,
    'a follower asks the leader': `
      peers a b c
      elect a
      propose a x
      settle
      read b r
      settle
      expect read r 3
    `,
    'an answer to an earlier round confirms no later read': `
      peers a b c
      elect a
      read a first
      deliver a>b heartbeat
      repeat b>a heartbeatResponse
      expect read first 2
      drop a>c heartbeat
      cut a b
      cut a c
      read a second
      mend
      deliver b>a heartbeatResponse
      expect read second pending
      pass 200
      expect read second 2
    `,
    'reads that wait when leadership ends are refused': `
      peers a b c
      elect a
      cut a b
      cut a c
      read a r
      pass 900
      expect a follower
      expect read r refused
    `,
    'a read at a follower is given up when there is no answer': `
      peers a b c
      elect a
      cut a b
      read b r
      pass 700
      expect read r refused
    `,
    'without a leader a read is refused': `
      peers a b c
      read a r
      expect read r refused
    `,
    'a leader that was replaced unnoticed answers no read': `
      peers a b c
      elect a
      transfer a b
      deliver a>b timeoutNow
      cut a b
      cut a c
      settle
      expect b leader
      expect a leader
      propose b x
      settle
      read a r
      expect read r pending
      mend
      pass 300
      expect read r refused
    `,
  });
});

describe('proposals', () => {
  stories({
    'a follower forwards to the leader': `
      peers a b c
      elect a
      propose b x
      settle
      expect b holds x
    `,
    'without a leader there is nobody to take it': `
      peers a b c
      propose a x
      expect refused noLeader
    `,
    'who is asked in the belief that it leads says that it does not': `
      peers a b c
      elect a
      propose b x
      crash a
      start a
      deliver b>a propose
      deliver a>b proposeResponse
      expect refused notLeader
    `,
    'a command that no message can carry is refused': `
      peers a b c
      tight commandBytesMax 3
      elect a
      propose a abcd
      expect refused tooLarge
      propose b abcd
      expect refused tooLarge
      propose a abc
      settle
      expect b holds abc
    `,
    'a leader takes on no more than it may have uncommitted, and at least one': `
      peers a b c
      tight uncommittedBytesMax 60
      elect a
      cut a b
      cut a c
      propose a 12345678901234567890123456789012345678901234567890
      expect accepted
      propose a x
      expect refused overloaded
      mend
      pass 300
      propose a x
      expect accepted
    `,
  });
});

describe('handing over leadership', () => {
  stories({
    'to one that is up to date it takes no longer than an election': `
      peers a b c
      elect a
      transfer a b
      settle
      expect b leader
      expect b term 3
      expect a follows b
    `,
    'to one that is behind, once it has caught up': `
      peers a b c
      elect a
      cut a c
      propose a x
      settle
      mend
      transfer a c
      expect a>c sends timeoutNow 0
      pass 300
      expect c leader
      expect c holds x
    `,
    'to one that needs a snapshot, once it has it': `
      peers a b c
      elect a
      crash c
      propose a x
      settle
      snapshot a
      start c
      transfer a c
      pass 400
      expect c leader
      expect c holds x
    `,
    'from a follower it is refused': `
      peers a b c
      elect a
      transfer b c
      expect refused notLeader
      settle
      expect a leader
    `,
    'to the leader itself, to a learner, or to a stranger it is refused': `
      peers a b learners c spare d
      elect a
      transfer a a
      expect refused notMember
      transfer a c
      expect refused notMember
      transfer a d
      expect refused notMember
      expect a leader
    `,
    'meanwhile no proposal is taken, so that it can end': `
      peers a b c
      elect a
      cut a c
      transfer a c
      propose a x
      expect refused transferring
      pass 700
      propose a x
      expect accepted
      settle
      expect b holds x
    `,
    'it is given up after an election timeout': `
      peers a b c
      elect a
      cut a c
      transfer a c
      pass 700
      expect a leader
      mend
      pass 300
      expect a leader
      expect a term 2
    `,
    'asked again for the same, it is the same; asked for another, it is that one': `
      peers a b c
      elect a
      cut a c
      transfer a c
      transfer a c
      transfer a b
      settle
      expect b leader
    `,
    'a later term ends it': `
      peers a b c
      elect a
      cut a c
      transfer a c
      elect b
      settle
      expect a follows b
      propose a x
      settle
      expect b holds x
    `,
    'a read that is asked for meanwhile is answered': `
      peers a b c
      elect a
      cut a c
      transfer a c
      read a r
      settle
      expect read r 2
    `,
    'the chosen one is elected though the others hear from the leader': `
      peers a b c d e
      elect a
      pass 300
      transfer a e
      settle
      expect e leader
      expect d follows e
    `,
    'a removed peer that is told to stand does not': `
      peers a b c
      elect a
      slow c
      transfer a c
      deliver a>c timeoutNow
      expect c candidate
      change a voters=a,b
      expect refused transferring
    `,
  });
});

describe('changes of membership', () => {
  stories({
    'a new voter is a learner first, and votes when it has caught up': `
      peers a b c spare d
      elect a
      propose a x
      settle
      change a voters=a,b,c,d
      expect a learners d
      expect a voters a b c
      settle
      pass 300
      expect a voters a b c d
      expect a learners
      expect a outgoing
      expect d holds x
    `,
    'a new voter that cannot be reached changes no quorum': `
      peers a b c spare d
      elect a
      crash d
      change a voters=a,b,c,d
      pass 2000
      expect a voters a b c
      expect a learners d
      propose a x
      settle
      expect c holds x
      start d
      pass 1000
      expect a voters a b c d
      expect d holds x
    `,
    'two new voters come in one step': `
      peers a spare b c
      elect a
      change a voters=a,b,c
      pass 500
      expect a voters a b c
      expect c voters a b c
      expect b follows a
    `,
    'all voters are exchanged in one step, the leader too': `
      peers a b c spare d e f
      elect a
      propose a x
      settle
      change a voters=d,e,f
      pass 3000
      expect a follower
      expect d voters d e f
      expect e holds x
      expect f holds x
    `,
    'a leader that is removed leads until that is committed, then stands down': `
      peers a b c
      elect a
      change a voters=b,c
      settle
      expect a follower
      expect b voters b c
      pass 1500
      expect a follower
    `,
    'the removed leader does not count itself any more': `
      peers a b c
      elect a
      cut a c
      change a voters=b,c
      deliver a>b append
      deliver b>a
      expect a outgoing a b c
      expect a commit 2
      pass 400
      expect a commit 2
      mend
      pass 800
      expect b voters b c
    `,
    'a joint configuration needs both majorities': `
      peers a b c spare d e
      elect a
      change a voters=a,d,e
      settle
      pass 100
      expect a voters a d e
      expect a outgoing
    `,
    'with the new voters unreachable the joint configuration commits nothing': `
      peers a b c learners d e
      elect a
      cut a d
      cut a e
      change a voters=a,d,e
      pass 400
      expect a outgoing a b c
      expect a commit 2
      mend
      pass 600
      expect a voters a d e
      expect a outgoing
    `,
    'a new leader leaves the joint configuration that an old one entered': `
      peers a b c learners d
      elect a
      change a voters=a,b,d
      deliver a>* append
      expect b outgoing a b c
      expect d outgoing a b c
      crash a
      elect b
      expect b voters a b d
      expect b outgoing
    `,
    'one change at a time': `
      peers a b c spare d e
      elect a
      change a voters=a,b,c,d
      change a voters=a,b,c,e
      expect refused changePending
      settle
      pass 300
      change a voters=a,b,c,e
      expect accepted
      pass 500
      expect a voters a b c e
    `,
    'no change before an entry of the own term is committed': `
      peers a b c spare d
      campaign a
      deliver a>b preVote
      deliver b>a
      deliver a>b vote
      deliver b>a
      expect a leader
      change a voters=a,b,c,d
      expect refused changePending
      settle
      change a voters=a,b,c,d
      expect accepted
    `,
    'nonsense is refused': `
      peers a b c spare d
      elect a
      change a
      expect refused invalidChange
      change a voters=a,b learners=b
      expect refused invalidChange
      change b voters=a,b
      expect refused notLeader
      change a voters=a,b,c
      expect accepted
      expect a commit 2
      expect a log 1 2
    `,
    'a voter becomes a learner when the joint configuration is left, not before': `
      peers a b c
      elect a
      cut a c
      change a voters=a,b learners=c
      expect a learners
      expect a outgoing a b c
      settle
      expect a voters a b
      expect a learners c
      mend
      pass 300
      expect c learners c
    `,
    'learners come and go without a joint configuration': `
      peers a b c spare d
      elect a
      change a voters=a,b,c learners=d
      expect a outgoing
      settle
      pass 200
      propose a x
      settle
      expect d holds x
      change a voters=a,b,c
      settle
      expect a learners
      expect a outgoing
    `,
    'a learner does not stand, and does not count': `
      peers a learners b c
      elect a
      crash b
      crash c
      propose a x
      expect a holds x
      start b
      pass 3000
      expect b follows a
      expect a term 2
      crash a
      pass 5000
      expect b follower
    `,
    'a configuration whose entry is cut is in force no more': `
      peers a b c learners d
      elect a
      cut a b
      cut a c
      cut a d
      change a voters=a,d
      expect a outgoing a b c
      crash a
      elect b
      mend
      start a
      pass 1000
      expect a voters a b c
      expect a learners d
    `,
    'a removed peer learns of it, and keeps still': `
      peers a b c
      elect a
      change a voters=a,b
      settle
      expect c voters a b
      pass 5000
      expect c follower
      expect a term 2
    `,
    'whose removal is not committed may be the only one that can be elected, and is': `
      peers a b c d
      elect a
      change a voters=b,c
      deliver a>* append
      deliver *>a appendAccepted
      expect a voters b c
      expect a outgoing
      deliver a>d append
      drop a>b append
      drop a>c append
      crash a
      expect d voters b c
      expect b outgoing a b c d
      pass 6000
      expect b voters b c
      expect b outgoing
    `,
    'the last voter can be replaced by another': `
      peers a spare b
      elect a
      propose a x
      change a voters=b
      pass 3000
      expect b leader
      expect b holds x
      expect a follower
    `,
  });
});
