import type { YAMLError } from 'yaml';

/** A YAML mistake in plain words: never the library's own sentence, which may quote the line and so a password. */
export interface SyntaxAdvice {
  message: string;
  next?: string;
}

const BY_CODE: Partial<Record<YAMLError['code'], SyntaxAdvice>> = {
  BAD_ALIAS: { message: 'this alias (`*name`) is not valid', next: 'Put the value in quotes if it is meant as text.' },
  BAD_DQ_ESCAPE: {
    message: 'this escape (`\\…`) is not known in double quotes',
    next: 'Use single quotes to keep backslashes as they are.',
  },
  BAD_INDENT: {
    message: 'this line is not indented like its neighbours, or a bracket is not closed',
    next: 'Give all keys of one mapping the same indentation.',
  },
  BAD_SCALAR_START: {
    message: 'a value cannot start with this character unless it is in quotes',
    next: 'Put the value in quotes.',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'there is a second `: ` in this line',
    next: 'Put the value in quotes if the colon belongs to it.',
  },
  MISSING_CHAR: { message: 'a quote, bracket or comma is missing', next: 'Close what was opened before this place.' },
  MULTIPLE_DOCS: { message: 'a second document starts here (`---`)', next: 'Keep one document in a file.' },
  TAB_AS_INDENT: { message: 'tabs cannot indent YAML', next: 'Use spaces.' },
};

/** What to say of a YAML error, given the line in which it is, and where in it. */
export function syntaxAdvice(error: YAMLError, line: string, at: number): SyntaxAdvice {
  const known = BY_CODE[error.code];
  const lineText = line.slice(0, at + 20);
  if (/^\s*-[{[A-Za-z"']/.test(line))
    return { message: 'the `-` of a list needs a space after it', next: 'Write `- `.' };
  if (error.code === 'MULTILINE_IMPLICIT_KEY') {
    return /^\s*[\w-]+:\S/.test(line)
      ? { message: 'a colon needs a space after it', next: 'Write `key: value`.' }
      : {
          message: 'this line is neither `key: value` nor an entry of a list',
          next: 'Write `key: value`, or `- value`.',
        };
  }
  // The library says of both that something is missing, or stands twice.
  if (error.code === 'MISSING_CHAR' && error.message.startsWith('Sequence item without')) return BY_CODE.BAD_INDENT!;
  if (error.code === 'BLOCK_AS_IMPLICIT_KEY' && !/: /.test(line.slice(at))) {
    return { message: 'the line after this one is indented too far', next: BY_CODE.BAD_INDENT!.next! };
  }
  if (error.code === 'UNEXPECTED_TOKEN' && /[{[][^}\]"']*\$\{/.test(lineText)) {
    return {
      message: '`${…}` inside { } or [ ] is not read as one value',
      next: 'Put it in quotes: `"${NAME}"`.',
    };
  }
  if (error.code === 'UNEXPECTED_TOKEN' && /:\s*>\s*[=\d-]/.test(lineText)) {
    return { message: 'a value that starts with `>` needs quotes', next: 'Write `expect: ">0"`.' };
  }
  return known ?? { message: 'this is not valid YAML', next: 'Check quotes, brackets and indentation here.' };
}
