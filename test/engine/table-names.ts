import { isMap, parseDocument } from 'yaml';

/**
 * Where a test's tables really are. On PostgreSQL every test has a database of its own, and `acq.orders` is just that. On
 * MySQL and MariaDB a schema is a database of the whole server: there a test's schemas get a prefix of their own, which is
 * put into everything that the test says and taken out of everything that it is told.
 */
export interface TableNames {
  /** What stands before each schema; '': nothing. */
  readonly prefix: string;
  /** SQL, or a file of the project, with the names that the server knows. */
  into(text: string): string;
  /** waybill.yaml, so that control tables are the test's own. */
  intoProject(yaml: string): string;
  /** A file of the project: a load is called after it. */
  learnFile(path: string): void;
  /** An answer with the names that the test knows. */
  outOf<T>(answer: T): T;
}

export const AS_THEY_ARE: TableNames = {
  prefix: '',
  into: (text) => text,
  intoProject: (yaml) => yaml,
  learnFile: () => undefined,
  outOf: (answer) => answer,
};

const PREFIX = /\bt[0-9a-f]{8}_(?=[a-z])/g;

export class PrefixedNames implements TableNames {
  private readonly schemas = new Set(['waybill']);
  private readonly tables = new Set<string>();
  private readonly loads = new Set<string>();

  /** @param prefix `t`, eight hexadecimal digits, `_` */
  constructor(readonly prefix: string) {}

  into(text: string): string {
    for (const [, schema] of text.matchAll(/\bcreate (?:schema|database) (?:if not exists )?(\w+)/gi))
      this.schemas.add(schema!);
    for (const [, table] of text.matchAll(
      /\bcreate (?:table|view|function|procedure|trigger|sequence) (?:if not exists )?(\w+\.\w+)/gi,
    )) {
      this.tables.add(table!.toLowerCase());
    }
    for (const [, schema, table] of text.matchAll(/\balter table (\w+)\.\w+ rename to (\w+)/gi)) {
      this.tables.add(`${schema}.${table}`);
    }
    return text
      .replace(/\b((?:create|drop) (?:schema|database) (?:if (?:not )?exists )?)(\w+)/gi, `$1${this.prefix}$2`)
      .replace(/(?<![\w.'])public\.(?=\w)/g, '') // what has no schema is in the database of its connection
      .replace(/(?<![\w./'-]|renamed_from: )(\w+)\.(\w+)/g, (whole, schema: string, table: string) =>
        this.knows(schema, table) ? `${this.prefix}${whole}` : whole,
      );
  }

  learnFile(path: string): void {
    const load = /^loads\/(.+)\.ya?ml$/.exec(path)?.[1];
    if (load !== undefined) this.loads.add(load.replaceAll('/', '.'));
  }

  intoProject(yaml: string): string {
    const document = parseDocument(yaml);
    const connections = document.get('connections');
    if (!isMap(connections)) return yaml; // a broken project, as some tests have
    for (const { value } of connections.items) {
      if (isMap(value) && !value.has('control_schema')) value.set('control_schema', `${this.prefix}waybill`);
    }
    return document.toString();
  }

  outOf<T>(answer: T): T {
    if (typeof answer === 'string') return answer.replace(PREFIX, '') as T;
    if (Array.isArray(answer)) return answer.map((one: unknown) => this.outOf(one)) as T;
    if (answer === null || typeof answer !== 'object' || answer.constructor !== Object) return answer;
    return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, this.outOf(value as unknown)])) as T;
  }

  /** Loads have names like those of tables (`core.order`): such a name is a table's only if a statement made one. */
  private knows(schema: string, table: string): boolean {
    if (schema === 'waybill') return table !== 'yaml';
    if (!this.schemas.has(schema)) return false;
    const name = `${schema}.${table.replace(/_(processing|next)$/, '')}`.toLowerCase();
    return this.tables.has(name) || !this.loads.has(name);
  }
}
