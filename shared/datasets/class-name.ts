import { unknownLabel } from '../decision/verdict';
import { shownValue } from './dataset-problems';

const maxLength = 200;

/**
 * Cc: control characters. Zl, Zp: line ends. Cs: halves of characters. The others are seen by nobody, or turn the direction of
 * what stands beside them; those that writing needs (joiners, marks of direction) are not among them.
 */
const unfit = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u00ad\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** An answer's own word, and why no class can have it. */
const ownWords: Readonly<Record<string, string>> = {
  silence: 'is reserved: the service answers it where nothing is heard',
};

/** Whether recordings of this category are other things: of none of the classes, and there to be told from them. */
export function isOtherCategory(name: string): boolean {
  return name.toLowerCase() === unknownLabel;
}

/** A class's name as it is kept: composed (NFC), with plain blanks, and none around it. */
export function cleanClassName(name: string): string {
  return name
    .normalize('NFC')
    .replace(/\p{Zs}/gu, ' ')
    .trim();
}

/** What keeps a clean name from being a class's; undefined: nothing does. */
export function classNameProblem(name: string): string | undefined {
  const own = ownWords[name.toLowerCase()];
  if (own !== undefined) return `the category ${name} ${own}; rename it, or leave its recordings out`;
  if (unfit.test(name)) {
    return `the category ${shownValue(name)} holds a control character or one that nobody sees; leave it out`;
  }
  if (name.length > maxLength) {
    return `the category ${shownValue(name.slice(0, 40))} is longer than ${maxLength} characters`;
  }
  return undefined;
}
