import type { CarryQuestion } from './carried.ts';

/**
 * Not those that come with one: a foreign key to a partitioned table has another to each partition, which would hold for all rows.
 * pg_get_constraintdef says NOT VALID, NOT ENFORCED, NO INHERIT, DEFERRABLE, INCLUDE, NULLS NOT DISTINCT, WITHOUT OVERLAPS.
 */
const add = (types: string) => `
select format('alter table %s add constraint %I %s', target, c.conname, pg_get_constraintdef(c.oid)) as statement
from t join pg_constraint c on c.conrelid = t.oid
where c.contype in (${types}) and c.conparentid = 0
order by c.oid`;

/** Before identity columns and primary keys, which would make NOT NULL constraints with names of their own. */
export const NOT_NULL_CONSTRAINTS: CarryQuestion = add(`'n'`);

/** CHECK, and the keys with their indexes: the index of a key always has the key's name. */
export const CHECKS_AND_KEYS: CarryQuestion = add(`'c', 'p', 'u', 'x'`);

export const FOREIGN_KEYS: CarryQuestion = add(`'f'`);
