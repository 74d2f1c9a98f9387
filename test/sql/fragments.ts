import fc from 'fast-check';

/** A piece of SQL made up for a property test, and what a reader must find in it. */
export interface Fragment {
  text: string;
  parameters: string[];
  braces: string[];
  /** The value that a server gives for it, where it is an expression of type text. */
  value?: string;
}

/** How SQL of one dialect is made up. */
export interface Fragments {
  /** Expressions of type text that hold noise. */
  literal: fc.Arbitrary<Fragment>;
  /** White space and comments that hold noise. */
  gap: fc.Arbitrary<Fragment>;
  /** Code that looks a little like a parameter and is none. */
  code: fc.Arbitrary<Fragment>;
  /** A parameter; its value is its own name in angle brackets (see `parse.ts`). */
  parameter: fc.Arbitrary<Fragment>;
  brace: fc.Arbitrary<Fragment>;
}

/** Looks like parameters, braces, separators and the starts and ends of everything; inside a fragment it is plain text. */
export const noise = fc
  .array(
    fc.constantFrom(
      ':x',
      ':params.y',
      ';',
      '{{t}}',
      '{{',
      '}}',
      '$1',
      '$$',
      '$q$',
      "'",
      '"',
      '\\',
      '--',
      '/*',
      '*/',
      '\n',
      '\r',
      '[',
      '(',
      ')',
      'é',
      "E'",
      ' ',
      '::',
      '`',
      '?',
      '#',
      '@x',
      '!',
    ),
    { maxLength: 6 },
  )
  .map((pieces) => pieces.join(''));

export const withoutBlockMarks = (text: string) => text.replaceAll(/[/*]/g, '.');
export const double = (text: string, quote: string) => text.replaceAll(quote, quote + quote);
export const escape = (text: string) =>
  text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r');

export const plain = (text: string, value?: string): Fragment => ({ text, parameters: [], braces: [], value });

const literal: fc.Arbitrary<Fragment> = fc.oneof(
  noise.map((text) => plain(`'${double(text, "'")}'`, text)),
  noise.map((text) => plain(`E'${escape(text)}'`, text)),
  fc.tuple(noise, noise).map(([a, b]) => plain(`e'${escape(a)}' -- it's :x\n '${escape(b)}'`, a + b)),
  noise.map((text) => plain(`U&'${double(text, "'").replaceAll('\\', '\\\\')}'`, text)),
  noise.map((text) => plain(`$zz$${text}$zz$`, text)),
  noise.map((text) => plain(`$é_1$${text}$é_1$`, text)),
);

const gap: fc.Arbitrary<Fragment> = fc.oneof(
  fc.constantFrom(' ', '\n', '\t', '\r\n').map((text) => plain(text)),
  noise.map((text) => plain(` --${text.replaceAll(/[\n\r]/g, ' ')}\n`)),
  noise.map((text) => plain(`/*${withoutBlockMarks(text)}*/`)),
  noise.map((text) => plain(`/*/*${withoutBlockMarks(text)}*/${withoutBlockMarks(text)}*/`)),
);

const name = fc.constantFrom('batch_id', 'from', 'params.region', 'x1');

export const parameter: fc.Arbitrary<Fragment> = name.map((text) => ({
  text: `:${text}`,
  parameters: [text],
  braces: [],
  value: `<${text}>`,
}));

export const readsT = (text: string): Fragment => ({ text, parameters: [], braces: ['t'] });

const brace = fc.constantFrom('{{t}}', '{{ t | all }}', '{{\n"t" }}').map(readsT);

const code: fc.Arbitrary<Fragment> = fc.oneof(
  fc
    .constantFrom('a::int', 'x[1:2]', 'x[a:b]', 'f(a := 1)', 'a ?| b', '1e-5', 'a @> b', 'a$b$', 'a : b')
    .map((text) => plain(text)),
  noise.map((text) => plain(`"${double(text, '"')}x"`)),
  noise.map((text) => plain(`u&"${double(text, '"').replaceAll('\\', '\\\\')}x"`)),
);

export const postgresFragments: Fragments = { literal, gap, code, parameter, brace };

/** Fragments in a row, gaps and commas between them: without a comma, literals in successive lines would be one literal. */
export function joined(pieces: Fragment[], gaps: Fragment[]): Fragment {
  const all = pieces.flatMap((piece, i) => (i === 0 ? [piece] : [gaps[i % gaps.length]!, plain(','), piece]));
  return {
    text: all.map(({ text }) => text).join(''),
    parameters: all.flatMap(({ parameters }) => parameters),
    braces: all.flatMap(({ braces }) => braces),
  };
}
