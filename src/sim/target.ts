/** What is run: a world with everything drawn, or a scenario file. As plain data, to be sent. */
import { runScenario, type RunResult } from './run.ts';
import type { Scenario } from './scenario.ts';
import { parseScenarioFile, ScenarioFileError } from './scenario-file.ts';
import type { World } from './world.ts';

export type Target =
  | { readonly kind: 'world'; readonly name: string }
  | { readonly kind: 'file'; readonly name: string; readonly text: string };

/** A target that can be run. */
export interface Runnable {
  readonly world: World;
  /** The name of the world, or the title of the file. */
  readonly title: string;
  /** The seed that the file insists on. */
  readonly seed: number | undefined;
  scenario(seed: number): Scenario;
  run(seed: number): RunResult;
}

/** @throws {ScenarioFileError} for a file that is not as it should be, or an unknown world */
export function openTarget(target: Target, worlds: readonly World[]): Runnable {
  if (target.kind === 'file') {
    const file = parseScenarioFile(target.text, target.name, worlds);
    return runnable(file.world, file.title ?? target.name, file.seed, file.resolve);
  }
  const world = worlds.find(({ name }) => name === target.name);
  if (world === undefined) {
    const known = worlds.map(({ name }) => name).join(', ');
    throw new ScenarioFileError(target.name, undefined, '', `no such world; there are ${known}`);
  }
  return runnable(world, world.name, undefined, (seed) => world.draw(seed));
}

function runnable(
  world: World,
  title: string,
  seed: number | undefined,
  scenario: (seed: number) => Scenario,
): Runnable {
  return { world, title, seed, scenario, run: (of) => runScenario(world, scenario(of)) };
}
