/** Which numbers a column of fewer bits or digits keeps: conditions that all servers read alike. */
import type { ValueShape } from './value-shape.ts';

/** Undefined: all whole numbers of the one shape are numbers of the other. */
export function beyondBits(name: string, source: ValueShape, into: ValueShape): string | undefined {
  if (into.kind === 'decimal') return beyondDigits(name, { ...source, scale: 0 }, into);
  if (into.kind !== 'whole number') return undefined;
  // With an odd number of bits goes a sign.
  const [given, kept] = [source.precision! % 2 === 1, into.precision! % 2 === 1];
  const most = 2n ** BigInt(into.precision!);
  const narrower = into.precision! < source.precision!;
  if (given && (narrower || !kept)) return `${name} between ${kept ? -most : 0n} and ${most - 1n}`;
  return narrower ? `${name} <= ${most - 1n}` : undefined;
}

/** Undefined: all decimals of the one shape are decimals of the other, or the other is no decimal. */
export function beyondDigits(name: string, source: ValueShape, into: ValueShape): string | undefined {
  if (into.kind !== 'decimal' || into.digits === undefined) return undefined;
  const scale = into.scale ?? 0;
  const kept = into.digits - scale;
  const given = source.digits === undefined ? Infinity : source.digits - (source.scale ?? 0);
  const conditions = [
    ...(given > kept ? [`abs(${name}) < 1${'0'.repeat(Math.max(0, kept))}`] : []),
    ...((source.scale ?? Infinity) > scale ? [`${name} = round(${name}, ${scale})`] : []),
  ];
  return conditions.join(' and ') || undefined;
}
