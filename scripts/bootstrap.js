/**
 * `node scripts/bootstrap.js FILE ARGUMENTS…` runs FILE on the Node that comes with the project.
 *
 * It is what every npm script starts, also as the first command on a fresh clone: any Node from 18
 * on runs this file, packages are installed where they are missing or differ from the lockfile,
 * and FILE then runs on the Node of the package `node`. Says on stderr what it does.
 */
import { delimiter, dirname } from 'node:path';
import { launch } from '../bin/launch.js';
import { installPackages, projectNode } from './install.js';

installPackages();
launch(projectNode, process.argv.slice(2), {
  ...process.env,
  PATH: `${dirname(projectNode)}${delimiter}${process.env['PATH']}`,
});
