/** Behind the name of what CI need not have. */
export const optionalMark = ' (which CI may lack, too)';

/** The title of tests that are left out, by which the run's end knows why (left-out-reporter.ts). */
export function leftOutTitle(title: string, missing: string): string {
  return `${title} [left out without ${missing}]`;
}

/** @returns what is missing, of a title made so; undefined: it was not */
export function readTitle(title: string): { readonly title: string; readonly missing: string | undefined } {
  const [, plain = title, missing] = /^(.*) \[left out without (.*)\]$/s.exec(title) ?? [];
  return { title: plain, missing };
}

const key = 'earshotFileLeftOutWithout';
interface Realm {
  [key]?: string;
}

/** Called by a test file: none of its tests runs. */
export function leaveFileOut(missing: string): void {
  (globalThis as Realm)[key] = missing;
}

/** What a file is missing, by the global object that its tests see. */
export function fileLeftOut(realm: object): string | undefined {
  return (realm as Realm)[key];
}
