/** Linearizable reads, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
