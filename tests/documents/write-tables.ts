/** `node bin/run.mjs tests/documents/write-tables.ts`: writes the README's long tables anew, after a change of the code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readmePath, tableMarker } from './readme.ts';
import { tables } from './tables.ts';

const text = readFileSync(readmePath, 'utf8');
const written = text.replace(tableMarker, (whole, name: string) => {
  const table = tables[name];
  if (table === undefined) return whole;
  return `<!-- table: ${name} -->\n\n${table().join('\n')}\n\n<!-- end -->`;
});
writeFileSync(readmePath, written);
