import type { Queryable, Statement } from '#plugin-api';
import type { Order } from '../order.ts';
import type { ProofRequired } from '../requirement.ts';

export interface Requirement extends ProofRequired {
  readonly destinationKind: Order['destination']['kind'];
  readonly version: number;
  readonly changedBy: string;
  readonly changedAt: string;
}

const columns = `destination_kind as "destinationKind", pickup, drop_off as "dropOff", version,
  changed_by as "changedBy", changed_at as "changedAt"`;

const listRequirementsStatement: Statement = {
  name: 'list_proof_requirements',
  text: `select ${columns} from proof_requirements order by destination_kind`,
};

export async function listRequirements(db: Queryable): Promise<readonly Requirement[]> {
  const { rows } = await db.query<Requirement>(listRequirementsStatement);
  return rows;
}

const updateRequirementStatement: Statement = {
  name: 'update_proof_requirement',
  text: `update proof_requirements
    set pickup = $2::text[], drop_off = $3::text[], version = version + 1, changed_by = $4, changed_at = now()
    where destination_kind = $1 and ($5::integer is null or version = $5)
    returning ${columns}`,
};

export interface RequirementChange extends ProofRequired {
  readonly destinationKind: Order['destination']['kind'];
  readonly changedBy: string;
  /** Null: whatever it is now. */
  readonly expectedVersion: number | null;
}

/** Undefined when it is of another version. */
export async function updateRequirement(db: Queryable, change: RequirementChange): Promise<Requirement | undefined> {
  const { rows } = await db.query<Requirement>(updateRequirementStatement, [
    change.destinationKind,
    change.pickup,
    change.dropOff,
    change.changedBy,
    change.expectedVersion,
  ]);
  return rows[0];
}
