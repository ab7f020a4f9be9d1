import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { roles } from './audience.ts';
import { refuse } from './errors.ts';
import { toRecipient, type Recipient } from './facts.ts';
import { NewPreferences, parsePreferences, Preferences, toPreferences } from './preferences.ts';
import { findPerson, savePerson } from './store/people.ts';

const PersonParams = Type.Object(
  {
    role: Type.Enum([...roles]),
    personId: Type.String({ minLength: 1, maxLength: 128 }),
  },
  { additionalProperties: false },
);

/** Everybody's own, and for ops everybody's. */
export function registerPreferenceRoutes(ctx: PluginContext): void {
  const { show, change } = createHandlers(ctx);
  const own = { roles, response: { 200: Preferences } } as const;
  const others = { roles: ['ops'], params: PersonParams, response: { 200: Preferences } } as const;

  ctx.http.get('/notifications/preferences', { ...own, summary: 'How the caller is reached' }, ({ principal }) =>
    show(toRecipient(principal)),
  );
  ctx.http.put(
    '/notifications/preferences',
    { ...own, summary: 'Say how the caller is reached', body: NewPreferences, ifMatch: true },
    ({ principal, body, headers }) => change(toRecipient(principal), body, headers['if-match']),
  );
  ctx.http.get(
    '/notifications/preferences/{role}/{personId}',
    { ...others, summary: 'How somebody is reached' },
    ({ params }) => show({ role: params.role, id: params.personId }),
  );
  ctx.http.put(
    '/notifications/preferences/{role}/{personId}',
    { ...others, summary: 'Say how somebody is reached', body: NewPreferences, ifMatch: true },
    ({ params, body, headers }) => change({ role: params.role, id: params.personId }, body, headers['if-match']),
  );
}

type Body = Parameters<typeof parsePreferences>[0];

function createHandlers(ctx: Pick<PluginContext, 'db'>) {
  async function show(recipient: Recipient): Promise<HttpReply> {
    const person = await findPerson(ctx.db, recipient);
    return { status: 200, body: toPreferences(person), headers: { etag: `"${person.version}"` } };
  }

  async function change(recipient: Recipient, body: Body, ifMatch: string | undefined): Promise<HttpReply> {
    const parsed = parsePreferences(body);
    if ('problem' in parsed) return refuse('PREFERENCES_INVALID', parsed.problem);
    const expected = readIfMatch(ifMatch);
    const { role, id: personId } = recipient;
    const version =
      expected === undefined
        ? undefined
        : await savePerson(ctx.db, { ...parsed.preferences, role, personId }, expected);
    if (version === undefined) {
      return refuse('PREFERENCES_CHANGED', "'If-Match' must be the 'ETag' that they have now: read them again");
    }
    const person = { ...parsed.preferences, role, personId, version };
    return { status: 200, body: toPreferences(person), headers: { etag: `"${version}"` } };
  }

  return { show, change };
}

/** Null: whatever is there. Undefined: nothing that this plugin has ever said. */
function readIfMatch(header: string | undefined): number | null | undefined {
  if (header === undefined || header === '*') return null;
  const match = /^(?:W\/)?"(\d{1,9})"$/.exec(header);
  return match === null ? undefined : Number(match[1]);
}
