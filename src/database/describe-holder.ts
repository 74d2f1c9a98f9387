import type { Holder } from './dialect.ts';

/**
 * Whom we wait for, as progress, errors and `waybill status` say it: `connection 4711 (mary, psql, query 340 s)`.
 *
 * @param age What `ageSeconds` counts: since its (last) query began, or how long its transaction has been open.
 */
export function describeHolder(
  { connectionId, user, application, ageSeconds, toEnd }: Holder,
  age: 'query' | 'open' = 'query',
): string {
  const seconds = ageSeconds === null ? undefined : `${age} ${Math.round(ageSeconds)} s`;
  // A prepared transaction has no connection any more; what it is called stands in `application`.
  const prepared = connectionId === '' || connectionId === '0';
  const about = [user, prepared ? undefined : application, seconds, toEnd].filter(Boolean).join(', ') || 'unknown';
  return `${prepared ? (application ?? 'a prepared transaction') : `connection ${connectionId}`} (${about})`;
}
