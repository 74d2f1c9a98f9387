import type { Position } from '../sql-error.ts';

/** Why a statement does something else when it runs once per chunk than when it runs once. */
export interface CutFault extends Position {
  what:
    /** On the side of an outer join that is filled with NULLs. */
    | 'padded'
    /** In a condition that holds where the cut has no row. */
    | 'absent'
    /** In a subquery that stands for a value. */
    | 'value'
    /** An insert reads the cut in its condition only. */
    | 'repeated'
    /** An insert is not reached by it. */
    | 'unreached'
    /** A branch of a union is not reached by it. */
    | 'branch'
    /** `when not matched by source`. */
    | 'unmatched'
    /** Joined with itself. */
    | 'twice'
    /** Groups that may lie in several chunks. */
    | 'grouping'
    /** Something that counts or limits all rows at once. */
    | 'whole'
    /** A value grows each time that its row is changed, and several chunks may change it. */
    | 'again'
    /** An upsert sets a column of a row that another chunk has inserted to something else than that has inserted. */
    | 'overwritten'
    /** An update or a delete of so many rows is not reached by it. */
    | 'limited'
    /** Rows of the cut meet what a statement that it does not reach has taken: `delete … returning`. */
    | 'taken'
    /** A table that the stage makes has rows that do not come from the cut alone. */
    | 'filled'
    /** A table that a chunk makes is there for the chunks behind it, too. */
    | 'lasting'
    /** A table that the stage writes to is read: other chunks may have written there by then. */
    | 'shared'
    /** Rows of a table are changed or deleted into which the stage inserts: also those of other chunks. */
    | 'changed';
  /** The SQL that does it: `left join`, `not exists`. */
  said: string;
  /** It may be right all the same: nobody can tell by the text. */
  doubtful: boolean;
  /** `grouping`: columns of the key that are missing. */
  missing?: string[];
  /** `grouping`: a column that stands for a missing one, but where this outer join fills it with NULLs. */
  filled?: { column: string; join: string };
  /** `shared`, `changed`: where the stage writes to it, as `file:line`. */
  writer?: string;
  /** `shared`: the aggregate that goes over all its rows. */
  counted?: string;
  /** `unreached`, `again`, `limited`, `overwritten`, `shared`, `changed`: what the statement writes to, as written. */
  target?: Position;
}
