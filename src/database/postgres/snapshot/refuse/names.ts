/** The snapshot's name must be whole and free. `$2` is that name, `$3` whether PostgreSQL keeps it whole. */
export const NAME_REFUSALS = [
  `
select format('the name %I is longer than 63 bytes, and PostgreSQL would cut it silently', $2::text), 'Give the table a shorter name.'
from t where not $3::boolean`,
  // An ordinary table of that name is a snapshot that still stands: the restart rules decide about it.
  `
select format('the name %I.%I is taken by %s', nspname, $2::text, pg_describe_object('pg_class'::regclass, o.oid, 0)), 'Rename that object.'
from t join pg_class o on o.relnamespace = t.relnamespace and o.relname = $2::text
where o.relkind <> 'r'`,
  `
select format('the name %I.%I is taken by %s', nspname, $2::text, pg_describe_object('pg_type'::regclass, y.oid, 0)), 'Rename that type.'
from t join pg_type y on y.typnamespace = t.relnamespace and y.typname = $2::text
where y.typrelid = 0 and not (y.typcategory = 'A' and y.typelem <> 0)`,
];
