import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { leaveFileOut, leftOutTitle, optionalMark } from './left-out';
import { findProgram } from './programs';

/** What some tests need, and a machine may not have. */
export interface Need {
  /** For people: `ffmpeg`. */
  readonly name: string;
  readonly isMet: () => boolean;
}

/** Any one of these programs. */
export function program(...names: readonly string[]): Need {
  return {
    name: names.join(' or '),
    isMet: () => names.some((name) => findProgram(name) !== undefined),
  };
}

/** What CI need not have either, because it is large. */
export function optional(need: Need): Need {
  return { ...need, name: `${need.name}${optionalMark}` };
}

/**
 * The right to run a command in a user namespace; containers and some machines refuse it. @param args of
 * `unshare`
 */
export function userNamespace(...args: readonly string[]): Need {
  return {
    name: 'the right to make user namespaces (unshare)',
    isMet: () => spawnSync('unshare', ['--user', ...args], { stdio: 'ignore' }).status === 0,
  };
}

/**
 * The right to be another user than root, which root has not where all files are its own; others need
 * none.
 */
export const otherUsers: Need = {
  name: 'the right to start programs as another user',
  isMet: () => process.geteuid!() !== 0 || spawnSync('true', { uid: 65_534 }).status === 0,
};

/** Files or folders beside the project that are not part of it. */
export function material(...paths: readonly string[]): Need {
  return {
    name: paths.map((file) => path.relative('.', file)).join(' and '),
    isMet: () => paths.every((file) => existsSync(file)),
  };
}

/**
 * Why libtensorflow could not be had before the tests began (provide-engine.ts); undefined where it is
 * there.
 */
export const withoutLibtensorflow = 'EARSHOT_TEST_WITHOUT_LIBTENSORFLOW';

/** The reference that results are compared with. It is fetched with Python, once. */
export const libtensorflow: Need = {
  name: 'libtensorflow, which python3 fetches',
  isMet: () => process.env[withoutLibtensorflow] === undefined,
};

function unmet(needs: readonly Need[]): string | undefined {
  const missing = needs.filter((need) => !need.isMet()).map(({ name }) => name);
  return missing.length === 0 ? undefined : missing.join(', ');
}

/**
 * A block of tests that need something: left out on a machine without it, where the end of the run says
 * so. Under CI, which has it all (.ci/run), the run then fails (left-out-reporter.ts).
 */
export function describeWith(...needs: readonly Need[]): (title: string, tests: () => void) => void {
  const missing = unmet(needs);
  if (missing === undefined) return describe;
  // What the block does before its first test needs it too, so that its tests stay uncounted.
  const [leaveOut, stand] = [describe.skip, it.skip];
  return (title) => {
    leaveOut(leftOutTitle(title, missing), () => {
      stand('all of it', () => undefined);
    });
  };
}

/** The same for all tests of the file that calls it. */
export function fileNeeds(...needs: readonly Need[]): void {
  const missing = unmet(needs);
  if (missing !== undefined) leaveFileOut(missing);
}
