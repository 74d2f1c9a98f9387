/** Values in a form that is the same for the same value, whichever server wrote it. */

/** `-012.50e1` → `-125`. Not of numbers: as it is. */
export function exactNumber(text: string): string {
  const match = /^([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/.exec(text);
  if (!match || text === '') return text;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const shift = Number(exponent);
  let digits = whole + fraction;
  let point = whole.length + shift;
  if (point < 0) [digits, point] = ['0'.repeat(-point) + digits, 0];
  if (point > digits.length) digits = digits.padEnd(point, '0');
  const before = digits.slice(0, point).replace(/^0+/, '') || '0';
  const after = digits.slice(point).replace(/0+$/, '');
  const value = after === '' ? before : `${before}.${after}`;
  return value === '0' ? '0' : `${sign === '-' ? '-' : ''}${value}`;
}

/** `2026-03-29` → `2026-03-29 00:00:00`, and no zeros at the end of a fraction. */
export const exactTime = (text: string): string =>
  text
    .replace(/^(\d+-\d\d-\d\d)( BC)?$/, '$1 00:00:00$2')
    .replace(/(\.\d*?)0+(?=$| BC)/, '$1')
    .replace(/\.(?=$| BC)/, '');

/** Members in order of their names, numbers to their last digit. */
export function exactJson(text: string): string {
  const numbers = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g, (token) =>
    token.startsWith('"') ? token : `"#${exactNumber(token)}"`,
  );
  return JSON.stringify(sorted(JSON.parse(numbers)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}
