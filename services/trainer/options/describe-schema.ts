import { z } from 'zod';

/** What a schema says of a value, for a usage text. */
export interface DescribedSchema {
  readonly schema: z.ZodType;
  /** The schema without what makes it optional, nullable or a default. */
  readonly core: z.ZodType;
  /** Whether it is named or not, and has no value. */
  readonly isSwitch: boolean;
  /** What may stand there: `a|b`, N, NAME. */
  readonly form: string;
  readonly description: string;
  readonly defaultText: string | undefined;
}

/**
 * Reads the descriptions and defaults that stand on a schema or on what it wraps; the outermost ones
 * count.
 */
export function describeSchema(schema: z.ZodType): DescribedSchema {
  let [core, description, form]: [z.ZodType, string | undefined, string] = [schema, schema.description, ''];
  let defaultText: string | undefined;
  while (isWrapper(core)) {
    if (core instanceof z.ZodDefault) defaultText ??= defaultTextOf(core.def.defaultValue);
    if (core instanceof z.ZodNullable) form = '|none';
    core = core.unwrap() as z.ZodType;
    description ??= core.description;
  }
  const isSwitch = core instanceof z.ZodBoolean;
  return {
    schema,
    core,
    isSwitch,
    form: `${formOf(core)}${form}`,
    description: description ?? '',
    defaultText: isSwitch ? undefined : defaultText,
  };
}

function defaultTextOf(value: unknown): string {
  return Array.isArray(value) && value.length === 0 ? 'none' : String(value);
}

type Wrapper = z.ZodDefault | z.ZodPrefault | z.ZodOptional | z.ZodNullable;

function isWrapper(schema: z.ZodType): schema is Wrapper {
  return [z.ZodDefault, z.ZodPrefault, z.ZodOptional, z.ZodNullable].some((kind) => schema instanceof kind);
}

function formOf(core: z.ZodType): string {
  if (core instanceof z.ZodEnum) return core.options.join('|');
  if (core instanceof z.ZodLiteral) return [...core.values].join('|');
  return core instanceof z.ZodNumber ? 'N' : 'NAME';
}
