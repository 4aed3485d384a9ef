import { unknownLabel } from '../decision/verdict';
import { shownValue } from './dataset-problems';

const maxLength = 200;

/**
 * Characters that a class name must not contain: control characters (Cc), line separators (Zl, Zp), lone
 * surrogates (Cs), and invisible or direction-changing characters. Joiners and direction marks, which
 * some scripts need, are allowed.
 */
const forbiddenCharacters = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u00ad\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** Names with a meaning in answers, and the reason why no class can have them. */
const reservedNames: Readonly<Record<string, string>> = {
  silence: 'is reserved: the service answers it where nothing is heard',
};

/**
 * Tells whether recordings of this category belong to none of the classes and serve to teach rejection.
 */
export function isOtherCategory(name: string): boolean {
  return name.toLowerCase() === unknownLabel;
}

/** Returns a class name in its stored form: composed (NFC), with plain spaces, trimmed. */
export function cleanClassName(name: string): string {
  return name
    .normalize('NFC')
    .replace(/\p{Zs}/gu, ' ')
    .trim();
}

/** Returns why a cleaned name cannot be the name of a class; undefined where it can. */
export function classNameProblem(name: string): string | undefined {
  const own = reservedNames[name.toLowerCase()];
  if (own !== undefined) return `the category ${name} ${own}; rename it, or leave its recordings out`;
  if (forbiddenCharacters.test(name)) {
    return `the category ${shownValue(name)} holds a control character or one that nobody sees; leave it out`;
  }
  if (name.length > maxLength) {
    return `the category ${shownValue(name.slice(0, 40))} is longer than ${maxLength} characters`;
  }
  return undefined;
}
