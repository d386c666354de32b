import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MUTANTS } from '../../raft/testing/mutants.ts';
import { parseFailureFile, parseScenarioFile } from '../scenario-file.ts';
import { runScenario } from '../run.ts';
import { scenarioSchema } from '../scenario.ts';
import { WORLDS } from '../worlds.ts';
import { raftWorld, raftWorldWith } from './index.ts';

/** Runs are long where the machine is busy; they are bounded by events, not by time. */
const TIMEOUT_MS = 300_000;

const scenarios = join(import.meta.dirname, '../../../scenarios');

test('what seeds draw is well-formed, with 3 and with 5 peers', () => {
  const schema = scenarioSchema('raft', raftWorld.options, raftWorld.operation);
  const sizes = new Set<number>();
  for (let seed = 0; seed < 100; seed += 1) {
    const scenario = raftWorld.draw(seed);
    expect(schema.parse(scenario)).toEqual(scenario);
    sizes.add(scenario.peers.length);
  }
  expect(sizes).toEqual(new Set([3, 5]));
});

test('a run is the same run again, draw by draw', { timeout: TIMEOUT_MS }, () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const scenario = raftWorld.draw(seed);
    const { drawLog, traceHash } = runScenario(raftWorld, scenario, { record: true });
    expect(runScenario(raftWorld, scenario, { against: drawLog }).traceHash).toBe(traceHash);
  }
});

test.each(readdirSync(scenarios).filter((name) => name.endsWith('.yaml')))(
  'the scenario %s holds with ten seeds',
  { timeout: TIMEOUT_MS },
  (name) => {
    const file = parseScenarioFile(readFileSync(join(scenarios, name), 'utf8'), name, [raftWorld]);
    for (let seed = 1; seed <= 10; seed += 1) {
      const { failure, injected } = runScenario(file.world, file.resolve(seed));
      expect(failure, `seed ${seed}`).toBeUndefined();
      expect(injected.size).toBeGreaterThan(0);
    }
  },
);

test('what was found once is found no more', () => {
  const directory = join(scenarios, 'regressions');
  const files = readdirSync(directory).filter((name) => name.endsWith('.json'));
  expect(files.length).toBeGreaterThan(0);
  for (const name of files) {
    const text = readFileSync(join(directory, name), 'utf8');
    const { failure, world } = parseFailureFile(text, name, WORLDS);
    expect(runScenario(world, failure.scenario).failure, name).toBeUndefined();
  }
});

/** Mistakes, and within how many seeds from 1 on each must be caught. */
const CAUGHT_WITHIN = {
  'vote-before-sync': 5,
  'candidacy-before-sync': 5,
  'ack-before-sync': 5,
  'leader-counts-unsynced-self': 5,
  'vote-twice-in-a-term': 40,
  'vote-survives-term': 5,
  'vote-for-shorter-log': 10,
  'forgets-lost-entries': 60,
  'commit-of-earlier-term': 30,
  'heartbeat-commits-unverified': 60,
  'sorts-numbers-as-text': 20,
  'silent-to-earlier-terms': 60,
  'deaf-leader-stays': 20,
  'no-loyalty': 40,
  'counts-every-vote': 10,
  'read-before-own-commit': 20,
  'change-without-joint': 40,
  'learners-count': 10,
  'leaves-joint-early': 10,
  'applies-retries': 5,
  'snapshot-without-sessions': 5,
} as const satisfies Record<string, number>;

test.each(Object.entries(CAUGHT_WITHIN))(
  'the mistake %s is caught within %i seeds',
  (name, max) => {
    const mutant = MUTANTS.find((each) => each.name === name);
    expect(mutant).toBeDefined();
    const { rules = {}, sessionRules = {} } = mutant ?? {};
    const world = raftWorldWith({ rules, sessionRules });
    let seed = 1;
    while (seed <= max && runScenario(world, world.draw(seed)).failure === undefined) seed += 1;
    expect(seed).toBeLessThanOrEqual(max);
  },
);
