/** Followers too far behind for entries, as stories: see `testing/script.ts`. */
import { test } from 'vitest';
import { play } from '../testing/script.ts';

const STORIES = {
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
};

test.each(Object.entries(STORIES))('%s', (_title, script) => {
  play(script);
});
