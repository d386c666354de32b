/** Changes of membership, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
