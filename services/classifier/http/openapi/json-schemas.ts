import { z } from 'zod';
import type { Json } from '../routing/route';

/** Zod schemas as JSON schemas that refer to each other within `components.schemas` of one document. */
export function componentSchemas(named: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}`, io });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, { ...schema, $id: undefined, $schema: undefined }]),
  );
}
