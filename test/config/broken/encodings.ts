import { BASE_PROJECT, type BrokenProject } from '../project-folder.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const settings = String(BASE_PROJECT['waybill.yaml']);
const load = String(BASE_PROJECT['loads/core/flight.yaml']);

/** Node puts U+FFFD for what is not UTF-8 and says nothing: a load would write that into its tables. */
export const encodings: BrokenProject[] = [
  {
    title: 'SQL in Latin-1',
    files: {
      'loads/core/flights.sql': latin1("insert into core.flight\nselect f.id, 'Zürich' from {{ acq.flight }} f\n"),
    },
    expected: ['loads/core/flights.sql:2:16: this file is not UTF-8: byte FC is not valid here'],
  },
  {
    title: 'a load in Latin-1, and SQL of another that is cut off within a character, behind some and a mark',
    files: {
      'loads/core/flight.yaml': latin1(load.replace('core\n', 'core # Gewähr\n')),
      'loads/core/other.yaml': load.replace('flights.sql', 'other.sql').replace('core.flight]', 'core.other]'),
      'loads/core/other.sql': Buffer.concat([Buffer.from('\ufeffselect 1 -- �é'), Buffer.from([0xef, 0xbf])]),
    },
    expected: [
      'loads/core/flight.yaml:1:17: this file is not UTF-8: byte E4 is not valid here',
      'loads/core/other.sql:1:15: this file is not UTF-8: byte EF is not valid here',
    ],
  },
  {
    title: 'settings in UTF-16, as a shell of Windows writes them',
    files: { 'waybill.yaml': Buffer.from(`\ufeff${settings}`, 'utf16le') },
    expected: ['waybill.yaml:1:1: this file is written in UTF-16'],
  },
  {
    title: 'settings in UTF-16 without a mark',
    files: { 'waybill.yaml': Buffer.from(settings, 'utf16le') },
    expected: ['waybill.yaml:1:2: this file holds a NUL character'],
  },
];
