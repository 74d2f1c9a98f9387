import type { CarryQuestion } from './carried.ts';

const TRIGGERS: CarryQuestion = `
select pg_get_triggerdef(g.oid) as statement
from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
order by g.oid`;

const TRIGGER_STATES: CarryQuestion = `
select format('alter table %s %s trigger %I', target,
  case g.tgenabled when 'D' then 'disable' when 'R' then 'enable replica' when 'A' then 'enable always' end, g.tgname) as statement
from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
where g.tgenabled <> 'O'
order by g.oid`;

const RULES: CarryQuestion = `
select pg_get_ruledef(r.oid) as statement
from t join pg_rewrite r on r.ev_class = t.oid
order by r.oid`;

const RULE_STATES: CarryQuestion = `
select format('alter table %s %s rule %I', target,
  case r.ev_enabled when 'D' then 'disable' when 'R' then 'enable replica' when 'A' then 'enable always' end, r.rulename) as statement
from t join pg_rewrite r on r.ev_class = t.oid
where r.ev_enabled <> 'O'
order by r.oid`;

/** Triggers and rules, each in its state: on, off, on replicas, always. */
export const TRIGGERS_AND_RULES = [TRIGGERS, TRIGGER_STATES, RULES, RULE_STATES];
