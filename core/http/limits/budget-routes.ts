import { Type, type Static } from 'typebox';
import type { Principal } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import { PartnerId } from '../api-keys/api-key-schemas.ts';
import type { RouteTable } from '../route-table.ts';
import type { RouteResponse } from '../route.ts';
import type { Budgets } from './budgets.ts';

const PartnerParams = Type.Object({ partnerId: PartnerId }, { additionalProperties: false });

const Limit = Type.Optional(
  Type.Union([Type.Integer({ minimum: 0, maximum: 1_000_000_000 }), Type.Null()], {
    description: 'Of a day (UTC); null is the default again, left out is as it was',
  }),
);
const BudgetChange = Type.Object({ requests: Limit, orders: Limit }, { additionalProperties: false, minProperties: 1 });

const BudgetState = Type.Object(
  {
    used: Type.Integer({ minimum: 0, description: 'Of today; what other nodes hold and have not used counts' }),
    perDay: Type.Integer({ minimum: 0 }),
    isOwn: Type.Boolean({ description: 'Of this partner, and not the default' }),
  },
  { additionalProperties: false },
);
const BudgetStates = Type.Object(
  {
    requests: BudgetState,
    orders: BudgetState,
    version: Type.Integer({ minimum: 0, description: 'Of the limits: what If-Match is compared with' }),
  },
  { additionalProperties: false },
);

const owner = { name: 'core', id: 'core' };

/** What a partner may have in a day and has had today: ops set it, the partner reads it. */
export function addBudgetRoutes(routes: RouteTable, budgets: Budgets): void {
  routes.add({
    verb: 'GET',
    path: '/partners/{partnerId}/budgets',
    owner,
    summary: 'What a partner may have in a day, and what it has used today',
    roles: ['partner', 'ops'],
    params: PartnerParams,
    response: { 200: BudgetStates },
    run: ({ principal, params }) => read(budgets, principal, (params as Static<typeof PartnerParams>).partnerId),
  });
  routes.add({
    verb: 'PUT',
    path: '/partners/{partnerId}/budgets',
    owner,
    summary: 'Gives a partner other budgets than the default, or the default again',
    roles: ['ops'],
    params: PartnerParams,
    body: BudgetChange,
    response: { 200: BudgetStates },
    ifMatch: true,
    async run({ principal, params, body, headers }) {
      const { partnerId } = params as Static<typeof PartnerParams>;
      const limits = body as Static<typeof BudgetChange>;
      if (!(await budgets.set({ partnerId, limits, expectedVersion: versionOf(headers['if-match']) }))) {
        throw new AppError('BUDGETS_CHANGED', 'Cannot set budgets: somebody else has set them; read them, then decide');
      }
      return read(budgets, principal, partnerId);
    },
  });
}

/** Null: whatever it is. What is no version of ours matches none. */
function versionOf(ifMatch: string | undefined): number | null {
  if (ifMatch === undefined || ifMatch.trim() === '*') return null;
  return Number(/^"(\d{1,9})"$/.exec(ifMatch.trim())?.[1] ?? -1);
}

async function read(budgets: Budgets, { id, role }: Principal, partnerId: string): Promise<RouteResponse> {
  // Which partners exist is nobody's to ask.
  if (role === 'partner' && id !== partnerId) {
    throw new AppError('NOT_FOUND', 'Cannot find budgets: no such partner exists, or it is not the caller');
  }
  const { version, states } = await budgets.read(partnerId);
  const body = Object.fromEntries(states.map(({ budget, used, perDay, isOwn }) => [budget, { used, perDay, isOwn }]));
  return { status: 200, text: JSON.stringify({ ...body, version }) };
}
