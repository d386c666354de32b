/**
 * `npm run check`: everything about the code that can be known without running it. Ends with 1
 * where any of it fails; all of it runs all the same.
 */
import { runChecks } from './checks.ts';

process.exitCode = runChecks().failed === 0 ? 0 : 1;
