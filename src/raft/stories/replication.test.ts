/** Replication and commit, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
