import { describe, expect, test } from 'vitest';
import { runScenario } from './run.ts';
import { failureFile, parseFailureFile, parseScenarioFile } from './scenario-file.ts';
import { copyWorld } from './test-support.ts';

const worlds = [copyWorld('none')];
const HEAD = 'version: 1\nworld: copy\n';

function complaint(text: string): string {
  try {
    parseScenarioFile(text, 'f.yaml', worlds);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : 'something else';
  }
  return 'none';
}

describe('a scenario file', () => {
  test('draws from the seed what it does not say', () => {
    const file = parseScenarioFile(HEAD, 'f.yaml', worlds);
    expect(file.seed).toBeUndefined();
    expect(file.resolve(5)).toEqual(worlds[0].draw(5));
  });

  test('says what it wants over that, field by field; its lists replace the drawn ones', () => {
    const file = parseScenarioFile(
      `${HEAD}title: A stall
seed: 9
timing: { faultsMs: 1000 }
network: { loss: [1, 4] }
options: { bug: ackBeforeSync }
faults:
  - { kind: diskStall, atMs: 10, peer: '@leader', forMs: 40 }
  - { kind: crash, atMs: 20, peers: [p1], how: power, unsynced: drop, effects: 0, restartMs: 5 }
operations: [{ client: 0, value: 7, thinkMs: 1 }]
`,
      'f.yaml',
      worlds,
    );
    const drawn = worlds[0].draw(9);
    const scenario = file.resolve(9);
    expect([file.title, file.seed]).toEqual(['A stall', 9]);
    expect(scenario.timing).toEqual({ ...drawn.timing, faultsMs: 1000 });
    expect(scenario.network).toEqual({ ...drawn.network, loss: [1, 4] });
    expect(scenario.faults.map(({ id, kind }) => [id, kind])).toEqual([
      [0, 'diskStall'],
      [1, 'crash'],
    ]);
    expect(scenario.operations).toEqual([{ id: 0, client: 0, value: 7, thinkMs: 1 }]);
    expect(runScenario(worlds[0], scenario).failure).toBeUndefined();
  });

  test('that is calm has nothing that goes wrong but what it lists', () => {
    const calm = parseScenarioFile(`${HEAD}calm: true\nnetwork: { reset: [1, 9] }`, 'f', worlds);
    const { faults, network, disk, peers } = calm.resolve(3);
    expect(faults).toEqual([]);
    expect([network.loss, network.bitFlip, network.reset]).toEqual([
      [0, 1],
      [0, 1],
      [1, 9],
    ]);
    expect(disk.slow).toEqual([0, 1]);
    expect(peers.every(({ driftPpm }) => driftPpm === 0)).toBe(true);
  });

  test.each([
    ['world: copy\n', 'f.yaml:1: version: is missing'],
    ['version: 2\nworld: copy\n', "f.yaml:1: version: is '2', and this simulator reads version 1"],
    ['version: 1\n\nworld: copie\n', 'f.yaml:3: world: no such world; there are copy'],
    ['version: 1\n', 'world: is missing'],
    [`${HEAD}fault: []\n`, 'f.yaml:3: fault: no such section'],
    [`${HEAD}seed: -1\n`, 'f.yaml:3: seed: '],
    [`${HEAD}timing: { faultMs: 3 }\n`, 'f.yaml:3: timing.faultMs: no such field'],
    [`${HEAD}timing:\n  warmUpMs: soon\n`, 'f.yaml:4: timing.warmUpMs: '],
    [`${HEAD}network:\n  loss: [3, 2]\n`, 'f.yaml:4: network.loss: a chance is at most 1'],
    [`${HEAD}options:\n  bug: gone\n`, 'f.yaml:4: options.bug: '],
    [`${HEAD}faults: none\n`, 'f.yaml:3: faults: '],
    [`${HEAD}faults:\n  - kind: crsh\n    atMs: 1\n`, 'f.yaml:4: faults.0.kind: '],
    [
      `${HEAD}faults:\n  - kind: pause\n    atMs: 1\n    forMs: 1\n    peer: p9\n`,
      'f.yaml:7: faults.0.peer: there is no peer p9, but p1',
    ],
    [
      `${HEAD}faults:\n  - kind: cut\n    atMs: 1\n    forMs: 1\n    links: [p1~q]\n`,
      'f.yaml:7: faults.0.links: there is no peer q',
    ],
    [`${HEAD}faults:\n  - {kind: pause, peer: p1, atMs: 1}\n`, 'f.yaml:4: faults.0.forMs: '],
    [`${HEAD}operations:\n  - { client: 0, thinkMs: 2 }\n`, 'f.yaml:4: operations.0.value: '],
    [`${HEAD}network: [\n`, 'f.yaml:'],
    ['- 1\n- 2\n', 'f.yaml:1: is not a mapping'],
    ['', 'f.yaml: is not a mapping'],
  ])('%j is refused with file, line and field', (text, words) => {
    expect(complaint(text)).toContain(
      `ScenarioFileError: ${words.startsWith('f.yaml') ? words : 'f.yaml'}`,
    );
    expect(complaint(text)).toContain(words);
  });
});

describe('a failure file', () => {
  const scenario = worlds[0].draw(4);
  const file = failureFile({
    oracle: 'kept',
    sentence: 'write 1 is gone',
    timeUs: 12,
    traceHash: '0123456789abcdef',
    versions: { cachectl: '1.0.0', commit: 'unknown', node: 'v26' },
    scenario,
  });
  const text = JSON.stringify(file, undefined, 2);

  test('holds the whole scenario', () => {
    const { failure, world } = parseFailureFile(text, 'x.json', worlds);
    expect(failure).toEqual(file);
    expect(world.name).toBe('copy');
    expect(runScenario(world, failure.scenario).traceHash).toBe(
      runScenario(worlds[0], scenario).traceHash,
    );
  });

  test.each([
    ['"version": 1,\n  "oracle"', '"version": 7,\n  "oracle"', 'x.json:3: version: '],
    ['cachectl-sim-failure', 'something', 'x.json:2: format: '],
    ['"seed": 4', '"seed": "four"', ': scenario.seed: '],
    ['"world": "copy"', '"world": "kopie"', ': scenario.world: no such world'],
    ['"oracle": "kept",', '', 'oracle: '],
    ['{', '{{', ': Flow map must end with a }'],
  ])('with %j as %j is refused with file, line and field', (from, to, words) => {
    expect(text).toContain(from);
    const parse = (): unknown => parseFailureFile(text.replace(from, to), 'x.json', worlds);
    expect(parse).toThrow(words);
    expect(parse).toThrow('x.json:');
  });
});
