/**
 * `npm test`: the static checks, then every test. `npm test -- PART…` runs only the test files
 * whose path has one of the parts in it. The last line says how much passed and failed.
 */
import { startVitest } from 'vitest/node';
import { runChecks } from './checks.ts';

const parts = process.argv.slice(2);
const total = { skipped: 0, ...(parts.length === 0 ? runChecks() : { passed: 0, failed: 0 }) };

const vitest = await startVitest(parts, { watch: false });
for (const testModule of vitest.state.getTestModules()) {
  if (testModule.errors().length > 0) total.failed += 1;
  for (const test of testModule.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') total.passed += 1;
    else if (state === 'skipped') total.skipped += 1;
    else total.failed += 1;
  }
  for (const suite of testModule.children.allSuites()) {
    if (suite.errors().length > 0) total.failed += 1;
  }
}
total.failed += vitest.state.getUnhandledErrors().length;
if (total.passed + total.failed === 0) total.failed = 1;
await vitest.close();

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exit(total.failed === 0 ? 0 : 1);
