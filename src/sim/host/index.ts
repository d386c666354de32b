/**
 * The simulator's real process: threads to run campaigns on, and the files that failures are kept
 * in. Nothing here runs inside a simulation.
 */
export { runCampaign } from './campaign-runner.ts';
export { readFailure, readText, writeFailure } from './failure-files.ts';
