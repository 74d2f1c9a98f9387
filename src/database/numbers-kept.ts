/** Which numbers a column of fewer bits or digits keeps: conditions that all servers read alike. */
import type { ValueShape } from './value-shape.ts';

/** Undefined: all whole numbers of the one shape are numbers of the other. */
export function beyondBits(name: string, source: ValueShape, into: ValueShape): string | undefined {
  if (into.kind === 'decimal') return beyondDigits(name, { ...source, scale: 0 }, into);
  if (into.kind !== 'whole number') return undefined;
  const [given, kept] = [boundsOf(source), boundsOf(into)];
  if (given.least < kept.least) return `${name} between ${kept.least} and ${kept.most}`;
  return given.most > kept.most ? `${name} <= ${kept.most}` : undefined;
}

/** Undefined: all decimals of the one shape are numbers of the other, or the other is no decimal and no whole number. */
export function beyondDigits(name: string, source: ValueShape, into: ValueShape): string | undefined {
  if (into.kind !== 'whole number' && (into.kind !== 'decimal' || into.digits === undefined)) return undefined;
  const scale = into.scale ?? 0;
  const given = source.digits === undefined ? Infinity : source.digits - (source.scale ?? 0);
  const conditions = [
    ...(into.kind === 'whole number' ? beyondWhole(name, given, into) : beyondWholeDigits(name, given, into)),
    ...((source.scale ?? Infinity) > scale ? [`${name} = round(${name}, ${scale})`] : []),
  ];
  return conditions.join(' and ') || undefined;
}

/** `given`: digits before the point. */
function beyondWhole(name: string, given: number, into: ValueShape): string[] {
  const { least, most } = boundsOf(into);
  const fits = least < 0n && Number.isFinite(given) && 10n ** BigInt(Math.max(0, given)) - 1n <= most;
  return fits ? [] : [`${name} between ${least} and ${most}`];
}

function beyondWholeDigits(name: string, given: number, into: ValueShape): string[] {
  const kept = into.digits! - (into.scale ?? 0);
  return given > kept ? [`abs(${name}) < 1${'0'.repeat(Math.max(0, kept))}`] : [];
}

/** The least and the greatest number of so many bits; with an odd number of them goes a sign. */
function boundsOf({ precision }: ValueShape): { least: bigint; most: bigint } {
  const beyond = 2n ** BigInt(precision!);
  return { least: precision! % 2 === 1 ? -beyond : 0n, most: beyond - 1n };
}
