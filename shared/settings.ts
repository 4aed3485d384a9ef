import { z } from 'zod';
import { AppError } from './errors/app-error';

/** A variable of the environment. What it is set to, and its default, are read by the same schema. */
export interface Setting<T = unknown> {
  readonly name: string;
  readonly schema: z.ZodType<T, string>;
  /** The default as it would be written; undefined: a setting that is not set has no value. */
  readonly default: string | undefined;
  /** May hold a password: its value is not repeated. */
  readonly isSecret?: boolean;
  /** For people, as `.env.example` has it. */
  readonly description: string;
}

export type Settings = Readonly<Record<string, Setting>>;
type ValueOf<S> = S extends { readonly default: string } & Setting<infer T>
  ? T
  : S extends Setting<infer T>
    ? T | undefined
    : never;
export type ValuesOf<S extends Settings> = { readonly [Name in keyof S]: ValueOf<S[Name]> };

/** A setting that always has a value. */
export function setting<T>(
  name: string,
  schema: z.ZodType<T, string>,
  given: string,
  description: string,
): Setting<T> & { readonly default: string } {
  return { name, schema, default: given, description };
}

/** A setting that may have no value. */
export function optional<T>(
  name: string,
  schema: z.ZodType<T, string>,
  description: string,
): Setting<T> & { readonly default: undefined } {
  return { name, schema, default: undefined, description };
}

/** A whole number, written in digits. */
export function whole(minimum: number, maximum: number): z.ZodType<number, string> {
  const error = `expected a whole number from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, error);
}

/** A whole number of units, in milliseconds. */
export function duration(minimum: number, maximum: number, unitMs: number): z.ZodType<number, string> {
  return whole(minimum, maximum).transform((value) => value * unitMs);
}

/**
 * The values of settings, from an environment; a variable set to nothing counts as not set.
 * @param conflicts what is wrong with values that are right each for itself: a variable's name and why
 * @throws AppError invalid-configuration whose message has a line for every problem
 */
export function readSettings<S extends Settings>(
  settings: S,
  env: NodeJS.ProcessEnv,
  conflicts: (values: Partial<ValuesOf<S>>) => Readonly<Record<string, string>> = () => ({}),
): ValuesOf<S> {
  const values: Record<string, unknown> = {};
  const problems: [name: string, problem: string][] = [];
  for (const [key, { name, schema, default: given }] of Object.entries(settings)) {
    const text = textOf(env, name) ?? given;
    if (text === undefined) continue;
    const parsed = schema.safeParse(text);
    if (parsed.success) values[key] = parsed.data;
    else problems.push(...parsed.error.issues.map(({ message }): [string, string] => [name, message]));
  }
  problems.push(...Object.entries(conflicts(values as Partial<ValuesOf<S>>)));
  if (problems.length === 0) return values as ValuesOf<S>;
  const secrets = Object.values(settings).flatMap(({ name, isSecret }) => (isSecret === true ? [name] : []));
  const lines = problems.map(([name, problem]) => {
    const value = secrets.includes(name) ? undefined : textOf(env, name);
    return `  ${name}${value === undefined ? '' : `=${value}`}: ${problem}`;
  });
  throw new AppError('invalid-configuration', `The environment is not valid:\n${lines.join('\n')}`);
}

function textOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}
