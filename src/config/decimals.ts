import type { LoadDefinition } from './definition.ts';
import type { LoadFile } from './load-schema.ts';
import type { YamlFile } from './yaml-file.ts';

/** The numbers of `params` that are written as decimals, with a point or an exponent. `0x1E` has none. */
export function decimalsOf(yaml: YamlFile, { params = {} }: LoadFile): Pick<LoadDefinition, 'decimals'> {
  const isDecimal = (name: string): boolean =>
    typeof params[name] === 'number' && /^[^x]*[.e]/i.test(yaml.scalar(['params', name])?.source ?? '');
  const decimals = Object.keys(params).filter(isDecimal);
  return decimals.length > 0 ? { decimals } : {};
}
