import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });

export const Shift = Type.Object(
  {
    kind: Type.Enum(['shift', 'break']),
    startedAt: instant,
    startedBy: Type.String({ maxLength: 200 }),
    endedAt: Type.Union([instant, Type.Null()]),
    endedBy: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  closed,
);
export type Shift = Static<typeof Shift>;

export const ShiftPage = Type.Object(
  {
    shifts: Type.Array(Shift, { maxItems: 100 }),
    nextCursor: Type.Union([Type.String({ maxLength: 200 }), Type.Null()]),
  },
  closed,
);

/** What a driver does of its working day. A break is part of a shift, and ends with it. */
export type Working = 'off' | 'on_shift' | 'on_break';

export type WorkAction = 'start_shift' | 'end_shift' | 'start_break' | 'end_break';

const steps: Readonly<Record<WorkAction, Partial<Record<Working, Working>>>> = {
  start_shift: { off: 'on_shift', on_shift: 'on_shift', on_break: 'on_break' },
  end_shift: { off: 'off', on_shift: 'off', on_break: 'off' },
  start_break: { on_shift: 'on_break', on_break: 'on_break' },
  end_break: { on_shift: 'on_shift', on_break: 'on_shift' },
};

/** Undefined where it makes no sense: a break of who is off shift. The same again changes nothing. */
export function step(working: Working, action: WorkAction): Working | undefined {
  return steps[action][working];
}

export function workingOf({ onShift, onBreak }: { readonly onShift: boolean; readonly onBreak: boolean }): Working {
  if (!onShift) return 'off';
  return onBreak ? 'on_break' : 'on_shift';
}
