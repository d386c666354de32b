/** Handing over leadership, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
