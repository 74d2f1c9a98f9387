const BACKSLASH = 0x5c;
const FORM_FEED = Buffer.from('\\f');
const VERTICAL_TAB = Buffer.from('\\v');

/**
 * COPY writes `\f` and `\v` for two characters that need no escape and that LOAD DATA knows none for: it would read the
 * letters. They become the characters themselves, which every server reads.
 */
export class CommonEscapes {
  /** A backslash at the end of the last piece, whose meaning the next one tells. */
  private cut = false;

  /** Takes a piece of the rows, cut anywhere, and may change it in place. */
  take(piece: Buffer): Buffer {
    const rows = this.cut ? Buffer.concat([Buffer.of(BACKSLASH), piece]) : piece;
    this.cut = endsInEscape(rows);
    const whole = this.cut ? rows.subarray(0, -1) : rows;
    return whole.includes(FORM_FEED) || whole.includes(VERTICAL_TAB) ? rewritten(whole) : whole;
  }
}

function endsInEscape(rows: Buffer): boolean {
  let at = rows.length;
  while (at > 0 && rows[at - 1] === BACKSLASH) at -= 1;
  return (rows.length - at) % 2 === 1;
}

/** `rows` begins and ends between two escapes. */
function rewritten(rows: Buffer): Buffer {
  let to = 0;
  for (let at = 0; at < rows.length; at++) {
    const byte = rows[at]!;
    if (byte !== BACKSLASH) {
      rows[to++] = byte;
      continue;
    }
    const escape = rows[++at]!;
    if (escape === 0x66) rows[to++] = 0x0c;
    else if (escape === 0x76) rows[to++] = 0x0b;
    else {
      rows[to++] = BACKSLASH;
      rows[to++] = escape;
    }
  }
  return rows.subarray(0, to);
}
