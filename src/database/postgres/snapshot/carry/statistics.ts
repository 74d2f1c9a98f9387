import type { CarryQuestion } from './carried.ts';

const CREATE: CarryQuestion = `
select pg_get_statisticsobjdef(s.oid) as statement
from t join pg_statistic_ext s on s.stxrelid = t.oid
order by s.oid`;

const TARGETS: CarryQuestion = `
select format('alter statistics %I.%I set statistics %s', n.nspname, s.stxname, s.stxstattarget) as statement
from t join pg_statistic_ext s on s.stxrelid = t.oid join pg_namespace n on n.oid = s.stxnamespace
where coalesce(s.stxstattarget, -1) <> -1
order by s.oid`;

const OWNERS: CarryQuestion = `
select format('alter statistics %I.%I owner to %I', n.nspname, s.stxname, pg_get_userbyid(s.stxowner)) as statement
from t join pg_statistic_ext s on s.stxrelid = t.oid join pg_namespace n on n.oid = s.stxnamespace
where s.stxowner <> quote_ident(current_user)::regrole
order by s.oid`;

/** CREATE STATISTICS objects; what ANALYZE gathered in them belongs to the rows and stays with those. */
export const EXTENDED_STATISTICS = [CREATE, TARGETS, OWNERS];
