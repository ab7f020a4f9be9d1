import { Type } from 'typebox';
import { nameLengthMax } from '#core/jobs/queue-names.ts';

const Pattern = Type.String({ pattern: '^[a-z][a-z0-9_-]*(\\.[a-z0-9_-]+)*(\\.\\*)?$', maxLength: nameLengthMax });

/** What routes and queries say of keeping their answers, as a schema's properties. */
export const cacheProperties = {
  ttlMs: Type.Optional(Type.Integer({ minimum: 1 })),
  invalidatedBy: Type.Array(Pattern, { minItems: 1, maxItems: 20 }),
};

/** A field of events' data: what it names is told to all nodes, so it must be an id. */
export const keyFieldPattern = '^[a-z][A-Za-z0-9]{0,40}Id$';
