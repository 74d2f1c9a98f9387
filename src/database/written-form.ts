/** How a text is written that a column takes, where its server would quietly make another value of another text. */
export interface WrittenForm {
  /** In words, for people who write files. */
  says: string;
  fits(text: string): boolean;
}

/** A decimal that loses nothing at so many digits behind its point. What is no number at all, the server refuses itself. */
export const decimalForm = (scale: number): WrittenForm => ({
  says:
    scale > 0
      ? `a number with ${scale} decimal${scale === 1 ? '' : 's'} at the most`
      : `a multiple of 1${'0'.repeat(-scale)}`,
  fits: (text) => (decimalsOf(text) ?? scale) <= scale,
});

/** How many digits behind the point a number has that are not 0 at its end: zero, however it is written, has none. Undefined: no number in digits. */
function decimalsOf(text: string): number | undefined {
  const [, whole, decimals = '', exponent = '0'] = /^\s*[-+]?(\d*)(?:\.(\d*))?(?:e([-+]?\d+))?\s*$/i.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const digits = `${whole}${decimals}`.replace(/0+$/, '');
  if (digits === '' && `${whole}${decimals}` !== '') return -Infinity;
  return digits.length - whole.length - Number(exponent);
}
