import { Type } from 'typebox';
import type { HttpReply } from '#plugin-api';
import { refuse } from '../errors.ts';
import { expectedVersion, toETag } from '../etag.ts';
import { DestinationKind } from '../order.ts';
import { ProofRequired } from '../requirement.ts';
import { listRequirements, updateRequirement } from '../store/requirements.ts';
import { closed, instant } from '../text-schemas.ts';
import type { RouteDeps } from './parts.ts';

const Requirement = Type.Object(
  {
    destinationKind: DestinationKind,
    ...ProofRequired.properties,
    version: Type.Integer({ minimum: 1 }),
    changedBy: Type.String(),
    changedAt: instant,
  },
  closed,
);
const Requirements = Type.Object(
  { requirements: Type.Array(Requirement, { maxItems: 10 }), nextCursor: Type.Null() },
  closed,
);
const KindParams = Type.Object({ destinationKind: DestinationKind }, closed);

export function registerRequirementRoutes({ ctx }: RouteDeps): void {
  ctx.http.get(
    '/orders/proof-requirements',
    {
      summary: 'Which proofs of pickup and drop-off orders need, by the kind of their destination',
      roles: ['customer', 'partner', 'driver', 'ops'],
      response: { 200: Requirements },
    },
    async () => ({ status: 200, body: { requirements: await listRequirements(ctx.db), nextCursor: null } }),
  );

  ctx.http.put(
    '/orders/proof-requirements/{destinationKind}',
    {
      summary: 'Sets which proofs orders need that are booked from now on',
      roles: ['ops'],
      params: KindParams,
      body: ProofRequired,
      response: { 200: Requirement },
      ifMatch: true,
    },
    async ({ principal, params, body, headers }): Promise<HttpReply> => {
      const changed = await updateRequirement(ctx.db, {
        ...params,
        ...body,
        changedBy: principal.id,
        expectedVersion: expectedVersion(headers) ?? null,
      });
      return changed === undefined
        ? refuse('ORDER_REQUIREMENT_CHANGED', 'Somebody else has set it: read it, then decide')
        : { status: 200, body: changed, headers: { etag: toETag(changed.version) } };
    },
  );
}
