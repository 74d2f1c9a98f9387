import { CsvError } from './csv-format.ts';

export const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const NOTHING = Buffer.alloc(0);

/** Passes over the byte order mark of UTF-8 with which a file may begin, wherever it is cut into pieces. */
export class ByteOrderMark {
  private held: Buffer = NOTHING;
  private over = false;

  /** What of this piece (and of those before it, while they might have been a mark) is text. Throws `CsvError`. */
  textOf(piece: Buffer): Buffer {
    if (this.over) return piece;
    const all = this.held.length === 0 ? piece : Buffer.concat([this.held, piece]);
    this.held = NOTHING;
    if (all.length < BYTE_ORDER_MARK.length && BYTE_ORDER_MARK.subarray(0, all.length).equals(all)) {
      this.held = all;
      return NOTHING;
    }
    this.over = true;
    if (all[0] === 0xfe || all[0] === 0xff)
      throw new CsvError(1, 'it begins as a text in UTF-16 does, and only UTF-8 is read');
    return all.subarray(BYTE_ORDER_MARK.equals(all.subarray(0, BYTE_ORDER_MARK.length)) ? BYTE_ORDER_MARK.length : 0);
  }

  /** Of a file that ends within what might have been a mark. */
  rest(): Buffer {
    this.over = true;
    return this.held;
  }
}
