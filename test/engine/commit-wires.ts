/** What a proxy between a worker and a server has to know of the two protocols: where transactions begin and end. */

/** One connection's share of it. Text is latin-1: what is looked for is ASCII. */
export interface Wire {
  /** What the client says in these bytes, message by message. */
  read(bytes: Buffer): Said[];
  /** To be told of all that the server says. True: a COMMIT is answered in it, or whatever PostgreSQL answers so. */
  answered(bytes: Buffer, answer: string): boolean;
}

export interface Said {
  /** Statement and bound values, as they were sent. */
  text: string;
  /** A transaction begins with it; what was said before belongs to another one. */
  begins: boolean;
  commits: boolean;
  /** What follows a COMMIT in the same message: the next transaction begins with it. */
  next?: string | undefined;
}

/** Frontend messages that carry a statement: Query and Parse. */
const STATEMENTS = new Set(['Q', 'P']);

export class PostgresWire implements Wire {
  /** The first message of a connection has no type. */
  private readonly messages = new Messages((bytes, first) => {
    const type = first ? 0 : 1;
    return bytes.length < type + 4 ? undefined : type + bytes.readUInt32BE(type);
  });

  read(bytes: Buffer): Said[] {
    return this.messages.read(bytes).map((message) => {
      const text = message.toString('latin1');
      if (!STATEMENTS.has(text[0] ?? '')) return { text, begins: false, commits: false };
      const next = text.lastIndexOf('; begin ');
      return {
        text,
        begins: /^(Q....|P....[^\0]*\0)\s*begin\b/is.test(text),
        commits: /(^Q....|; )commit(; |\0)/is.test(text),
        next: next > 0 ? text.slice(next) : undefined,
      };
    });
  }

  /** Answers to what came before it in the same breath are not yet that to COMMIT. */
  answered(bytes: Buffer, answer: string): boolean {
    return bytes.includes(`${answer}\0`);
  }
}

const QUERY = 0x03;
const PREPARE = 0x16;
const EXECUTE = 0x17;

export class MysqlWire implements Wire {
  private readonly messages = new Messages((bytes) => (bytes.length < 4 ? undefined : 4 + bytes.readUIntLE(0, 3)));
  /** By the server's number. */
  private readonly prepared = new Map<number, string>();
  private preparing: string | undefined;

  read(bytes: Buffer): Said[] {
    return this.messages.read(bytes).flatMap((message) => {
      // A command begins anew to count; what follows a question of the server does not (who it is, rows of a file).
      if (message[3] !== 0) return [];
      const text = message.toString('latin1', 5);
      if (message[4] === PREPARE) this.preparing = text;
      if (message[4] === EXECUTE) return [said(`${this.prepared.get(message.readUInt32LE(5)) ?? ''}\n${text}`)];
      return message[4] === QUERY ? [said(text)] : [];
    });
  }

  /** A client says one thing at a time: after COMMIT this is the answer to it. */
  answered(bytes: Buffer): boolean {
    if (this.preparing !== undefined && bytes.length > 8 && bytes[4] === 0) {
      this.prepared.set(bytes.readUInt32LE(5), this.preparing);
    }
    this.preparing = undefined;
    return true;
  }
}

/** How many attributes a query has, and in how many sets: they stand before its text. */
const NO_ATTRIBUTES = '\0\x01';

function said(text: string): Said {
  const statement = text.startsWith(NO_ATTRIBUTES) ? text.slice(NO_ATTRIBUTES.length) : text;
  return {
    text: `${statement}\n`,
    begins: /^start transaction/i.test(statement),
    commits: /^commit/i.test(statement),
  };
}

/** Cuts what comes into messages. */
class Messages {
  private rest = Buffer.alloc(0);
  private first = true;

  /** `lengthOf`: of the message that begins here, undefined if too little of it is there to say. */
  constructor(private readonly lengthOf: (bytes: Buffer, first: boolean) => number | undefined) {}

  read(bytes: Buffer): Buffer[] {
    this.rest = Buffer.concat([this.rest, bytes]);
    const messages: Buffer[] = [];
    for (;;) {
      const length = this.lengthOf(this.rest, this.first);
      if (length === undefined || this.rest.length < length) return messages;
      messages.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
      this.first = false;
    }
  }
}
