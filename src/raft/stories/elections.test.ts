/** Elections and votes, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
