import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from 'hyparquet';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/** Where npm put the data sets of the Vega project: 3,000,000 real flights and 3,376 airports. */
const DATA = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');

export const AIRPORTS_CSV = join(DATA, 'airports.csv');

/** The columns of one row group, each an array over the same rows. */
interface FlightColumns {
  /** Microseconds since 1970. */
  date: ArrayLike<number>;
  delay: ArrayLike<bigint>;
  distance: ArrayLike<bigint>;
  origin: ArrayLike<string>;
  destination: ArrayLike<string>;
}

/** The columns that `flightCopyData` holds, in its order. */
export const FLIGHT_COLUMNS = 'date, delay, distance, origin, destination';

/** A piece of a COPY stream, and how many flights it holds. */
export interface FlightPiece {
  bytes: Buffer;
  rows: number;
}

/** Rows a piece: 50,000 are about 2 MB, and the next one is made while the server takes this one. */
const PIECE_ROWS = 50_000;
/** PostgreSQL counts microseconds from 2000-01-01. */
const POSTGRES_EPOCH = Date.UTC(2000, 0, 1) * 1000;
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const END = Buffer.from([0xff, 0xff]);

/**
 * The first `limit` flights, in order of time, as the pieces of a binary COPY of `FLIGHT_COLUMNS`: one row group (272,727
 * rows) of the Parquet file is in memory at a time. Binary, because the server then has no text to parse.
 */
export async function* flightCopyData(limit = Infinity): AsyncGenerator<FlightPiece> {
  const file = await asyncBufferFromFile(join(DATA, 'flights-3m.parquet'));
  const metadata = await parquetMetadataAsync(file);
  yield { bytes: SIGNATURE, rows: 0 };
  let first = 0;
  for (const group of metadata.row_groups) {
    if (first >= limit) break;
    const rows = Number(group.num_rows);
    const columns = await readColumns(file, metadata, first, first + rows);
    const wanted = Math.min(rows, limit - first);
    for (let from = 0; from < wanted; from += PIECE_ROWS) {
      const to = Math.min(from + PIECE_ROWS, wanted);
      yield { bytes: encode(columns, from, to), rows: to - from };
    }
    first += rows;
  }
  yield { bytes: END, rows: 0 };
}

async function readColumns(
  file: AsyncBuffer,
  metadata: FileMetaData,
  rowStart: number,
  rowEnd: number,
): Promise<FlightColumns> {
  const columns: Record<string, ArrayLike<unknown>> = {};
  await parquetRead({
    ...{ file, metadata, compressors, rowStart, rowEnd },
    parsers: { timestampFromMicroseconds: Number },
    onChunk: ({ columnName, columnData }) => {
      columns[columnName] = columnData;
    },
  });
  return columns as unknown as FlightColumns;
}

/** One row: the number of fields, then each field as its length and its bytes, big-endian. Airports have three letters. */
const ROW_BYTES = 2 + (4 + 8) + (4 + 4) + (4 + 4) + (4 + 3) + (4 + 3);

function encode(columns: FlightColumns, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe((to - from) * ROW_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let row = from; row < to; row += 1) {
    const micros = columns.date[row]! - POSTGRES_EPOCH;
    view.setInt16(at, 5);
    view.setInt32(at + 2, 8);
    view.setInt32(at + 6, Math.floor(micros / 2 ** 32));
    view.setUint32(at + 10, micros % 2 ** 32);
    view.setInt32(at + 14, 4);
    view.setInt32(at + 18, Number(columns.delay[row]));
    view.setInt32(at + 22, 4);
    view.setInt32(at + 26, Number(columns.distance[row]));
    view.setInt32(at + 30, 3);
    bytes.write(columns.origin[row]!, at + 34, 'latin1');
    view.setInt32(at + 37, 3);
    bytes.write(columns.destination[row]!, at + 41, 'latin1');
    at += ROW_BYTES;
  }
  return bytes;
}
