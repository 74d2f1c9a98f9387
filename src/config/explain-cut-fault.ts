import type { CutFault } from '../sql/cut/faults.ts';

const listOf = (key: readonly string[]): string => key.map((column) => `\`${column}\``).join(', ');

const ONCE = 'leave `chunk` out: the stage then runs once, over all rows';

/** What a statement of a chunked stage would do, and the ways out. */
export function explainCutFault(
  fault: CutFault,
  input: string,
  key: readonly string[],
): { message: string; next: string } {
  const cut = `\`{{ ${input} }}\``;
  const { said, missing = [], filled } = fault;
  switch (fault.what) {
    case 'padded':
      return {
        message: `${cut} stands on the side of this \`${said}\` that is filled with NULLs: each chunk would give the rows that match none of its own, so that they come once per chunk${fault.doubtful ? ', unless a condition drops them again' : ''}`,
        next: `Begin the joins with ${cut}, write \`join\` where only rows with a match are wanted, or ${ONCE}.`,
      };
    case 'absent':
      return {
        message: `${cut} stands behind \`${said}\`: each chunk would act on what is not in *it*, though it may be in another chunk`,
        next: `Put this statement into a stage of its own without \`chunk\`, or ${ONCE}.`,
      };
    case 'value':
      return {
        message: `${cut} stands in a subquery that gives a value only: each chunk would come to a value of its own, for the same rows`,
        next: `Begin the joins with ${cut} (\`from\`, \`update … from\`, \`update … join\`), or ${ONCE}.`,
      };
    case 'repeated':
      if (fault.doubtful) {
        return {
          message: `${cut} stands in \`${said}\` only, and not in the \`from\` of what is merged: each of the chunks in which a row is found would merge it, and insert it again where it is compared by NULL`,
          next: `Join with ${cut}, give as \`chunk.key\` the columns that are compared, or ${ONCE}.`,
        };
      }
      return {
        message: `${cut} stands in \`${said}\` only, and not in the \`from\` of this insert: each of the chunks in which a row is found would insert it`,
        next: `Join with ${cut}, have the insert leave alone what is there (\`on conflict do nothing\`, \`insert ignore\`), give as \`chunk.key\` the columns that are compared, or ${ONCE}.`,
      };
    case 'unreached':
      if (said === 'merge') {
        return {
          message: `what this merge inserts does not come from ${cut}: it would merge the same rows once per chunk, and insert again those that are compared by NULL`,
          next: 'Move it to a stage of its own, without `chunk`.',
        };
      }
      return {
        message: `what this insert inserts does not come from ${cut}: it would insert the same rows once per chunk`,
        next: 'Move it to a stage of its own, without `chunk`.',
      };
    case 'branch':
      return {
        message: `one side of this \`${said}\` does not use ${cut}: its rows would come once per chunk${fault.doubtful ? ', and be inserted again where they are compared by NULL' : ''}`,
        next: 'Insert them in a stage of their own, without `chunk`.',
      };
    case 'unmatched':
      return {
        message: `\`${said}\` over ${cut}: each chunk would act on the rows of all other chunks`,
        next: `Put this statement into a stage of its own without \`chunk\`, or ${ONCE}.`,
      };
    case 'filled':
      return {
        message: `\`${said}\`, which this stage makes, does not have its rows from ${cut} alone: the others would come once per chunk`,
        next: `Fill it from ${cut}, insert the others in a stage of their own, without \`chunk\`, or ${ONCE}.`,
      };
    case 'lasting':
      return fault.doubtful
        ? {
            message: `each chunk would make \`${said}\`: the second finds it there, and fails`,
            next: TEMPORARY,
          }
        : {
            message: `the first chunk makes \`${said}\`, with its own rows: the others find it there, and theirs are not in it`,
            next: TEMPORARY,
          };
    case 'again':
      return fault.doubtful
        ? {
            message: `this update makes something else of \`${said}\` each time: a row that several chunks choose is changed by each of them`,
            next: `Give as \`chunk.key\` the columns that are compared, unless rows of ${cut} are there once each, or ${ONCE}.`,
          }
        : {
            message: `this update of \`${said}\` does not use ${cut}: it would change the same rows once per chunk`,
            next: 'Move it to a stage of its own, without `chunk`.',
          };
    case 'limited':
      return {
        message: `this \`${said}\` with a \`limit\` does not use ${cut}: it would do so many rows once per chunk${fault.doubtful ? ', unless it finds the same ones each time, or none' : ''}`,
        next: 'Move it to a stage of its own, without `chunk`.',
      };
    case 'taken':
      return {
        message: `this \`${said}\` does not use ${cut}: the first chunk gets what it gives back, and the others nothing${fault.doubtful ? UNLESS_TAKEN[said] : ''}`,
        next: `Put it into a stage of its own before this one, without \`chunk\`, that keeps what it gives back in a table, or ${ONCE}.`,
      };
    case 'overwritten':
      return {
        message: `what this insert inserts does not come from ${cut} alone, or is found in several chunks: where one chunk has inserted a row, the next finds it there, and sets \`${said}\` to something else`,
        next: `Set \`${said}\` to what is inserted (\`excluded\`, \`values()\`), leave alone what is there (\`on conflict do nothing\`, \`insert ignore\`), or ${ONCE}.`,
      };
    case 'shared':
      return fault.counted === undefined
        ? {
            message: `this stage reads \`${said}\` here and writes to it (${fault.writer}): each chunk finds there what those before it have written, and nothing of those behind it. Of rows that are alike in what is compared only those of one chunk may come, and a value may be another one in each`,
            next: `${key.length === 0 ? 'Give as `chunk.key` the columns that are compared with it by `=`' : `Compare ${listOf(key)} by \`=\`, in the query that reads it, with the columns to which they are written`}, write to it in another stage, or ${ONCE}.`,
          }
        : {
            message: `\`${fault.counted}\` goes over all of \`${said}\`, to which this stage writes (${fault.writer}): each chunk would come to a value of its own, by what other chunks have written until then`,
            next: `Write to it in another stage, or ${ONCE}.`,
          };
    case 'changed':
      return {
        message: `this statement does to rows of \`${said}\` that chunks before it have inserted (${fault.writer}) what is meant for rows that were there before the stage`,
        next: fault.doubtful
          ? `${key.length === 0 ? 'Give as `chunk.key` the columns by which both say whose rows they are' : `Compare ${listOf(key)} by \`=\` with the columns into which they are inserted`}, put this statement into a stage of its own before this one, or ${ONCE}.`
          : 'Put this statement into a stage of its own before this one, without `chunk`.',
      };
    case 'twice':
      return {
        message: `${cut} meets itself here through its \`with\` name, or a table that the stage makes of it: rows of each chunk would meet only rows of the same chunk`,
        next:
          key.length === 0
            ? 'Give as `chunk.key` the columns by which rows belong together, unless each row meets only itself.'
            : `Compare ${listOf(key)} of both, by \`=\` and not within \`or\`, or ${ONCE}.`,
      };
    case 'grouping':
      if (filled !== undefined) {
        return {
          message: `\`${said}\` over ${cut} lacks \`${missing[0]}\` of \`chunk.key\`: \`${filled.column}\` is that only where the \`${filled.join}\` finds a row, and NULL where it finds none, which may be in several chunks, and each would give its own`,
          next: `Write there the \`${missing[0]}\` of ${cut}, \`join\` instead of \`${filled.join}\` where only rows with a match are wanted, or ${ONCE}.`,
        };
      }
      return {
        message: `\`${said}\` over ${cut} lacks ${missing.map((column) => `\`${column}\``).join(', ')} of \`chunk.key\`: rows that belong together may lie in several chunks, and each would give its own`,
        next: `Add ${missing.length === 1 ? 'it' : 'them'}, give as \`chunk.key\` columns that are all in it, or ${ONCE}.`,
      };
    case 'whole':
      return {
        message: `${WHOLE[said] ?? `\`${said}\``} over ${cut}: each chunk would come to its own, also with the key \`${key.join(', ')}\``,
        next: `Group by the columns of \`chunk.key\`, or ${ONCE}.`,
      };
  }
}

const TEMPORARY = `Make it with \`create temporary table\` (each chunk has its own), drop it in the same stage, or ${ONCE}.`;

/** Where the other chunks may get something, too. */
const UNLESS_TAKEN: Record<string, string> = {
  delete: ', but for what each has put there itself',
  update: ', as far as its condition no longer holds then',
  insert: ', unless what is there already is read beside it',
};

const WHOLE: Record<string, string> = {
  aggregate: 'an aggregate without `group by`',
  having: '`having` without `group by`',
  'variable assignment': 'an assignment to a variable',
};
