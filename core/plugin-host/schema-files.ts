import { fileURLToPath } from 'node:url';
import type { TSchema } from 'typebox';
import { GrantsSchema } from './permissions/grants.ts';
import { ManifestSchema } from './manifest/manifest-schema.ts';

/** The JSON Schema files that editors complete plugin.json and grants.json with: generated, and compared in a test. */
export const schemaFiles: readonly { readonly path: string; readonly schema: TSchema }[] = [
  { path: fileURLToPath(new URL('plugin.schema.json', import.meta.url)), schema: ManifestSchema },
  { path: fileURLToPath(new URL('grants.schema.json', import.meta.url)), schema: GrantsSchema },
];

export function schemaText(schema: TSchema): string {
  return `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...schema }, null, 2)}\n`;
}
