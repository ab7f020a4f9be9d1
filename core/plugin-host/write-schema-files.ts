/** `node core/plugin-host/write-schema-files.ts`: writes the schema files anew after a change of the schemas. */
import { writeFile } from 'node:fs/promises';
import { schemaFiles, schemaText } from './schema-files.ts';

for (const { path, schema } of schemaFiles) await writeFile(path, schemaText(schema));
