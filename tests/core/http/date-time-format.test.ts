import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import formats from 'ajv-formats/dist/formats.js';
import { fastDateTime } from '#core/http/date-time-format.ts';
import type { FormatDefinition } from 'ajv';

const full = formats.fullFormats['date-time'] as FormatDefinition<string>;
const isFull = full.validate as (text: string) => boolean;
const isFast = fastDateTime(full).validate as (text: string) => boolean;

function assertSame(text: string): void {
  assert.equal(isFast(text), isFull(text), JSON.stringify(text));
}

describe('fastDateTime()', () => {
  it('knows the same days', () => {
    for (const year of ['2023', '2024'])
      for (let month = 0; month <= 13; month += 1)
        for (let day = 0; day <= 32; day += 1) assertSame(`${year}-${twoDigits(month)}-${twoDigits(day)}T09:30:00Z`);
  });

  it('knows the same times', () => {
    for (const time of ['00:00:00', '23:59:59', '23:59:60', '24:00:00', '12:60:00', '12:00:61', '1:00:00'])
      for (const end of ['', 'Z', 'z', '.5Z', '.123456789Z', '.1234567890Z', '.Z', '+02:00', '-24:00', 'Z\n', 'Z '])
        assertSame(`2026-01-31T${time}${end}`);
    for (const text of ['', 'soon', '2026-01-31', '2026-01-31 09:30:00Z', '2026-01-31t09:30:00Z']) assertSame(text);
  });
});

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
