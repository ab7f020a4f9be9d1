/** What crosses descriptor 4, from the child's supervisor to the core; the core's only word there is the boot message. */
import { ProtocolViolation } from './protocol-violation.ts';

/** How the plugin's thread ended, as its supervisor saw it. */
export type ThreadEnd = 'oom-heap' | 'loop' | 'crash' | 'exit';

export interface SampleFrame {
  readonly t: 'sample';
  readonly beats: number;
  readonly activeMs: number;
  readonly idleMs: number;
  readonly loopDelaySeconds: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  readonly cpuMs: number;
}

export interface NativeDenialFrame {
  readonly t: 'native-denial';
  readonly permission: string;
  readonly resource: string;
}

export interface ProfileFrame {
  readonly t: 'profile';
  /** JSON in the form of a .cpuprofile file. */
  readonly profile: string;
}

export interface EndFrame {
  readonly t: 'end';
  readonly reason: ThreadEnd;
  readonly message: string;
  readonly exitCode: number;
}

export type ControlFrame = SampleFrame | NativeDenialFrame | ProfileFrame | EndFrame;

type Kind = 'number' | 'string';

const fields: { readonly [T in ControlFrame['t']]: Readonly<Record<string, Kind>> } = {
  sample: {
    beats: 'number',
    activeMs: 'number',
    idleMs: 'number',
    loopDelaySeconds: 'number',
    heapUsedBytes: 'number',
    heapLimitBytes: 'number',
    cpuMs: 'number',
  },
  'native-denial': { permission: 'string', resource: 'string' },
  profile: { profile: 'string' },
  end: { reason: 'string', message: 'string', exitCode: 'number' },
};
const ends: ReadonlySet<string> = new Set<ThreadEnd>(['oom-heap', 'loop', 'crash', 'exit']);
const textMaxLength = 16_384;

/** @throws {ProtocolViolation} */
export function checkControlFrame(value: unknown): ControlFrame {
  if (typeof value !== 'object' || value === null) throw new ProtocolViolation('it is not an object');
  const frame = value as Readonly<Record<string, unknown>>;
  const type = frame['t'];
  if (typeof type !== 'string' || !Object.hasOwn(fields, type)) throw new ProtocolViolation('its type is unknown');
  const expected = fields[type as ControlFrame['t']];
  const checked: Record<string, unknown> = { t: type };
  for (const [name, kind] of Object.entries(expected)) checked[name] = field(frame, name, kind);
  if (Object.keys(frame).length !== Object.keys(checked).length) {
    throw new ProtocolViolation(`a ${type} frame has fields that it must not have`);
  }
  if (type === 'end' && !ends.has(String(frame['reason']))) throw new ProtocolViolation("'reason' is unknown");
  return checked as unknown as ControlFrame;
}

function field(frame: Readonly<Record<string, unknown>>, name: string, kind: Kind): unknown {
  const value = frame[name];
  if (kind === 'number' && typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
  if (kind === 'string' && typeof value === 'string') return name === 'profile' ? value : value.slice(0, textMaxLength);
  throw new ProtocolViolation(`'${name}' must be a ${kind === 'number' ? 'number of at least 0' : kind}`);
}
