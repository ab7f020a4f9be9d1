import type { Queryable, Statement } from '#plugin-api';
import type { DeadLetter } from '../dead-letter.ts';

const insertStatement: Statement = {
  name: 'insert_dead_letters',
  text: `with stored as (
      insert into dead_letters as d
        (digest, copies, received_at, last_received_at, topic, username, payload, payload_bytes, reason, detail)
      select digest, copies, received_at, last_received_at, topic, username, decode(payload, 'base64'), payload_bytes,
        reason, detail
      from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
          $8::int[], $9::text[], $10::text[])
        as l (digest, copies, received_at, last_received_at, topic, username, payload, payload_bytes, reason, detail)
      order by digest
      on conflict (digest) do update
        set copies = least(d.copies::bigint + excluded.copies, 2147483647)::int,
          last_received_at = greatest(d.last_received_at, excluded.last_received_at),
          reason = excluded.reason, detail = excluded.detail
      returning xmax = 0 as is_new
    )
    select count(*) filter (where is_new)::int as kept from stored`,
};

/** How many of them were not known before. */
export async function insertDeadLetters(db: Queryable, letters: readonly DeadLetter[]): Promise<number> {
  const { rows } = await db.query<{ kept: number }>(insertStatement, [
    letters.map((letter) => letter.digest),
    letters.map((letter) => letter.copies),
    letters.map((letter) => letter.receivedAt),
    letters.map((letter) => letter.lastReceivedAt),
    letters.map((letter) => letter.topic),
    letters.map((letter) => letter.username),
    letters.map((letter) => letter.payload),
    letters.map((letter) => letter.payloadBytes),
    letters.map((letter) => letter.reason),
    letters.map((letter) => letter.detail),
  ]);
  return rows[0]?.kept ?? 0;
}

export interface DeadLetterBounds {
  readonly lettersMax: number;
  readonly bytesMax: number;
}

export interface Trimmed {
  readonly dropped: number;
  readonly letters: number;
  readonly bytes: number;
}

/*
 * Counted from the newest: everything from the first row on that is over a bound goes. Rows that another node is about
 * to drop, or a replay to change, are left to it: nobody waits here.
 */
const trimStatement: Statement = {
  name: 'trim_dead_letters',
  text: `with ranked as (
      select id, row_number() over newest_first as place, sum(stored_bytes) over newest_first as total
      from dead_letters window newest_first as (order by id desc)
    ), excess as (
      select id from dead_letters
      where id <= (select max(id) from ranked where place > $1 or total > $2)
      order by id for update skip locked
    ), dropped as (
      delete from dead_letters where id in (select id from excess) returning stored_bytes
    )
    select (select count(*)::int from dropped) as dropped,
      (select count(*) from ranked)::int - (select count(*) from dropped)::int as letters,
      coalesce((select max(total) from ranked), 0)::float8
        - coalesce((select sum(stored_bytes) from dropped), 0)::float8 as bytes`,
};

/** Drops the oldest above the bounds, and says what is left. */
export async function trimDeadLetters(db: Queryable, bounds: DeadLetterBounds): Promise<Trimmed> {
  const { rows } = await db.query<Trimmed>(trimStatement, [bounds.lettersMax, bounds.bytesMax]);
  return rows[0] ?? { dropped: 0, letters: 0, bytes: 0 };
}

export interface DeadLetterRow {
  readonly id: string;
  readonly receivedAt: string;
  readonly lastReceivedAt: string;
  readonly copies: number;
  readonly topic: string;
  readonly username: string | null;
  readonly reason: string;
  readonly detail: string;
  readonly payloadBytes: number;
  readonly replays: number;
  readonly replayedAt: string | null;
}

const columns = `id, received_at as "receivedAt", last_received_at as "lastReceivedAt", copies, topic, username, reason,
  detail, payload_bytes as "payloadBytes", replays, replayed_at as "replayedAt"`;

export interface DeadLetterFilter {
  readonly reason: string | null;
  /** Ids below this one. */
  readonly before: string | null;
  readonly limit: number;
}

const listStatement: Statement = {
  name: 'list_dead_letters',
  text: `select ${columns} from dead_letters
    where ($1::text is null or reason = $1) and ($2::bigint is null or id < $2)
    order by id desc limit $3`,
};

/** Newest first. */
export async function listDeadLetters(db: Queryable, filter: DeadLetterFilter): Promise<readonly DeadLetterRow[]> {
  const { rows } = await db.query<DeadLetterRow>(listStatement, [filter.reason, filter.before, filter.limit]);
  return rows;
}

const findStatement: Statement = {
  name: 'find_dead_letter',
  text: `select ${columns}, payload from dead_letters where id = $1`,
};

/** With the payload, in base64. Undefined when there is none. */
export async function findDeadLetter(
  db: Queryable,
  id: string,
): Promise<(DeadLetterRow & { readonly payload: string }) | undefined> {
  const { rows } = await db.query<DeadLetterRow & { readonly payload: string }>(findStatement, [id]);
  return rows[0];
}

const deleteStatement: Statement = { name: 'delete_dead_letter', text: 'delete from dead_letters where id = $1' };

/** False when there is none. */
export async function deleteDeadLetter(db: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await db.query(deleteStatement, [id]);
  return rowCount === 1;
}

const noteReplayStatement: Statement = {
  name: 'note_dead_letter_replay',
  text: `update dead_letters set replays = replays + 1, replayed_at = now(), reason = $2, detail = $3 where id = $1`,
};

/** A replay that was in vain, and why. */
export async function noteReplay(
  db: Queryable,
  id: string,
  { reason, detail }: { readonly reason: string; readonly detail: string },
): Promise<void> {
  await db.query(noteReplayStatement, [id, reason, detail]);
}
