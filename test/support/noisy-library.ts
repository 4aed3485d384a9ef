import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into every thread of a process (`--require`): prints and warns in all the ways that libraries
 * have, once and now and then.
 */
function makeNoise(): void {
  const where = isMainThread ? 'main' : 'thread';
  /* eslint-disable no-console -- that is what libraries do */
  console.log(`noise by console.log on ${where}`);
  console.error(`noise by console.error\non two lines, ${where}`);
  /* eslint-enable no-console */
  process.stdout.write(`noise without an end of line on ${where} `);
  process.stderr.write(Buffer.from(`noise in bytes: "ü" on ${where}\n`));
  process.emitWarning(`noise by a warning on ${where}`);
  process.emitWarning(`noise by a deprecation on ${where}`, 'DeprecationWarning', 'DEP_NOISE');
}

// What the main file does first it has done.
setImmediate(makeNoise);
setInterval(makeNoise, 500).unref();
