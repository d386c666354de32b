import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * Runs the Node at `node` in place of this process: by `execve` where this Node has it, otherwise
 * as a child that gets this process' signals and whose end is this process' end.
 *
 * @param {string} node path of the executable
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string | undefined>>} env
 */
export function launch(node, args, env = process.env) {
  if (typeof process.execve === 'function') {
    process.removeAllListeners('warning');
    process.execve(node, [node, ...args], env);
  }
  const child = spawn(node, args, { stdio: 'inherit', env });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    console.error(`cachectl: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1));
  });
}
