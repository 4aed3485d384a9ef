// `npm test -- OPTIONS`: Jest with these options, and `npm run check` beside it, which computes where the tests leave a core alone.
// Ends with 2 where the checks fail, else as Jest does.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';

/** Of the checks: below the tests, some of which measure time. */
const niceness = 10;

/** Tells what the checks found as soon as they have failed. @returns whether they pass */
async function check() {
  const child = spawn('npm', ['run', '-s', 'check'], { stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) setPriority(child.pid, niceness);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const [code] = await once(child, 'close');
  if (code !== 0) process.stderr.write(`${said}\n`);
  return code === 0;
}

async function test(options) {
  const [code] = await once(spawn('jest', options, { stdio: 'inherit' }), 'close');
  return code ?? 1;
}

const { status } = spawnSync(process.execPath, ['build.mjs'], { stdio: 'inherit' });
if (status !== 0) process.exit(2);
const [passes, code] = await Promise.all([check(), test(process.argv.slice(2))]);
if (!passes) process.stderr.write('The checks failed: what they found stands above.\n');
process.exitCode = passes ? code : 2;
