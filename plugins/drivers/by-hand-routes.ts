import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext, Transaction } from '#plugin-api';
import { AssignmentParams, assignmentNotFound } from './assignment-routes.ts';
import { Assignment, type Actor } from './assignment.ts';
import { DriverId } from './driver.ts';
import { driverNotFound, refuse } from './errors.ts';
import { ifMatch, toEtag } from './etag.ts';
import { observeWait } from './offer-metrics.ts';
import { hasRoom } from './ranking.ts';
import type { Settings } from './settings.ts';
import { findAssignment, lockAssignment, toAssignment, type StoredAssignment } from './store/assignments.ts';
import { lockDrivers, readFacts } from './store/candidates.ts';
import { assignByHand, holdByHand, reassignByHand, releaseByHand, unassign } from './unassigning.ts';
import { sizeOf, toLoad } from './vehicle.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,200}$' });
const Assign = Type.Object(
  {
    driverId: DriverId,
    force: Type.Optional(Type.Boolean({ default: false, description: 'Also when the driver has no room for it' })),
  },
  closed,
);
const Hold = Type.Object({ reason: Text }, closed);
const Reasoned = Type.Object({ reason: Type.Optional(Text) }, closed);

/** What is decided with drivers and assignment locked; a reply refuses, undefined goes on to the answer. */
type Decide = (tx: Transaction, assignment: StoredAssignment, by: Actor) => Promise<HttpReply | undefined>;

interface ByHandChange {
  readonly request: HttpRequest<{ readonly orderId: string }>;
  /** Beside the driver that the order has. */
  readonly driverIds: readonly string[];
  readonly decide: Decide;
}

/** Ops give, take, hold and release orders by hand; a driver gives one back. */
export function registerByHandRoutes(ctx: PluginContext, settings: Settings): void {
  const base = '/drivers/assignments/{orderId}';
  const common = { roles: ['ops'], params: AssignmentParams, response: { 200: Assignment }, ifMatch: true } as const;

  for (const verb of ['assign', 'reassign'] as const) {
    const summary =
      verb === 'assign'
        ? 'Gives an order that waits, is held or found nobody to this driver'
        : 'Gives an order from the driver who has it, and has not picked it up, to this one';
    ctx.http.post(`${base}/${verb}`, { ...common, summary, body: Assign }, (request) =>
      change(ctx, {
        request,
        driverIds: [request.body.driverId],
        decide: giveTo(ctx, { ...request.body, verb, settings }),
      }),
    );
  }
  ctx.http.post(
    `${base}/hold`,
    { ...common, summary: 'Asks nobody until it is released; a driver who has not picked it up loses it', body: Hold },
    (request) => change(ctx, { request, driverIds: [], decide: hold(request.body.reason) }),
  );
  ctx.http.post(
    `${base}/release`,
    {
      ...common,
      summary: 'Looks for a driver again: held, without one, or with one who is to lose it',
      body: Reasoned,
    },
    (request) => change(ctx, { request, driverIds: [], decide: release(request.body.reason) }),
  );
  ctx.http.post(
    `${base}/give-back`,
    {
      ...common,
      roles: ['driver'],
      summary: 'The driver cannot do it after all: another is looked for',
      body: Reasoned,
    },
    (request) => change(ctx, { request, driverIds: [], decide: giveBack(request.body.reason) }),
  );
}

async function change(ctx: PluginContext, { request, driverIds, decide }: ByHandChange): Promise<HttpReply> {
  const { principal, params, headers } = request;
  const { orderId } = params;
  const by: Actor = { kind: principal.role === 'ops' ? 'ops' : 'driver', id: principal.id };
  return ctx.db.transaction(async (tx): Promise<HttpReply> => {
    const seen = await findAssignment(tx, orderId);
    if (seen === undefined || (by.kind === 'driver' && seen.driverId !== by.id)) return assignmentNotFound(orderId);
    await lockDrivers(tx, seen.driverId === null ? driverIds : [...driverIds, seen.driverId]);
    const locked = await lockAssignment(tx, orderId);
    // Another driver than the one that is locked: to lock that one now would be out of order.
    if (locked === undefined || locked.driverId !== seen.driverId) {
      return refuse('ASSIGNMENT_STATE', `Order '${orderId}' was given to another driver in this moment: look again`);
    }
    if (!ifMatch(headers, locked.version)) {
      const detail = `Cannot change the assignment of order '${orderId}': it is at version ${toEtag(locked.version)} by now`;
      return refuse('ASSIGNMENT_CHANGED', detail);
    }
    const refusal = await decide(tx, locked, by);
    if (refusal !== undefined) return refusal;
    const after = await findAssignment(tx, orderId);
    if (after === undefined) return assignmentNotFound(orderId);
    return { status: 200, body: toAssignment(after), headers: { etag: toEtag(after.version) } };
  });
}

const isActive = ({ status }: StoredAssignment): boolean => status === 'assigned' || status === 'accepted';

function cannot(verb: string, { orderId, status, pickedUpAt }: StoredAssignment): HttpReply {
  return pickedUpAt === null
    ? refuse('ASSIGNMENT_STATE', `Cannot ${verb} order '${orderId}': it is ${status}`)
    : refuse('ASSIGNMENT_PICKED_UP', `Cannot ${verb} order '${orderId}': its driver has the parcels`);
}

interface Gift {
  readonly driverId: string;
  readonly force?: boolean;
  readonly verb: 'assign' | 'reassign';
  readonly settings: Settings;
}

function giveTo(ctx: PluginContext, { driverId, force = false, verb, settings }: Gift): Decide {
  return async (tx, assignment, by) => {
    const { orderId, driverId: from } = assignment;
    if (isActive(assignment) && from === driverId) return undefined;
    const facts = (await readFacts(tx, [driverId], settings.parcelVolumeL)).get(driverId);
    if (facts === undefined) return driverNotFound(driverId);
    if (facts.status !== 'approved') {
      return refuse('DRIVER_NOT_AVAILABLE', `Driver '${driverId}' is ${facts.status}`, { because: facts.status });
    }
    if (!force && !hasRoom(toLoad(facts), sizeOf(assignment, settings), settings.ordersMax)) {
      return refuse(
        'DRIVER_FULL',
        `Driver '${driverId}' has no room for order '${orderId}'; 'force' gives it all the same`,
      );
    }
    const given =
      verb === 'assign'
        ? await assignByHand(tx, { orderId, driverId, by })
        : from !== null && (await reassignByHand(tx, { orderId, from, to: driverId, by }));
    if (!given) return cannot(verb, assignment);
    observeWait(ctx, { by: 'ops', waitedSeconds: given.waitedSeconds });
    return undefined;
  };
}

function hold(reason: string): Decide {
  return async (tx, assignment, by) => {
    const { orderId, status } = assignment;
    if (status === 'held') return undefined;
    const driverId = isActive(assignment) ? assignment.driverId : null;
    return (await holdByHand(tx, { orderId, driverId, reason, by })) ? undefined : cannot('hold', assignment);
  };
}

function release(note: string | undefined): Decide {
  return async (tx, assignment, by) => {
    const { orderId, status, driverId } = assignment;
    if (status === 'waiting') return undefined;
    const isReleased =
      isActive(assignment) && driverId !== null
        ? await unassign(tx, { orderId, driverId, reason: 'withdrawn', by, note })
        : await releaseByHand(tx, { orderId, by });
    return isReleased ? undefined : cannot('release', assignment);
  };
}

function giveBack(note: string | undefined): Decide {
  return async (tx, assignment, by) => {
    const { orderId } = assignment;
    const isBack = await unassign(tx, { orderId, driverId: by.id, reason: 'gave_back', by, note });
    return isBack ? undefined : cannot('give back', assignment);
  };
}
