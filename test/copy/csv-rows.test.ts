import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CsvError, type CsvFormat } from '../../src/copy/files/csv-format.ts';
import { CsvRows } from '../../src/copy/files/csv-rows.ts';

const FORMAT: CsvFormat = { delimiter: ',', quote: '"', nullText: '' };

/** The rows, each value as it is or null; the text may be cut at these places. */
function rowsOf(
  text: string | Buffer,
  shape: { format?: CsvFormat; header?: string[]; keep?: boolean[]; cuts?: number[] } = {},
) {
  const { format = FORMAT, header, keep, cuts = [] } = shape;
  const rows = new CsvRows(format, { ...(header && { header }), ...(keep && { keep }), end: '\tEND\n' });
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const pieces = places.slice(1).map((to, i) => rows.take(bytes.subarray(places[i], to)).toString());
  const out = pieces.join('') + rows.finish().toString();
  const lines = out.split('\n').slice(0, -1);
  expect(lines).toHaveLength(rows.rows);
  return lines.map((line) => {
    const values = line.split('\t');
    expect(values.pop()).toBe('END');
    return values.map((value) => (value === '\\N' ? null : plain(value)));
  });
}

const plain = (value: string): string =>
  value.replace(/\\(.)/g, (_, c: string) => ({ t: '\t', n: '\n', r: '\r', '\\': '\\' })[c] ?? `?${c}`);

describe('rows of a CSV file', () => {
  test('whatever stands in them, however they are quoted and cut', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('', 'NULL', '\\N', '\\', '"', '""', ',', 'a\r\nb', '\n', '\r', '\t', '😀', 'x'),
    );
    const cell = fc.record({ value: fc.option(value), quoted: fc.boolean(), doubled: fc.boolean() });
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 5 })
          .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 })),
        fc.constantFrom(',', ';', '\t', '|'),
        fc.constantFrom('"', "'"),
        fc.constantFrom('', 'NULL', '\\N'),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.array(fc.nat(), { maxLength: 6 }),
        (cells, delimiter, quote, nullText, newline, last, cuts) => {
          const write = ({ value, quoted }: { value: string | null; quoted: boolean }): string => {
            if (value === null) return nullText;
            const must = value === nullText || [delimiter, quote, '\n', '\r'].some((mark) => value.includes(mark));
            // The first three bytes of a file may be a mark, which is no text.
            return must || quoted || /[\ufeff]/.test(value)
              ? `${quote}${value.replaceAll(quote, quote + quote)}${quote}`
              : value;
          };
          // An empty line is one only where there is more than one column.
          const lines = cells.map((row) => row.map(write).join(delimiter));
          fc.pre(cells.every((row, i) => row.length > 1 || lines[i] !== ''));
          const text = lines.map((line, i) => line + (i < lines.length - 1 || last ? newline : '')).join('');
          expect(rowsOf(text, { format: { delimiter, quote, nullText }, cuts })).toEqual(
            cells.map((row) => row.map(({ value }) => value)),
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('a value that is larger than what is read at once', () => {
    const long = 'long "text"\n'.repeat(40_000);
    const text = `a,"${long.replaceAll('"', '""')}",b\n1,2,3\n`;
    const cuts = Array.from({ length: 50 }, (_, i) => i * 9_973);
    expect(rowsOf(text, { cuts })).toEqual([
      ['a', long, 'b'],
      ['1', '2', '3'],
    ]);
  });

  test('a header is no row, columns that nobody wants are left out, and empty lines are none', () => {
    const shape = { header: ['id', 'some name', 'x'], keep: [true, false, true] };
    expect(rowsOf('id,"some name",x\r\n\r\n1,a,\r\n\r\n"",b,"2"\r\n', shape)).toEqual([
      ['1', null],
      ['', '2'],
    ]);
    expect(rowsOf('id\n\n1\n', { header: ['id'] })).toEqual([[null], ['1']]);
    expect(rowsOf('\n\r\nid\n\n1\n', { header: ['id'] })).toEqual([[null], ['1']]);
    expect(rowsOf('id,x\n', { header: ['id', 'x'] })).toEqual([]);
    expect(rowsOf('', { header: [] })).toEqual([]);
  });

  test('the header of another file that was put behind it is no row, with or without its mark', () => {
    const header = ['id', 'a b', 'x'];
    for (const again of ['id,a b,x', '"id",a b,"x"', '\ufeffid,a b,x']) {
      const text = `id,a b,x\n1,"2\n",3\n${again}\n4,5,6\n`;
      for (const keep of [undefined, [true, true, false]]) {
        const error = (() => {
          try {
            return rowsOf(text, { header, ...(keep && { keep }) });
          } catch (error) {
            return error;
          }
        })();
        expect(error).toMatchObject({ line: 4, message: 'the header stands here again' });
      }
    }
    const like = 'id,a b,x\nid,a b,y\nid,a b,\n';
    expect(rowsOf(like, { header })).toHaveLength(2);
    expect(rowsOf('id\nid\n', { header: ['id'] })).toEqual([['id']]);
  });

  test('the mark of UTF-8 is passed over, wherever the file is cut; what only begins like one is not', () => {
    for (const cut of [0, 1, 2, 3, 4]) {
      expect(rowsOf('\ufeffid,x\n1,2\n', { cuts: [cut], header: ['id', 'x'] })).toEqual([['1', '2']]);
      expect(rowsOf('\uf8ffa,x\n', { cuts: [cut] })).toEqual([['\uf8ffa', 'x']]);
      expect(rowsOf('ﻁ', { cuts: [cut] })).toEqual([['ﻁ']]); // EF BB 81
    }
    expect(() => rowsOf(Buffer.from([0xef, 0xbb]), { cuts: [1] })).toThrow('holds bytes that are not UTF-8');
  });

  test('bytes that are not UTF-8 matter where they are kept, wherever the file is cut', () => {
    const bytes = Buffer.from('a,b\né,1\n', 'latin1');
    const whole = Buffer.from('a,b\né,😀\n');
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(rowsOf(whole, { cuts: [cut], header: ['a', 'b'] })).toEqual([['é', '😀']]);
      expect(() => rowsOf(bytes, { cuts: [cut], header: ['a', 'b'] })).toThrow('a holds bytes that are not UTF-8');
      expect(rowsOf(bytes, { cuts: [cut], header: ['a', 'b'], keep: [false, true] })).toEqual([['1']]);
    }
  });

  test('what is asked of a column is asked of its values as they are, and not of NULL', () => {
    const asked: string[] = [];
    const check = (text: string): string | undefined => {
      asked.push(text);
      return text === 'bad' ? 'b is bad' : undefined;
    };
    const rows = new CsvRows(FORMAT, { header: ['a', 'b'], keep: [true, true], checks: [undefined, check], end: '\n' });
    rows.take(Buffer.from('a,b\nbad,"tab\tback\\slash\n"\n1,\n2,""\n3,é\n'));
    expect(asked).toEqual(['tab\tback\\slash\n', '', 'é']);
    expect(() => rows.take(Buffer.from('4,bad\n'))).toThrow(new CsvError(7, 'b is bad'));
  });

  test('a quote that stays open ends where a row is too long, and not with the memory', () => {
    const MB = 1 << 20;
    const rows = new CsvRows(FORMAT, { header: ['a', 'b'], end: '\n', longest: MB });
    rows.take(Buffer.from('a,b\n"1\n",2\n3,"'));
    rows.take(Buffer.alloc(MB / 2, 'x\n')); // a line end takes two bytes, as it is handed on
    expect(() => rows.take(Buffer.alloc(MB / 2, 'x\n'))).toThrow(
      new CsvError(4, 'a quote opens here and is not closed within 1 MB, which is the most that a row may have'),
    );
    const long = new CsvRows(FORMAT, { header: ['a'], end: '\n', longest: MB });
    const plain = Buffer.alloc(MB, 'x');
    long.take(Buffer.from('a\n'));
    long.take(plain);
    expect(long.take(Buffer.from('\n')).length).toBe(MB + 1);
    long.take(plain);
    expect(() => long.take(plain)).toThrow(
      new CsvError(3, 'a row begins here that is longer than 1 MB, which is the most that one may have'),
    );
  });

  test.each([
    ['too few values', 'a,b\n1,2\n\n"3\n3"\n5,6\n', 4, '1 value where the header has 2'],
    ['too many', 'a,b\n1,2,3', 2, '3 values where the header has 2'],
    ['a quote that stays open', 'a,b\n1,2\n3,"4\n5,6\n', 3, 'a quote opens here and is never closed'],
    [
      'a quote that stays open in a row of several lines',
      'a,b\n1,2\n"3\n3","4\n5,6\n',
      4,
      'a quote opens here and is never closed',
    ],
    ['other bytes', Buffer.from('a,b\n1,é\n', 'latin1'), 2, 'b holds bytes that are not UTF-8'],
    [
      'half a character',
      Buffer.from([...Buffer.from('a,b\n"1\n'), 0xc3, ...Buffer.from('",2\n')]),
      2,
      'a holds bytes that are not UTF-8',
    ],
    ['a quote within a value', 'a,b\n1,5" pipe\n', 2, 'a quote stands within a value that does not begin with one'],
    ['text behind a quote', 'a,b\n"1" ,2\n', 2, 'a value goes on behind its closing quote'],
    ['line ends of long ago', 'a,b\r1,2\r', 1, 'a carriage return without a line feed stands outside of quotes'],
    ['another header', 'a,c\n1,2\n', 1, 'the header is another than it was when the batch opened'],
    ['UTF-16', Buffer.from('\ufeffa,b\n', 'utf16le'), 1, 'it begins as a text in UTF-16 does, and only UTF-8 is read'],
  ])('%s: it says on which line', (_, text, line, message) => {
    const read = (): unknown => rowsOf(text, { header: ['a', 'b'] });
    expect(read).toThrow(CsvError);
    try {
      read();
    } catch (error) {
      expect(error).toMatchObject({ line, message });
    }
  });
});
