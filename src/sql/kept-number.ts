/** Whether this is the number that the text says: a double keeps some 16 digits, and leaves out what is beyond. What is not written in digits is. */
export function isKept(text: string, value: number): boolean {
  const said = canonical(text);
  return said === undefined || said === canonical(String(value));
}

/** One text for all texts of a number: sign, digits without zeros around them, and where the point is. Undefined: it is not written in digits. */
function canonical(number: string): string | undefined {
  const [, sign, whole, decimals = '', exponent = '0'] =
    /^\s*([-+]?)(\d*)(?:\.(\d*))?(?:e([-+]?\d+))?\s*$/i.exec(number) ?? [];
  if (whole === undefined || `${whole}${decimals}` === '') return undefined;
  const digits = `${whole}${decimals}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const point = digits.length - significant.length - decimals.length + Number(exponent);
  return `${sign === '-' ? '-' : ''}${significant}e${point}`;
}
