/** Proposals, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
