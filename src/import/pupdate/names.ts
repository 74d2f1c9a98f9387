/** Names as files and YAML may have them: small letters, digits and `_`, each once. */
export class Names {
  private readonly taken = new Set<string>();

  /**
   * `change` hears of a name that another had before (`taken`), and of one of which more has gone than case, blanks and the like: that one is
   * hard to find again.
   */
  give(text: string, otherwise: string, change?: (name: string, taken: boolean) => void): string {
    const plain = text
      .normalize('NFKD')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, 60);
    const base = plain === '' ? otherwise : /^\d/.test(plain) ? `${otherwise}_${plain}` : plain;
    let name = base;
    for (let n = 2; this.taken.has(name); n += 1) name = `${base}_${n}`;
    const expected = text
      .trim()
      .toLowerCase()
      .replace(/[\s._-]+/g, '_');
    if (name !== base || base !== expected) change?.(name, name !== base);
    this.taken.add(name);
    return name;
  }
}
