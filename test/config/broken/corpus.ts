import { encodings } from './encodings.ts';
import { environment } from './environment.ts';
import { keys } from './keys.ts';
import { names } from './names.ts';
import { notYet } from './not-yet.ts';
import { sources } from './sources.ts';
import { sql } from './sql.ts';
import { tables } from './tables.ts';
import { tasks } from './tasks.ts';
import { values } from './values.ts';
import { yaml } from './yaml.ts';

/** Projects with mistakes that their files alone show, by what is wrong. */
export const corpus = {
  yaml,
  encodings,
  keys,
  values,
  environment,
  'not yet': notYet,
  names,
  sources,
  tables,
  tasks,
  sql,
};
