import type { AccessDatabase } from '../access-database.ts';
import type { BudgetName } from './budget-name.ts';

export interface BudgetSlice {
  readonly partnerId: string;
  readonly budget: BudgetName;
  /** `2026-05-04`, in UTC. */
  readonly day: string;
  /** The most that is wanted. */
  readonly slice: number;
  /** Where ops have given the partner no other. */
  readonly perDay: number;
}

export interface BudgetRow {
  readonly budget: BudgetName;
  readonly used: number;
  /** Null where it is the setting's. */
  readonly perDay: number | null;
}

export interface BudgetRows {
  /** Of the limits: 0 until ops have set one. */
  readonly version: number;
  readonly rows: readonly BudgetRow[];
}

export interface LimitsChange {
  readonly partnerId: string;
  /** Null is the setting's again; what is left out stays. */
  readonly limits: Readonly<Partial<Record<BudgetName, number | null>>>;
  /** Null: whatever it is now. */
  readonly expectedVersion: number | null;
}

export interface BudgetStore {
  /** @returns how much of it this node has now: 0 when the day's budget is spent */
  take(slice: BudgetSlice): Promise<number>;
  giveBack(rest: Pick<BudgetSlice, 'partnerId' | 'budget' | 'day'> & { readonly amount: number }): Promise<void>;
  read(partnerId: string, day: string): Promise<BudgetRows>;
  /** False when they are of another version. */
  setLimits(change: LimitsChange): Promise<boolean>;
  /** Forgets days before this one, `batchMax` rows at a time; returns how many were in this batch. */
  forget(beforeDay: string, batchMax: number): Promise<number>;
}

const takeText = `with own as (
  select coalesce((select per_day from returnit.partner_budget where partner_id = $1 and budget = $2), $5::bigint) as per_day
)
insert into returnit.partner_budget_use as present (partner_id, budget, day, used, granted)
select $1, $2, $3::date, slice, slice from own, returnit.budget_slice(own.per_day, 0, $4) as slice
on conflict (partner_id, budget, day) do update
set (used, granted) = (
  select present.used + slice, slice from own, returnit.budget_slice(own.per_day, present.used, $4) as slice
)
returning granted`;

const giveBackText = `update returnit.partner_budget_use set used = greatest(0, used - $4)
where partner_id = $1 and budget = $2 and day = $3::date`;

const readText = `select name as budget, coalesce(present.used, 0) as used, own.per_day,
  coalesce((select version from returnit.partner_budget_version where partner_id = $1), 0) as version
from unnest(array['requests', 'orders']) as name
left join returnit.partner_budget_use as present
  on present.partner_id = $1 and present.budget = name and present.day = $2::date
left join returnit.partner_budget as own on own.partner_id = $1 and own.budget = name`;

/** Whoever comes second waits for the row of the version, and sees there what the first has made of it. */
const setLimitsText = `with turned as (
  insert into returnit.partner_budget_version as present (partner_id, version)
  select $1, 1 where $2::integer is null or $2 = 0 or exists (
    select from returnit.partner_budget_version where partner_id = $1)
  on conflict (partner_id) do update set version = present.version + 1 where $2::integer is null or present.version = $2
  returning version
), changed as (
  insert into returnit.partner_budget (partner_id, budget, per_day)
  select $1, budget, per_day from turned, unnest($3::text[], $4::bigint[]) as wanted (budget, per_day)
  on conflict (partner_id, budget) do update set per_day = excluded.per_day, updated_at = now()
)
select version from turned`;

const forgetText = `delete from returnit.partner_budget_use where (partner_id, budget, day) in (
  select partner_id, budget, day from returnit.partner_budget_use where day < $1::date
  limit $2 for update skip locked)`;

interface UseRow {
  readonly budget: BudgetName;
  readonly used: string;
  readonly per_day: string | null;
  readonly version: number;
}

/** `returnit.partner_budget` and `returnit.partner_budget_use`. */
export function createBudgetStore(database: AccessDatabase): BudgetStore {
  return {
    async take({ partnerId, budget, day, slice, perDay }) {
      const values = [partnerId, budget, day, slice, perDay];
      const { rows } = await database.query({ name: 'take_budget_slice', text: takeText, values });
      return Number((rows as readonly { readonly granted: string }[])[0]?.granted ?? 0);
    },
    async giveBack({ partnerId, budget, day, amount }) {
      const values = [partnerId, budget, day, amount];
      await database.query({ name: 'give_back_budget', text: giveBackText, values });
    },
    async read(partnerId, day) {
      const values = [partnerId, day];
      const rows = (await database.query({ name: 'read_budgets', text: readText, values })).rows as readonly UseRow[];
      return {
        version: rows[0]?.version ?? 0,
        rows: rows.map(({ budget, used, per_day: perDay }) => ({
          budget,
          used: Number(used),
          perDay: perDay === null ? null : Number(perDay),
        })),
      };
    },
    async setLimits({ partnerId, limits, expectedVersion }) {
      const wanted = Object.entries(limits);
      const values = [partnerId, expectedVersion, wanted.map(([budget]) => budget), wanted.map(([, perDay]) => perDay)];
      return (await database.query({ name: 'set_budgets', text: setLimitsText, values })).rowCount === 1;
    },
    async forget(beforeDay, batchMax) {
      const values = [beforeDay, batchMax];
      return (await database.query({ name: 'forget_budget_use', text: forgetText, values })).rowCount ?? 0;
    },
  };
}
