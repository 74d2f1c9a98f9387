import type { z } from 'zod';

import type { ValuePath } from './yaml-file.ts';

/** The keys that a mapping at `path` may have, by the schema; empty where any key goes. */
export function keysAt(schema: z.ZodType, path: ValuePath): string[] {
  return objectsAt(schema, path).flatMap((object) => Object.keys(object.shape));
}

function objectsAt(schema: z.ZodType, path: ValuePath): z.ZodObject[] {
  const options = unwrap(schema);
  const [step, ...rest] = path;
  if (step === undefined) return options.filter((option) => option.type === 'object') as z.ZodObject[];
  return options.flatMap((option) => {
    const next = childOf(option, step);
    return next === undefined ? [] : objectsAt(next, rest);
  });
}

function childOf(schema: z.ZodType, step: string | number): z.ZodType | undefined {
  if (schema.type === 'object') return (schema as z.ZodObject).shape[step] as z.ZodType | undefined;
  if (schema.type === 'array') return (schema as z.ZodArray<z.ZodType>).element;
  if (schema.type === 'record') return (schema as z.ZodRecord<z.ZodString, z.ZodType>).valueType;
  return undefined;
}

function unwrap(schema: z.ZodType): z.ZodType[] {
  if (schema.type === 'optional') return unwrap((schema as z.ZodOptional<z.ZodType>).unwrap());
  if (schema.type === 'union') return (schema as z.ZodUnion<readonly z.ZodType[]>).options.flatMap(unwrap);
  return [schema];
}
