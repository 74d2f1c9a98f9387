import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Files of a project by path; `null` takes a file of the base project away. */
export type ProjectFiles = Record<string, string | null>;
/** Files that may not be texts. */
export type WrittenFiles = Record<string, string | Buffer | null>;

/** A project that must be refused: what differs from `BASE_PROJECT`, and all that is said of it. */
export interface BrokenProject {
  title: string;
  files: WrittenFiles;
  /** `file:line:column: message`, in order. */
  expected: string[];
}

/** A small project that is right. */
export const BASE_PROJECT: ProjectFiles = {
  'waybill.yaml': `name: flights
connections:
  source:
    url: \${SOURCE_URL}
  warehouse:
    url: \${WAREHOUSE_URL}
sessions:
  nightly: { loads: [acquisition.*, core.*] }
`,
  'loads/acquisition/flight.yaml': `kind: acquisition
connection: warehouse
from: { connection: source, table: public.flight, cursor: id }
to: { table: acq.flight }
`,
  'loads/core/flight.yaml': `kind: core
connection: warehouse
inputs: [acq.flight]
stages:
  - { name: flights, sql: flights.sql, chunk: { input: acq.flight } }
outputs: [core.flight]
`,
  'loads/core/flights.sql': `insert into core.flight (id, batch_id)
select f.id, :batch_id
from {{ acq.flight }} f
`,
};

/** The password of every URL below: it must appear in no message. */
export const PASSWORD = 'hush';

export const ENVIRONMENT = {
  SOURCE_URL: `postgres://me:${PASSWORD}@localhost/source`,
  WAREHOUSE_URL: `postgres://me:${PASSWORD}@localhost/warehouse`,
  BROKEN_URL: 'postgres://me:hu#sh@localhost/source',
  EMPTY: '',
};

/** Writes a project into a new folder, hands it over, and removes it again. */
export async function withProject<T>(files: WrittenFiles, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'waybill-config-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      if (text === null) continue;
      await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
      await writeFile(path.join(directory, file), text);
    }
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
