import { Type, type Static, type TSchema, type TString } from 'typebox';
import {
  isEmail,
  isPhone,
  isPushToken,
  isTimeOfDay,
  isTimeZone,
  modes,
  modesOf,
  toLocale,
  type Person,
} from './person.ts';

const orNull = <T extends TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });
const Text = (maxLength: number): TString => Type.String({ minLength: 1, maxLength });

const Chosen = Type.Optional(Type.Enum([...modes]));
const ForKind = Type.Optional(
  Type.Object({ push: Chosen, sms: Chosen, email: Chosen }, { additionalProperties: false }),
);
const TimeOfDay = Text(5);

const members = {
  email: orNull(Text(254), 'Address for mail'),
  phone: orNull(Text(16), 'E.164, such as +4915112345678'),
  pushToken: orNull(Text(1024), 'Of the app, from its push service'),
  locale: orNull(Text(35), 'Language tag such as de-AT'),
  timeZone: orNull(Text(64), 'Such as Europe/Vienna'),
  quietHours: orNull(
    Type.Object({ start: TimeOfDay, end: TimeOfDay }, { additionalProperties: false }),
    'Local times such as 22:00 and 07:00',
  ),
  urgentPasses: Type.Boolean({
    description: 'Urgent messages, such as that the driver is there, come in quiet hours too',
  }),
  channels: Type.Object(
    { booking: ForKind, arrival: ForKind, parcels: ForKind, payment: ForKind, work: ForKind, account: ForKind },
    { additionalProperties: false, description: 'By kind of message and channel: on, fallback or off' },
  ),
};

/** What is left out is as if it had never been said. */
export const NewPreferences = Type.Partial(Type.Object(members), { additionalProperties: false });

export const Preferences = Type.Object(
  { ...members, version: Type.Integer({ minimum: 0 }) },
  { additionalProperties: false },
);

/** The preferences in a body, or what is wrong with them. */
export function parsePreferences(
  body: Static<typeof NewPreferences>,
): { readonly preferences: Omit<Person, 'role' | 'personId' | 'version'> } | { readonly problem: string } {
  const { email = null, phone = null, pushToken = null, timeZone = null, quietHours = null } = body;
  const locale = typeof body.locale === 'string' ? toLocale(body.locale) : null;
  const problem = findProblem({ email, phone, pushToken, timeZone, quietHours, locale });
  if (problem !== undefined) return { problem };
  return {
    preferences: {
      email,
      phone,
      pushToken,
      locale: locale ?? null,
      timeZone,
      quietHours,
      urgentPasses: body.urgentPasses ?? true,
      channels: body.channels ?? {},
    },
  };
}

function findProblem(
  given: Pick<Person, 'email' | 'phone' | 'pushToken' | 'timeZone' | 'quietHours'> & {
    readonly locale: string | null | undefined;
  },
): string | undefined {
  const { email, phone, pushToken, timeZone, quietHours, locale } = given;
  if (email !== null && !isEmail(email)) return "'email' must be an address such as anna@example.com, in ASCII";
  if (phone !== null && !isPhone(phone)) return "'phone' must be in E.164, such as +4915112345678";
  if (pushToken !== null && !isPushToken(pushToken)) return "'pushToken' must be 8 or more visible ASCII characters";
  if (locale === undefined) return "'locale' must be a language tag such as de-AT";
  if (timeZone !== null && !isTimeZone(timeZone)) return "'timeZone' must be a time zone such as Europe/Vienna";
  if (quietHours === null) return undefined;
  if (!isTimeOfDay(quietHours.start) || !isTimeOfDay(quietHours.end)) {
    return "'quietHours' must have times from 00:00 to 23:59";
  }
  return quietHours.start === quietHours.end ? "'quietHours' must begin and end at different times" : undefined;
}

/** What is shown: every kind and channel, chosen or by default. */
export function toPreferences({ role: _role, personId: _personId, ...person }: Person): object {
  return { ...person, channels: modesOf(person) };
}
