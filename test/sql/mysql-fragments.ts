import fc from 'fast-check';
import { double, escape, noise, parameter, plain, readsT, withoutBlockMarks, type Fragments } from './fragments.ts';

const backslashes = (text: string) => text.replaceAll('\\', '\\\\');

/** SQL that MySQL and MariaDB read alike. */
export const mysqlFragments: Fragments = {
  literal: fc.oneof(
    noise.map((text) => plain(`'${double(backslashes(text), "'")}'`, text)),
    noise.map((text) => plain(`"${double(backslashes(text), '"')}"`, text)),
    noise.map((text) => plain(`'${escape(text)}'`, text)),
    noise.map((text) => plain(`N'${escape(text)}'`, text)),
    noise.map((text) => plain(`_utf8mb4'${escape(text)}'`, text)),
    fc
      .tuple(noise, noise)
      .map(([a, b]) => plain(`'${escape(a)}' -- it's :x\n "${double(backslashes(b), '"')}"`, a + b)),
  ),
  gap: fc.oneof(
    fc
      .constantFrom(' ', '\n', '\t', '\r\n', '/**/', '/*!*/', '/*!40101 */', '/*! /* :x */ */')
      .map((text) => plain(text)),
    noise.map((text) => plain(` -- ${text.replaceAll('\n', ' ')}\n`)),
    noise.map((text) => plain(` #${text.replaceAll('\n', ' ')}\n`)),
    noise.map((text) => plain(`/* ${withoutBlockMarks(text)}*/`)),
    noise.map((text) => plain(`/* /* ${withoutBlockMarks(text)}*/`)),
    noise.map((text) => plain(`/*!50032 /* ${withoutBlockMarks(text)}*/ */`)),
  ),
  code: fc.oneof(
    fc
      .constantFrom(
        "a->>'$.b'",
        '@n := 1',
        '@@session.sql_mode',
        '1e-5',
        'a.1e5',
        'a$b$',
        'a : b',
        '1--1',
        "x'1F'",
        '0b1',
      )
      .map((text) => plain(text)),
    noise.map((text) => plain(`\`${double(text, '`')}x\``)),
  ),
  parameter,
  brace: fc.constantFrom('{{t}}', '{{ t | all }}', '{{\n`t` }}').map(readsT),
};
