import type { Queryable, Statement } from '#plugin-api';
import type { Recipient } from '../facts.ts';
import { unknownPerson, type ChosenModes, type Person } from '../person.ts';

interface PersonRow {
  readonly role: Person['role'];
  readonly personId: string;
  readonly email: string | null;
  readonly phone: string | null;
  readonly pushToken: string | null;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly quietStart: string | null;
  readonly quietEnd: string | null;
  readonly urgentPasses: boolean;
  readonly channels: ChosenModes;
  readonly version: number;
}

function toPerson({ quietStart, quietEnd, ...row }: PersonRow): Person {
  return {
    ...row,
    quietHours: quietStart === null || quietEnd === null ? null : { start: quietStart, end: quietEnd },
  };
}

const findPersonStatement: Statement = {
  name: 'find_person',
  text: `select role, person_id as "personId", email, phone, push_token as "pushToken", locale, time_zone as "timeZone",
      quiet_start as "quietStart", quiet_end as "quietEnd", urgent_passes as "urgentPasses", channels, version
    from people where role = $1 and person_id = $2`,
};

/** Whoever has said nothing yet has no address and no wishes. */
export async function findPerson(db: Queryable, { role, id }: Recipient): Promise<Person> {
  const { rows } = await db.query<PersonRow>(findPersonStatement, [role, id]);
  return rows[0] === undefined ? unknownPerson(role, id) : toPerson(rows[0]);
}

const savePersonStatement: Statement = {
  name: 'save_person',
  text: `insert into people as known
      (role, person_id, email, phone, push_token, locale, time_zone, quiet_start, quiet_end, urgent_passes, channels)
    select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
    where $12::integer is null or $12 = 0 or exists (select 1 from people where role = $1 and person_id = $2)
    on conflict (role, person_id) do update
      set email = excluded.email, phone = excluded.phone, push_token = excluded.push_token, locale = excluded.locale,
        time_zone = excluded.time_zone, quiet_start = excluded.quiet_start, quiet_end = excluded.quiet_end,
        urgent_passes = excluded.urgent_passes, channels = excluded.channels, version = known.version + 1,
        updated_at = now()
      where $12::integer is null or known.version = $12
    returning version`,
};

/**
 * The new version; undefined when `expectedVersion` is given and is not the one that is there (0: there is none). Two who
 * write at the same time are told apart by the row.
 */
export async function savePerson(
  db: Queryable,
  person: Omit<Person, 'version'>,
  expectedVersion: number | null,
): Promise<number | undefined> {
  const { rows } = await db.query<{ version: number }>(savePersonStatement, [
    person.role,
    person.personId,
    person.email,
    person.phone,
    person.pushToken,
    person.locale,
    person.timeZone,
    person.quietHours?.start ?? null,
    person.quietHours?.end ?? null,
    person.urgentPasses,
    JSON.stringify(person.channels),
    expectedVersion,
  ]);
  return rows[0]?.version;
}
