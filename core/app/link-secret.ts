import { randomBytes } from 'node:crypto';
import type { Database } from '#core/database/database.ts';

/** The secret that signs share links: of the database, since a link that one node issued is shown to another. */
export async function loadLinkSecret({ admin }: Pick<Database, 'admin'>): Promise<Uint8Array> {
  // Of nodes that start at once one writes it; all read the same.
  await admin.query({
    name: 'create_link_secret',
    text: 'insert into returnit.live_link_secret (secret) values ($1) on conflict do nothing',
    values: [randomBytes(32)],
  });
  const { rows } = await admin.query<{ secret: Buffer }>({
    name: 'find_link_secret',
    text: 'select secret from returnit.live_link_secret',
  });
  const [row] = rows;
  if (row === undefined) throw new TypeError('The secret of share links was removed while it was read');
  return row.secret;
}
